"""What every dataset has in common; a further one is a module with one further subclass."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ssmpe.data import audio, listing
from ssmpe.data.annotation import Annotation, check_fit
from ssmpe.errors import UserError


@dataclass(frozen=True, slots=True)
class Track:
    """A recording of a dataset.

    Attributes:
        dataset: name of the dataset.
        name: unique within the dataset.
        audio: path of the audio file.
    """

    dataset: str
    name: str
    audio: Path


class Dataset(ABC):
    """A dataset in its published layout under ``<root>/<name>``.

    Class attributes:
        name: of the dataset and of its folder.
        splits: names of its splits, as published.
        layout: what its folder contains, in one line for messages.
    """

    name: ClassVar[str]
    splits: ClassVar[tuple[str, ...]]
    layout: ClassVar[str]

    def __init__(self, root: Path) -> None:
        """``root``: the folder that contains the datasets' folders; nothing is read yet."""
        self.folder = Path(root) / self.name

    def tracks(self, split: str) -> tuple[Track, ...]:
        """Tracks of a split, sorted by name, every file that belongs to them being there.

        Raises:
            UserError: the folder is missing, is laid out differently or has no such tracks.
            DataError: it is incomplete; names the first missing file.
        """
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}: it has {', '.join(self.splits)}")
        listing.require(self.folder, f"{self.name}/{self.layout}")
        tracks = self._tracks(split)
        if not tracks:
            raise UserError(
                f"{self.folder}: no tracks of split {split!r}; "
                f"expected layout: {self.name}/{self.layout}"
            )
        return tuple(sorted(tracks, key=lambda track: track.name))

    def annotation(self, track: Track) -> Annotation | None:
        """What sounds in a track; None if the dataset does not tell.

        Raises:
            DataError: the annotation does not parse, or does not fit the track's audio.
        """
        annotation = self._annotation(track)
        if annotation is not None:
            check_fit(annotation, audio.duration(track.audio), track.audio)
        return annotation

    @abstractmethod
    def _tracks(self, split: str) -> list[Track]:
        """Tracks of a known split of an existing folder, in any order."""

    @abstractmethod
    def _annotation(self, track: Track) -> Annotation | None:
        """The annotation of a track as its files tell it."""

    def _track(self, name: str, path: Path) -> Track:
        return Track(self.name, name, path)

    def _require(self, path: Path) -> None:
        """Check that a file or folder of the layout is there."""
        listing.require(path, f"{self.name}/{self.layout}")

    def _require_all(self, paths: list[Path]) -> None:
        """Check that all of the files are there."""
        listing.require_all(paths, f"{self.name}/{self.layout}")
