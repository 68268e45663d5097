"""Decoded audio of a set in one memory-mapped file, built once and shared by every process."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssmpe.data.audio import Samples
from ssmpe.data.cache import writable
from ssmpe.data.dataset import Track
from ssmpe.data.store_build import AUDIO, INDEX, OFFSETS, SKIPPED, Progress, build, locked
from ssmpe.errors import DataError

FORMAT = 1
"""To be raised when the same files would be stored otherwise"""


class Skipped(NamedTuple):
    """A file that could not be used, and why."""

    path: str
    reason: str


class AudioStore:
    """Decoded tracks of a set, to be had from ``AudioStore.open``.

    Attributes:
        folder: where it lies; its ``skipped.json`` lists the skipped files.
        sample_rate: Hz
        tracks: the usable tracks, in the order given.
        skipped: the unusable ones.
    """

    def __init__(self, folder: Path, tracks: Sequence[Track], sample_rate: int) -> None:
        """Load the store of ``tracks`` that lies in ``folder``; opens no track by itself."""
        self.folder = folder
        self.sample_rate = sample_rate
        self._given = tracks
        report = json.loads((folder / SKIPPED).read_text())
        self.skipped = tuple(Skipped(e["path"], e["reason"]) for e in report["files"])
        offsets = np.load(folder / OFFSETS)
        kept = np.flatnonzero(np.diff(offsets))
        self.tracks = tuple(tracks[i] for i in kept.tolist())
        self._starts, self._stops = offsets[kept], offsets[kept + 1]
        # seen as a plain array: slicing a np.memmap costs microseconds more, every time
        self._samples: Samples = np.asarray(np.memmap(folder / AUDIO, dtype="<f4", mode="r"))

    @classmethod
    def open(
        cls,
        tracks: Sequence[Track],
        cache: Path,
        sample_rate: int,
        *,
        skip_bad: bool,
        progress: Progress | None = None,
    ) -> "AudioStore":
        """The store of these tracks under the folder ``cache``, decoded first if need be.

        A store is found again for as long as its files keep their names, sizes and modification
        times. Of processes that open it at the same time one builds it and the others wait.

        Args:
            sample_rate: Hz
            skip_bad: leave unreadable, empty or NaN audio out (unlabelled sets) instead of
                refusing the set.
            progress: called after every track while the store is built.

        Raises:
            DataError: unusable audio and not ``skip_bad``, or none is usable, or no tracks.
            UserError: ``cache`` is not writable.
            OutOfSpaceError: the disk filled up; nothing is left behind.
        """
        if not tracks:
            raise DataError("no tracks to decode")
        folder = Path(cache) / "audio" / f"{tracks[0].dataset}-{_key(tracks, sample_rate)}"
        if not _intact(folder):
            writable(folder.parent)
            with locked(folder.with_name(f"{folder.name}.lock")):
                if not _intact(folder):
                    build(folder, tracks, sample_rate, skip_bad=skip_bad, progress=progress)
        store = cls(folder, tracks, sample_rate)
        if store.skipped and not skip_bad:
            # built for a use that skips; here every track is needed
            raise DataError(f"{store.skipped[0].path}: {store.skipped[0].reason}")
        return store

    def __len__(self) -> int:
        """Number of usable tracks."""
        return len(self.tracks)

    def audio(self, index: int) -> Samples:
        """Samples of usable track ``index``: a read-only view (N,), peak-normalised, mono."""
        return self._samples[self._starts[index] : self._stops[index]]

    def __reduce__(self) -> tuple[Any, ...]:
        # another process maps the file itself; pickled as it is, it would carry every sample
        return AudioStore, (self.folder, self._given, self.sample_rate)


def _key(tracks: Sequence[Track], sample_rate: int) -> str:
    """Hash of everything the stored samples depend on; the data root may move."""
    paths = [str(track.audio) for track in tracks]
    # what the first and the last in string order share, all of them share
    root = os.path.commonpath([os.path.dirname(min(paths)), os.path.dirname(max(paths))])
    entries = [
        (track.name, path[len(root) :], *_size_and_time(path))
        for track, path in zip(tracks, paths, strict=True)
    ]
    text = json.dumps((FORMAT, sample_rate, entries))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return -1, 0  # decoding will tell what is wrong with it
    return status.st_size, status.st_mtime_ns


def _intact(folder: Path) -> bool:
    """Whether a whole store lies there; it is moved there whole, but may have been damaged."""
    try:
        expected = json.loads((folder / INDEX).read_text())["bytes"]
        return bool((folder / AUDIO).stat().st_size == expected)
    except (OSError, ValueError, LookupError):
        return False
