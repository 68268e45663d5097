"""Inspection of the audio files of a set, by their headers and a few blocks of each."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.datasets.listing import files_key
from ssmpe.data.files.audio import AudioFile
from ssmpe.errors import DataError
from ssmpe.units import Floats

FORMAT = 1
"""Version of what is kept in the cache; to be raised when inspections come out otherwise"""

Progress = Callable[[int, int], None]
"""Function that is called with tracks inspected and tracks in all"""

_BLOCK = 4096
"""Bytes of each of the blocks that a fingerprint is made of"""
_N_THREADS = 8


@dataclass(frozen=True)
class Inspection:
    """Findings about the audio of some tracks.

    Attributes:
        seconds: (N,) duration of each track; 0 where the file is unreadable.
        sample_rates: (N,) of the files, in Hz.
        fingerprints: (N,) of the files' sizes and of samples of their content; equal for equal
            files, and hardly ever for others; 0 where there is none to compare.
        errors: index of a track -> why its file is unreadable.
    """

    seconds: Floats
    sample_rates: NDArray[np.int64]
    fingerprints: NDArray[np.uint64]
    errors: Mapping[int, str]

    @property
    def hours(self) -> float:
        """Duration of all readable tracks."""
        return float(self.seconds.sum() / 3600)


def inspect(
    tracks: Sequence[Track], folder: Path, cache: Path, progress: Progress | None = None
) -> Inspection:
    """Inspect the audio files of tracks, or recall what was seen when they were the same files.

    Args:
        folder: of the dataset.
    """
    stretches = [(t.name, t.start, t.seconds) for t in tracks]
    key = files_key((FORMAT, stretches), [path for t in tracks for path in t.sources], folder)
    path = cache / "inspections" / f"{key}.npz"
    found = _load(path)
    if found is None:
        found = _inspect(tracks, progress)
        _save(path, found)
    return found


def same_files(fingerprints: Mapping[Path, int]) -> list[list[Path]]:
    """Return groups of different files of the same content; groups and files are sorted.

    Args:
        fingerprints: of the files; files of equal fingerprints are read as a whole.
    """
    candidates: dict[int, set[Path]] = {}
    for path, fingerprint in fingerprints.items():
        candidates.setdefault(fingerprint, set()).add(path)
    groups: dict[bytes, set[Path]] = {}
    for some in candidates.values():
        # a file listed by another way as well (a link) is one file
        real = {os.path.realpath(path): path for path in sorted(some)}
        if len(real) > 1:
            for path in real.values():
                groups.setdefault(_digest(path), set()).add(path)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def _inspect(tracks: Sequence[Track], progress: Progress | None) -> Inspection:
    seconds, rates, fingerprints = [], [], []
    errors: dict[int, str] = {}
    with ThreadPoolExecutor(_N_THREADS, "inspect") as pool:
        for i, found in enumerate(pool.map(_look_at, tracks, chunksize=64)):
            if isinstance(found, str):
                errors[i], found = found, (0.0, 0, 0)
            seconds.append(found[0])
            rates.append(found[1])
            fingerprints.append(found[2])
            if progress:
                progress(i + 1, len(tracks))
    return Inspection(
        np.array(seconds), np.array(rates, np.int64), np.array(fingerprints, np.uint64), errors
    )


def _look_at(track: Track) -> tuple[float, int, int] | str:
    """Return duration in s, sample rate and fingerprint of a track; or what is wrong with it."""
    try:
        with AudioFile(*track.sources) as file:
            length, sample_rate = file.seconds - track.start, file.sample_rate
        if track.seconds is not None:
            length = min(length, track.seconds)
        # a mixture is no copy of any file
        return length, sample_rate, 0 if track.others else _fingerprint(track.audio)
    except DataError as error:
        return str(error)
    except OSError as error:
        return f"{track.audio}: cannot be read ({error.strerror})"


def _fingerprint(path: Path) -> int:
    digest = hashlib.blake2b(digest_size=8)
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(size.to_bytes(8, "big"))
        for start in (0, size // 3, 2 * size // 3):
            file.seek(start)
            digest.update(file.read(_BLOCK))
    return int.from_bytes(digest.digest(), "big")


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def _load(path: Path) -> Inspection | None:
    try:
        with np.load(path, allow_pickle=False) as saved:
            errors = dict(zip(saved["bad"].tolist(), saved["reasons"].tolist(), strict=True))
            return Inspection(saved["seconds"], saved["rates"], saved["fingerprints"], errors)
    except Exception:  # not yet there, or damaged, in any number of ways
        return None


def _save(path: Path, found: Inspection) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial.npz")
    np.savez(
        partial,
        seconds=found.seconds,
        rates=found.sample_rates,
        fingerprints=found.fingerprints,
        bad=np.array(list(found.errors), np.int64),
        reasons=np.array(list(found.errors.values()), str),
    )
    partial.replace(path)
