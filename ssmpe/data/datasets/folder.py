"""Folders of any audio files, annotated or not: a user's own recordings."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import soundfile

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track
from ssmpe.data.files.annotation import Annotation
from ssmpe.data.files.jams import read_jams
from ssmpe.data.files.midi import read_notes
from ssmpe.data.files.ragged import read_ragged
from ssmpe.errors import DataError, UserError

AUDIO_SUFFIXES = frozenset(
    # files without a header do not tell their sample rate
    {f".{name.lower()}" for name in soundfile.available_formats() if name != "RAW"}
    | {".aif", ".aifc", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".snd", ".wav", ".wave"}
)
"""Lower-case suffixes of audio files"""

READERS: dict[str, Callable[[Path], Annotation]] = {
    **dict.fromkeys((".txt", ".csv", ".f0"), read_ragged),
    **dict.fromkeys((".mid", ".midi"), read_notes),
    ".jams": read_jams,
}
"""How an annotation is read, by its lower-case suffix"""


class Folder(Dataset):
    """All audio files below a folder, at any depth; drums without pitch are as welcome.

    A track is named by its path below the folder, with "/" and its suffix. Linked folders are
    followed, but every folder is entered once, however many links lead there. Names that begin
    with a dot (hidden files, the copies ``._*`` that macOS makes) are left out.

    What sounds in ``X.wav`` may be told by a file beside it: by F0s over time, as ``mir_eval``
    writes them, in ``X.txt``, ``X.csv`` or ``X.f0``, by notes in ``X.mid`` or ``X.midi``, or by
    ``X.jams``. The split "annotated" has the recordings that have such a file; none may have two.
    In the split "all", annotations do no harm as long as nobody asks for them.

    The folder is looked through once in the life of an object.
    """

    splits: ClassVar[tuple[str, ...]] = ("all", "annotated")
    layout: ClassVar[str] = (
        "X.{wav,flac,mp3,ogg,…} at any depth, annotated by X.{txt,csv,f0,mid,midi,jams} beside it"
    )
    source: ClassVar[Source] = Source(url="", size="", licence="", unpack="")

    def __init__(self, name: str, folder: Path) -> None:
        """Open a folder that the user calls ``name``; nothing is read yet."""
        super().__init__(folder)
        self.name = name

    def _tracks(self, split: str) -> list[Track]:
        paths = list(self._beside)
        if split == "annotated":
            paths = [path for path in paths if self._annotation_path(path)]
        names = [path.relative_to(self.folder).as_posix() for path in paths]
        return [
            self._track(listing.readable(name), path)
            for name, path in zip(names, paths, strict=True)
        ]

    def files(self, track: Track) -> list[Path]:
        """Return the recording, and the annotation if there is one."""
        return [track.audio, *self._beside.get(track.audio, ())]

    def _annotation(self, track: Track) -> Annotation | None:
        path = self._annotation_path(track.audio)
        return READERS[path.suffix.lower()](path) if path else None

    def _annotation_path(self, audio: Path) -> Path | None:
        beside = self._beside.get(audio, ())
        if len(beside) > 1:
            raise DataError(
                f"{beside[0]} and {beside[1]}: two annotations of one recording; keep one of them"
            )
        return beside[0] if beside else None

    @cached_property
    def _beside(self) -> dict[Path, tuple[Path, ...]]:
        """Annotations that lie beside each recording."""
        found: dict[Path, tuple[Path, ...]] = {}
        for folder, names in _walk(self.folder):
            split_names = [os.path.splitext(name) for name in names]
            annotations: dict[str, list[Path]] = defaultdict(list)
            for stem, suffix in split_names:
                if suffix.lower() in READERS:
                    annotations[stem].append(folder / f"{stem}{suffix}")
            for stem, suffix in split_names:
                if suffix.lower() in AUDIO_SUFFIXES:
                    found[folder / f"{stem}{suffix}"] = tuple(annotations[stem])
        return found


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Visit every folder from ``root`` down, with the sorted names of its files.

    Raises:
        UserError: a folder cannot be listed.
    """
    # a link to a folder above is a loop as well
    entered = {_identity(folder) for folder in root.resolve().parents}
    folders, links = [root], list[Path]()
    while folders or links:
        # links last: a folder that lies within the root goes by its own name
        here = folders.pop() if folders else links.pop(0)
        try:
            if (identity := _identity(here)) in entered:
                continue
            entered.add(identity)
            with os.scandir(here) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            raise UserError(f"{here}: cannot be listed ({error.strerror})") from None
        names = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            # a link is asked for by its path, which links to themselves survive
            if entry.is_symlink() and os.path.isdir(entry.path):
                links.append(here / entry.name)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(here / entry.name)
            else:
                names.append(entry.name)
        yield here, names


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
