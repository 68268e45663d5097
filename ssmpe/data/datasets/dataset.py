"""Base of all datasets; a further dataset is a module with one further subclass."""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ssmpe.data.datasets import listing
from ssmpe.data.files import audio
from ssmpe.data.files.annotation import Annotation, check_fit
from ssmpe.errors import DataError, UserError, told


@dataclass(frozen=True, slots=True)
class Track:
    """A recording of a dataset, or a stretch of one.

    Attributes:
        dataset: name of the dataset.
        name: unique within a split.
        audio: path of the audio file.
        start, seconds: stretch of the file that the track is, in seconds; None: to its end.
        others: further audio files, whose sound is added to that of the first.
    """

    dataset: str
    name: str
    audio: Path
    start: float = 0.0
    seconds: float | None = None
    others: tuple[Path, ...] = ()

    @property
    def sources(self) -> tuple[Path, ...]:
        """All of its audio files."""
        return self.audio, *self.others


@dataclass(frozen=True)
class Source:
    """Place where a dataset is to be had.

    Attributes:
        url: page to download it from, or to ask for it.
        size: of what has to be downloaded, and unpacked if that is more.
        licence: under which it is given.
        unpack: how to bring it into the layout under the data root.
    """

    url: str
    size: str
    licence: str
    unpack: str


@dataclass(frozen=True)
class Option:
    """Choice between the behaviour of the published loader and another.

    Attributes:
        default: of the published loader where published scores depend on it, else what is right.
        what: what is done if it is true.
    """

    default: bool
    what: str


class Dataset(ABC):
    """A dataset in its published layout.

    Class attributes:
        name: of the dataset, and of its folder under a data root.
        splits: names of its splits, as published.
        layout: what its folder contains, in one line for messages.
        source: where it is to be had.
        options: keyword arguments of the constructor that a user may set, by name.
        annotated: whether it tells what sounds, so that it can be learnt from or scored on.
        code: digest of the file of a user's own reader, with which annotations are read anew; "" of
            the package's.
    """

    name: str
    splits: ClassVar[tuple[str, ...]]
    layout: ClassVar[str]
    source: ClassVar[Source]
    options: ClassVar[Mapping[str, Option]] = {}
    annotated: ClassVar[bool] = True
    code: ClassVar[str] = ""

    def __init__(self, folder: Path) -> None:
        """Open the dataset in its own ``folder``; nothing is read yet."""
        self.folder = Path(folder)

    def tracks(self, split: str) -> tuple[Track, ...]:
        """List the tracks of a split, sorted by name; whether their files exist is not yet known.

        Raises:
            UserError: the folder is missing, is laid out differently or has no such tracks.
            DataError: an index of it is unusable, or whole tracks of the split are missing.
        """
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}: it has {', '.join(self.splits)}")
        self._require(self.folder)
        with self._faults_told():
            tracks = self._tracks(split)
        if not tracks:
            raise UserError(
                f"{self.folder}: no tracks of split {split!r}; expected layout: {self._shown()}"
            )
        return tuple(sorted(tracks, key=lambda track: track.name))

    def files(self, track: Track) -> list[Path]:
        """Return every file that belongs to a track, its audio first."""
        return [*track.sources]

    def absent(self, tracks: Sequence[Track], split: str = "all") -> list[str]:
        """Return the published recordings that a split lacks, where these are known."""
        return []

    def require_files(self, tracks: Sequence[Track]) -> None:
        """Check that every file of the tracks is there.

        Raises:
            DataError: files are missing; it names the first and tells how many there are.
        """
        listing.require_all([path for t in tracks for path in self.files(t)], self._shown())

    def annotation(self, track: Track) -> Annotation | None:
        """Read what sounds in a track, timed from the track's start; None if nothing tells.

        Raises:
            DataError: the annotation does not parse, or does not fit the track's audio.
        """
        with self._faults_told():
            annotation = self._annotation(track)
        if not isinstance(annotation, Annotation | None):
            found = type(annotation).__name__
            raise DataError(f"dataset {self.name}: _annotation returned {found}, not an Annotation")
        if annotation is not None:
            check_fit(annotation, audio.duration(track.audio), track.audio)
            if track.start or track.seconds is not None:
                annotation = annotation.clipped(track.start, track.seconds)
        return annotation

    @abstractmethod
    def _tracks(self, split: str) -> list[Track]:
        """List the tracks of a known split of an existing folder, in any order."""

    @abstractmethod
    def _annotation(self, track: Track) -> Annotation | None:
        """Read the annotation of a track's whole audio file."""

    @contextmanager
    def _faults_told(self) -> Iterator[None]:
        """Turn what a user's own reader raises into a line, with the place in it."""
        try:
            yield
        except Exception as error:
            if isinstance(error, UserError | OSError) or not self.code:
                raise
            raise DataError(f"dataset {self.name}: {told(error, traceback.format_exc())}") from None

    def _track(self, name: str, path: Path) -> Track:
        return Track(self.name, name, path)

    def _require(self, path: Path) -> None:
        """Check that a file or folder of the layout is there."""
        listing.require(path, self._shown())

    def _shown(self) -> str:
        """Return the layout as messages show it."""
        return f"{self.name}/{self.layout}"
