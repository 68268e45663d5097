"""Sets of tracks by name: "URMP/train" is the split train of the dataset URMP."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ssmpe.data.bach10 import Bach10
from ssmpe.data.dataset import Dataset, Track
from ssmpe.data.egmd import EGMD
from ssmpe.data.guitarset import GuitarSet
from ssmpe.data.musicnet import MusicNet
from ssmpe.data.nsynth import NSynth
from ssmpe.data.urmp import URMP
from ssmpe.errors import UserError

DATASETS: dict[str, type[Dataset]] = {
    dataset.name: dataset for dataset in (URMP, Bach10, MusicNet, GuitarSet, NSynth, EGMD)
}

SET_NAMES = tuple(f"{name}/{split}" for name, d in DATASETS.items() for split in d.splits)
"""Every set there is."""


@dataclass(frozen=True)
class ResolvedSet:
    """A set whose tracks have been found on disk.

    Attributes:
        name: "<dataset>/<split>".
        dataset: tells the annotation of a track.
        tracks: sorted by name, at least one.
    """

    name: str
    dataset: Dataset
    split: str
    tracks: tuple[Track, ...]


def parse(set_name: str) -> tuple[type[Dataset], str]:
    """Dataset and split of a set's name; touches no files.

    Raises:
        UserError: there is no such set; names those there are.
    """
    dataset_name, _, split = set_name.partition("/")
    if dataset_name not in DATASETS:
        raise _unknown("dataset", dataset_name, set_name, DATASETS)
    dataset = DATASETS[dataset_name]
    if split not in dataset.splits:
        raise _unknown(f"split of {dataset_name}", split, set_name, dataset.splits)
    return dataset, split


def resolve(set_name: str, root: Path) -> ResolvedSet:
    """Find the tracks of a set under the data root ``root``.

    Raises:
        UserError: there is no such set, or its folder is missing or laid out differently.
        DataError: its folder is incomplete.
    """
    dataset_type, split = parse(set_name)
    dataset = dataset_type(root)
    return ResolvedSet(set_name, dataset, split, dataset.tracks(split))


def _unknown(kind: str, given: str, set_name: str, known: Iterable[str]) -> UserError:
    known = list(known)
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given.lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[close[0]]!r}?" if close else ""
    return UserError(
        f"set {set_name!r}: unknown {kind} {given!r}{hint} (known: {', '.join(known)})"
    )
