"""Files in the folder of an audio store."""

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.files.resampling import Samples

OFFSETS = "offsets.npy"
"""File of the samples at which tracks begin, (tracks + 1,); skipped tracks are empty"""
TRACKS = "tracks.json"
"""File of name, path below the dataset's folder, start, seconds of every track given

What follows are the paths of a track's ``others``.
"""
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


def relative(path: Path, folder: Path) -> str:
    """Return a path below the dataset's folder; the whole path of a file outside it."""
    return str(path).removeprefix(f"{folder}{os.sep}")


def write_tables(
    store: Path,
    tracks: Sequence[Track],
    folder: Path,
    entries: Sequence[Entry],
    sample_rate: int,
    sample_format: str,
) -> None:
    """Write everything of a store but its samples."""
    paths = [relative(track.audio, folder) for track in tracks]
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
    table = [
        (t.name, path, t.start, t.seconds, *(relative(other, folder) for other in t.others))
        for t, path in zip(tracks, paths, strict=True)
    ]
    buffer = io.BytesIO()  # np.save to a file hides why it could not write
    np.save(buffer, offsets)
    tables = {
        SKIPPED: json.dumps(report, indent=1).encode(),
        TRACKS: json.dumps(table, separators=(",", ":")).encode(),
        OFFSETS: buffer.getvalue(),
    }
    for name, content in tables.items():
        write_bytes(store / name, content)
    index["digest"] = _digest(index, tables)
    write_bytes(store / INDEX, json.dumps(index, indent=1).encode())


def intact(store: Path) -> bool:
    """Tell whether a whole store lies there: it is moved there whole, but may be damaged since.

    Tables are as they were written; of samples, only the number is checked: to read all of a large
    set takes minutes. Stores of version 0.3.0 have no digest, and tables that agree count as whole.
    """
    try:
        index = json.loads((store / INDEX).read_text())
        digest = index.pop("digest", None)
        tables = {name: (store / name).read_bytes() for name in (SKIPPED, TRACKS, OFFSETS)}
        agree = _agree(index, tables) if digest is None else _digest(index, tables) == digest
        size = (store / FORMATS[index["sample_format"]].audio).stat().st_size
        return bool(agree and size == index["bytes"])
    except Exception:  # readers of damaged files fail in any number of ways
        return False


def _digest(index: Mapping[str, Any], tables: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256(json.dumps(index).encode())
    for content in tables.values():
        digest.update(content)
    return digest.hexdigest()[:20]


def _agree(index: Mapping[str, Any], tables: Mapping[str, bytes]) -> bool:
    """Tell whether tables without a digest are of their form, and of as much as the index says."""
    offsets, report = np.load(io.BytesIO(tables[OFFSETS])), json.loads(tables[SKIPPED])
    tracks, lengths = json.loads(tables[TRACKS]), np.diff(offsets)
    n_bytes = int(offsets[-1]) * FORMATS[index["sample_format"]].dtype.itemsize
    return bool(
        {"dataset", "sample_rate"} <= index.keys()
        and all(map(str.isdecimal, index["sample_rates"]))
        and offsets.dtype == np.int64
        and offsets[0] == 0
        and (lengths >= 0).all()
        and n_bytes == index["bytes"]
        and len(lengths) == index["tracks"] == len(tracks)
        and {len(track) for track in tracks} == {4}
        and len(report["files"]) == report["skipped"] == int((lengths == 0).sum())
        and all({"path", "reason"} <= file.keys() for file in report["files"])
        and isinstance(report["folder"], str)
    )


def read_tracks(store: Path, dataset: str, folder: Path) -> list[Track]:
    """Read all tracks given when the store was built; the dataset lies in ``folder`` now."""
    table = json.loads((store / TRACKS).read_text())
    return [
        Track(
            dataset, name, folder / path, start, seconds, tuple(folder / other for other in others)
        )
        for name, path, start, seconds, *others in table
    ]


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and have the disk take it; some file systems tell only then that it is full."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
