"""Sets of tracks by name: "URMP/train" is the split train of the dataset URMP."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ssmpe.console import told_in_scripts
from ssmpe.data.datasets.bach10 import Bach10
from ssmpe.data.datasets.dataset import Dataset, Track
from ssmpe.data.datasets.egmd import EGMD
from ssmpe.data.datasets.fma import FMA
from ssmpe.data.datasets.folder import Folder
from ssmpe.data.datasets.guitarset import GuitarSet
from ssmpe.data.datasets.maestro import MAESTRO
from ssmpe.data.datasets.magnatagatune import MagnaTagATune
from ssmpe.data.datasets.maps import MAPS
from ssmpe.data.datasets.mdbdrums import MDBDrums
from ssmpe.data.datasets.medleydb import MedleyDB
from ssmpe.data.datasets.musicnet import MusicNet
from ssmpe.data.datasets.nsynth import NSynth
from ssmpe.data.datasets.su import Su
from ssmpe.data.datasets.swd import SWD
from ssmpe.data.datasets.trios import TRIOS
from ssmpe.data.datasets.urmp import URMP
from ssmpe.errors import UserError
from ssmpe.own import digest_of

DATASETS: dict[str, type[Dataset]] = {
    dataset.name: dataset
    for dataset in (
        *(URMP, Bach10, Su, TRIOS, MusicNet, GuitarSet, NSynth),
        *(FMA, EGMD, MDBDrums, MAESTRO, MAPS, MedleyDB, SWD, MagnaTagATune),
    )
}

SET_NAMES = tuple(f"{name}/{split}" for name, d in DATASETS.items() for split in d.splits)
"""Names of all published sets"""
_PUBLISHED = frozenset(DATASETS)


@dataclass(frozen=True)
class Locations:
    """Places of the datasets on this machine; no part of what defines a trial.

    Attributes:
        root: folder with a folder for every published dataset.
        folders: name -> folder of audio files of the user's own.
    """

    root: Path
    folders: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_folder_names(self.folders)


@dataclass(frozen=True)
class ResolvedSet:
    """A set whose tracks have been listed.

    Attributes:
        name: "<dataset>/<split>".
        dataset: tells the files and the annotation of a track.
        tracks: sorted by name, at least one.
    """

    name: str
    dataset: Dataset
    split: str
    tracks: tuple[Track, ...]


@told_in_scripts
def dataset(reader: type[Dataset]) -> type[Dataset]:
    """Add a reader of one's own to the datasets that configurations may name; a decorator.

    A sweep's file uses it at its top level. Nodes get the reader with the code it was written with.

    Raises:
        UserError: it is no subclass of ``Dataset``, lacks what one has to have, or has a name that
            a published dataset has.
    """
    if not (isinstance(reader, type) and issubclass(reader, Dataset)):
        raise UserError(f"dataset {reader!r:.80}: expected a subclass of ssmpe's Dataset")
    for attribute in ("name", "splits", "layout"):
        if not getattr(reader, attribute, None):
            raise UserError(f"dataset {reader.__name__}: it needs a class attribute {attribute!r}")
    if left := ", ".join(sorted(reader.__abstractmethods__)):
        raise UserError(f"dataset {reader.name}: it needs {left}")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", reader.name) or reader.name in _PUBLISHED:
        raise UserError(
            f"dataset {reader.name!r:.80}: expected a name of letters, digits, - and _ that no "
            "published dataset has"
        )
    reader.code = digest_of(reader) or reader.__qualname__
    DATASETS[reader.name] = reader
    return reader


def own_datasets() -> list[type[Dataset]]:
    """Return the readers that are not the package's."""
    return [reader for name, reader in DATASETS.items() if name not in _PUBLISHED]


def check_folder_names(names: Iterable[str]) -> None:
    """Check that the user's own folders have names that sets can be made of (else UserError)."""
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name in DATASETS:
            raise UserError(
                f"folder {name!r}: expected a name of letters, digits, - and _ that no published "
                "dataset has"
            )


def parse(set_name: str, folders: Iterable[str] = ()) -> tuple[type[Dataset], str]:
    """Return dataset and split of a set's name; no files are touched.

    Args:
        folders: names of the user's own folders.

    Raises:
        UserError: there is no such set; names those there are.
    """
    known: dict[str, type[Dataset]] = {**DATASETS, **dict.fromkeys(folders, Folder)}
    dataset_name, _, split = set_name.partition("/")
    if dataset_name not in known:
        raise _unknown("dataset", dataset_name, set_name, known)
    dataset = known[dataset_name]
    if split not in dataset.splits:
        raise _unknown(f"split of {dataset_name}", split, set_name, dataset.splits)
    return dataset, split


def check_options(options: Mapping[str, bool]) -> None:
    """Check that options "<dataset>/<option>" exist; else a UserError names those that do."""
    known = [f"{name}/{option}" for name, d in DATASETS.items() for option in d.options]
    for name in options:
        if name not in known:
            raise UserError(f"data.options: unknown {name!r} (known: {', '.join(known)})")


def open_dataset(name: str, where: Locations, options: Mapping[str, bool]) -> Dataset:
    """Open the dataset of this known name, with those of the options that concern it."""
    if name in where.folders:
        return Folder(name, where.folders[name])
    own = {k.split("/")[1]: v for k, v in options.items() if k.startswith(f"{name}/")}
    return DATASETS[name](where.root / name, **own)


def resolve(
    set_name: str, where: Locations, options: Mapping[str, bool] | None = None
) -> ResolvedSet:
    """List the tracks of a set.

    Args:
        options: of datasets, as ``check_options`` has them.

    Raises:
        UserError: there is no such set, or its folder is missing or laid out differently.
        DataError: an index of it is unusable, or whole tracks are missing.
    """
    _, split = parse(set_name, where.folders)
    dataset = open_dataset(set_name.split("/")[0], where, options or {})
    return ResolvedSet(set_name, dataset, split, dataset.tracks(split))


def _unknown(kind: str, given: str, set_name: str, known: Iterable[str]) -> UserError:
    known = list(known)
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given.lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[close[0]]!r}?" if close else ""
    return UserError(
        f"set {set_name!r}: unknown {kind} {given!r}{hint} (known: {', '.join(known)})"
    )
