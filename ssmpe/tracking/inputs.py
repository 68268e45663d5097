"""Datasets of trials, as MLflow has them: an entity per set and content, shared by all runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

SOURCE_TYPE = "ssmpe"
"""Kind of source that MLflow shows for a dataset"""


@dataclass(frozen=True)
class UsedSet:
    """A set of a dataset, and what a trial uses it for.

    Attributes:
        name: as in the registry, for example "URMP/train".
        digest: of its tracks, at most 36 characters; the same wherever the set lies.
        source: where it comes from, without paths of a machine.
        context: "labelled", "added", "percussion", "validation" or "evaluation"; or several.
        profile: its size, numbers by name.
    """

    name: str
    digest: str
    source: str
    context: str
    profile: Mapping[str, float]


def dataset_input(values: Mapping[str, Any]) -> "DatasetInput":
    """Return MLflow's form of a ``UsedSet`` that is given as plain data."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    used = UsedSet(**values)
    source = json.dumps({"uri": used.source})
    profile = json.dumps(dict(used.profile))
    dataset = Dataset(used.name, used.digest, SOURCE_TYPE, source, profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", used.context)])
