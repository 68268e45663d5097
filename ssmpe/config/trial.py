"""A trial as a whole: changed by dotted paths, identified by a stable hash."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ssmpe.config import plain
from ssmpe.config.data import DataConfig
from ssmpe.config.geometry import GeometryConfig
from ssmpe.config.model import ModelConfig
from ssmpe.config.objectives import ObjectivesConfig, PseudoLabelsConfig, require_known
from ssmpe.config.training import TrainingConfig

OPEN = (
    "objectives.weights",
    "objectives.fade",
    "objectives.ramp",
    "data.added",
    "data.labelled_share",
    "data.max_hours",
    "data.max_tracks",
    "data.options",
)
"""Mappings that take new keys."""

LATER: Mapping[str, Any] = {
    "model.network": "autoencoder",
    "model.decomposition": 0.0,
    "data.labelled_share": {},
    "data.max_tracks": {},
    "training.parent": "",
    "training.mixed_precision_on_cpus": False,
    "objectives.teacher_decay": None,
    "objectives.score_teacher": False,
    "objectives.project_conflicts": False,
    "objectives.view_strength": 1.0,
    "objectives.fade": {},
    "objectives.consistency": "BCE",
    "objectives.labelled_targets": "salience",
    "objectives.pseudo_labels": dataclasses.asdict(PseudoLabelsConfig()),
    "objectives.pseudo_labels.rule": "rank",
    "objectives.pseudo_labels.estimate": "energy",
    "objectives.pseudo_labels.confidence": 0.95,
    "objectives.ramp": {},
}
"""Settings that were added since trials are stored -> the value under which a trial is what it was
before. With that value they are no part of its identity, so that earlier runs are found again."""


@dataclass(frozen=True)
class TrialConfig:
    """Configuration of one trial: with its seed, it determines every number the trial produces."""

    geometry: GeometryConfig = field(default_factory=GeometryConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    objectives: ObjectivesConfig = field(default_factory=ObjectivesConfig)
    data: DataConfig = field(default_factory=DataConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain data, JSON-representable."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrialConfig":
        """Build what ``to_dict`` gave; raises UserError for unknown keys and bad values."""
        return plain.build(cls, values)

    def replace(self, changes: Mapping[str, Any]) -> "TrialConfig":
        """Return a copy with dotted paths set to new values, as ``{"training.seed": 3}``.

        A path ends at a field, or at a key of a mapping field (``objectives.weights.timbre``).
        """
        values = self.to_dict()
        for path, value in changes.items():
            plain.set_path(values, path, value, OPEN)
        if isinstance(values["objectives"], Mapping):
            require_known(values["objectives"], self.objectives.weights.keys())
        return TrialConfig.from_dict(values)

    @cached_property
    def identity(self) -> str:
        """12 hexadecimal digits that depend on the configuration alone."""
        values = self.to_dict()
        for path, before in LATER.items():
            *groups, name = path.split(".")
            node = values
            for group in groups:
                node = node.get(group, {})  # a whole group may be gone
            if name in node and node[name] == before:
                del node[name]
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def flat(self) -> dict[str, Any]:
        """Return all settings, dotted path -> value; mappings are flattened, tuples are lists."""
        return dict(plain.flatten(self.to_dict()))
