"""Files in the folder of an audio store."""

import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.files.resampling import Samples

OFFSETS = "offsets.npy"
"""File of the samples at which tracks begin, (tracks + 1,); skipped tracks are empty"""
TRACKS = "tracks.json"
"""File of name, path below the dataset's folder, start and seconds of every track given"""
INDEX, SKIPPED = "index.json", "skipped.json"
"""Files of what concerns the store as a whole, and of the tracks that could not be used"""

_FULL_SCALE = 32_767
_BLOCK = 1 << 20
"""Number of samples converted at a time"""


class SampleFormat(NamedTuple):
    """Form in which samples are stored.

    Attributes:
        audio: name of the file with all samples, one track after the other.
        dtype: little-endian.
    """

    audio: str
    dtype: np.dtype[Any]

    def encoded(self, samples: Samples) -> NDArray[Any]:
        """Return samples in [-1, 1] as they are stored."""
        if self.dtype.kind == "f":
            return samples.astype(self.dtype, copy=False)
        stored = np.empty(len(samples), self.dtype)
        for i in range(0, len(samples), _BLOCK):
            scaled = samples[i : i + _BLOCK] * np.float32(_FULL_SCALE)
            stored[i : i + _BLOCK] = np.rint(scaled, out=scaled)
        return stored

    def decoded(self, stored: NDArray[Any]) -> Samples:
        """Return stored samples as float32; of 16 bits they are exact to half a step of 1/32767."""
        if self.dtype.kind == "f":
            return stored
        samples: Samples = np.multiply(stored, np.float32(1 / _FULL_SCALE), dtype=np.float32)
        return samples


FORMATS = {
    "float32": SampleFormat("audio.f32", np.dtype("<f4")),
    "int16": SampleFormat("audio.i16", np.dtype("<i2")),
}


class Entry(NamedTuple):
    """Outcome of decoding a track.

    Attributes:
        n_samples: 0 if it was skipped.
        source_rate: sample rate of its file in Hz; 0 if it was skipped.
        skipped: why, or empty.
    """

    n_samples: int
    source_rate: int = 0
    skipped: str = ""


def relative(tracks: Sequence[Track], folder: Path) -> list[str]:
    """Return audio paths below the dataset's folder; whole paths of files outside it."""
    prefix = f"{folder}{os.sep}"
    return [str(track.audio).removeprefix(prefix) for track in tracks]


def write_tables(
    store: Path,
    tracks: Sequence[Track],
    folder: Path,
    entries: Sequence[Entry],
    sample_rate: int,
    sample_format: str,
) -> None:
    """Write everything of a store but its samples."""
    paths = relative(tracks, folder)
    offsets = np.cumsum([0, *(entry.n_samples for entry in entries)], dtype=np.int64)
    rates = Counter(entry.source_rate for entry in entries if not entry.skipped)
    index = {
        "dataset": tracks[0].dataset,
        "tracks": len(tracks),
        "sample_rate": sample_rate,
        "sample_format": sample_format,
        "bytes": int(offsets[-1]) * FORMATS[sample_format].dtype.itemsize,
        "sample_rates": {str(rate): rates[rate] for rate in sorted(rates)},
    }
    bad = [
        {"path": str(folder / path), "reason": entry.skipped}
        for path, entry in zip(paths, entries, strict=True)
        if entry.skipped
    ]
    report = {"skipped": len(bad), "tracks": len(tracks), "folder": str(folder), "files": bad}
    table = [(t.name, path, t.start, t.seconds) for t, path in zip(tracks, paths, strict=True)]
    buffer = io.BytesIO()  # np.save to a file hides why it could not write
    np.save(buffer, offsets)
    write_bytes(store / SKIPPED, json.dumps(report, indent=1).encode())
    write_bytes(store / TRACKS, json.dumps(table, separators=(",", ":")).encode())
    write_bytes(store / OFFSETS, buffer.getvalue())
    write_bytes(store / INDEX, json.dumps(index, indent=1).encode())


def read_tracks(store: Path, dataset: str, folder: Path) -> list[Track]:
    """Read all tracks given when the store was built; the dataset lies in ``folder`` now."""
    table = json.loads((store / TRACKS).read_text())
    return [Track(dataset, name, folder / path, *clip) for name, path, *clip in table]


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and have the disk take it; some file systems tell only then that it is full."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
