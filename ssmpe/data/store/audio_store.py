"""Decoded audio of a set in one memory-mapped file, built once and shared by every process."""

import hashlib
import json
import mmap
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.datasets.listing import files_key
from ssmpe.data.files.resampling import Samples
from ssmpe.data.store.build import Progress, build, locked
from ssmpe.data.store.cache import writable
from ssmpe.data.store.layout import FORMATS, INDEX, OFFSETS, SKIPPED, intact, read_tracks
from ssmpe.errors import DataError

FORMAT = 2
"""Version of what is stored; to be raised when the same files would be stored otherwise"""

_RESIDENT_PAGES = 128
"""Pages touched before the process lets go of them; the page cache keeps them"""
_PAGE_BYTES = 2 << 20
"""Bytes that the kernel may map at a touch, however little is read: a large page"""


class Skipped(NamedTuple):
    """File that could not be used, and why."""

    path: str
    reason: str


class AudioStore:
    """Decoded tracks of a set, to be had from ``AudioStore.open`` or ``AudioStore.find``.

    It takes little of a process's memory, however much is read: samples stay in the page cache,
    which all processes share. For example::

        store = AudioStore.open(tracks, dataset.folder, cache_dir(), 22_050, skip_bad=False)
        second = store.read(0, 22_050, 44_100)  # of the first track

    Attributes:
        folder: where it lies; its ``skipped.json`` lists the skipped files.
        key: name of that folder, by which it is found again.
        dataset: name of the dataset.
        sample_rate: Hz
        sample_rates: of the usable files in Hz, and how many have each.
    """

    def __init__(self, store: Path, folder: Path) -> None:
        """Load the store that lies in ``store``, of the dataset in ``folder``; opens no track."""
        self.folder, self._data = store, folder
        self.key = store.name
        index = json.loads((store / INDEX).read_text())
        self.dataset: str = index["dataset"]
        self.sample_rate: int = index["sample_rate"]
        self.sample_rates = {int(rate): n for rate, n in index["sample_rates"].items()}
        offsets = np.load(store / OFFSETS)
        self._kept = np.flatnonzero(np.diff(offsets))
        self._starts, self._stops = offsets[self._kept], offsets[self._kept + 1]
        self._format = FORMATS[index["sample_format"]]
        with open(store / self._format.audio, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._stored = np.frombuffer(self._map, self._format.dtype)
        self._touched = 0

    @classmethod
    def open(
        cls,
        tracks: Sequence[Track],
        folder: Path,
        cache: Path,
        sample_rate: int,
        *,
        skip_bad: bool,
        sample_format: str = "float32",
        progress: Progress | None = None,
    ) -> "AudioStore":
        """Open the store of these tracks in the folder ``cache``; decode them first if need be.

        A store is found again as long as its files keep their names, sizes and modification
        times. If several processes open it at the same time, one builds it and the others wait. A
        build that was killed is continued where it was.

        Args:
            folder: the dataset's own; it may be another one when the store is opened again.
            sample_rate: Hz
            skip_bad: leave unreadable, empty, truncated or NaN audio out (unlabelled sets)
                instead of refusing the set.
            sample_format: of the samples on disk: "float32", or "int16" in half the space.
            progress: called after every track while the store is built.

        Raises:
            DataError: unusable audio and not ``skip_bad``, or none is usable, or no tracks.
            UserError: ``cache`` is not writable, or its disk has not room enough.
            OutOfSpaceError: the disk filled up; what was decoded is kept for the next time.
        """
        if not tracks:
            raise DataError("no tracks to decode")
        key = _key(tracks, folder, sample_rate, sample_format)
        found = cls.find(key, folder, cache)
        if found is None:
            path = _path(key, cache)
            writable(path.parent)
            with locked(path.with_name(f"{key}.lock")):
                if not intact(path):
                    build(
                        path,
                        tracks,
                        folder,
                        sample_rate,
                        sample_format,
                        skip_bad=skip_bad,
                        progress=progress,
                    )
            found = cls(path, folder)
        if not skip_bad and found.skipped:
            # built for a use that skips; here every track is needed
            raise DataError(f"{found.skipped[0].path}: {found.skipped[0].reason}")
        return found

    @classmethod
    def find(cls, key: str, folder: Path, cache: Path) -> "AudioStore | None":
        """Open the store of this key, or return None if it is not there or not whole.

        No file of the dataset is looked at.

        Args:
            folder: the dataset's own, for the paths of ``tracks``.
        """
        path = _path(key, cache)
        return cls(path, folder) if intact(path) else None

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """Usable tracks, in the order given; read when first asked for."""
        tracks = read_tracks(self.folder, self.dataset, self._data)
        return tuple(tracks[i] for i in self._kept.tolist())

    @cached_property
    def skipped(self) -> tuple[Skipped, ...]:
        """Unusable tracks, in the order given."""
        report = json.loads((self.folder / SKIPPED).read_text())
        prefix = f"{report['folder']}{os.sep}"
        return tuple(
            Skipped(str(self._data / entry["path"].removeprefix(prefix)), entry["reason"])
            for entry in report["files"]
        )

    @property
    def hours(self) -> float:
        """Duration of all usable tracks."""
        return len(self._stored) / self.sample_rate / 3600

    @cached_property
    def digest(self) -> str:
        """Hash (20 hexadecimal digits) of the names and lengths of the usable tracks.

        Unlike ``key`` it is the same for copies of a dataset, whenever they were made.
        """
        lengths = (self._stops - self._starts).tolist()
        entries = [(t.name, n) for t, n in zip(self.tracks, lengths, strict=True)]
        text = json.dumps((self.dataset, self.sample_rate, entries))
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def __len__(self) -> int:
        """Return the number of usable tracks."""
        return len(self._starts)

    def n_samples(self, index: int) -> int:
        """Return the length of usable track ``index`` in samples."""
        return int(self._stops[index] - self._starts[index])

    def audio(self, index: int) -> Samples:
        """Read all samples (N,) of usable track ``index``: mono, peak-normalised, read-only."""
        return self.read(index, 0, self.n_samples(index))

    def read(self, index: int, start: int, stop: int) -> Samples:
        """Read samples ``start`` to ``stop`` of usable track ``index``: (stop − start,).

        Args:
            start, stop: 0 ≤ start ≤ stop ≤ length of the track.
        """
        first = self._starts[index]
        stored = self._stored[first + start : first + stop]
        self._touched += 2 + stored.nbytes // _PAGE_BYTES
        if self._touched > _RESIDENT_PAGES:
            self._touched = 0
            self._map.madvise(mmap.MADV_DONTNEED)
        return self._format.decoded(stored)

    def __reduce__(self) -> tuple[Any, ...]:
        # another process maps the file itself; pickled as it is, it would carry every sample
        return AudioStore, (self.folder, self._data)


def _path(key: str, cache: Path) -> Path:
    return Path(cache) / "audio" / key


def _key(tracks: Sequence[Track], folder: Path, sample_rate: int, sample_format: str) -> str:
    """Return a hash of all that the stored samples depend on; the dataset's folder may move."""
    parts = FORMAT, sample_rate, sample_format, [(t.name, t.start, t.seconds) for t in tracks]
    dataset = re.sub(r"[^\w.-]", "_", tracks[0].dataset)
    files = (path for track in tracks for path in track.sources)
    return f"{dataset}-{files_key(parts, files, folder)}"
