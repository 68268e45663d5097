"""Annotations of a whole set, parsed once and kept as arrays until a file changes."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssmpe.data.datasets.dataset import Dataset, Track
from ssmpe.data.datasets.listing import files_key
from ssmpe.data.files.annotation import Annotation, FrameAnnotation, MultiPitch, NoteAnnotation

FORMAT = 2
"""Version of what is kept in the cache; to be raised when files would be read otherwise"""

Annotations = tuple[Annotation | None, ...]
Progress = Callable[[int, int], None]
"""Function that is called with tracks parsed and tracks in all"""

_NONE, _FRAMES, _NOTES = range(3)


def annotations_key(dataset: Dataset, tracks: Sequence[Track], options: Mapping[str, bool]) -> str:
    """Return the key of the annotations of these tracks, read with these options."""
    stretches = [(t.name, t.start, t.seconds) for t in tracks]
    files = [path for track in tracks for path in dataset.files(track)]
    own = (dataset.code,) if dataset.code else ()
    return files_key((FORMAT, dataset.name, dict(options), stretches, *own), files, dataset.folder)


def load_annotations(cache: Path, key: str) -> Annotations | None:
    """Load the annotations kept under a key; None if there are none, or they are damaged."""
    try:
        with np.load(_path(cache, key), allow_pickle=False) as saved:
            return _unpacked({name: saved[name] for name in saved.files})
    except Exception:  # the reader of a damaged file fails in any number of ways
        return None


def save_annotations(cache: Path, key: str, annotations: Annotations) -> None:
    """Keep annotations under a key; the file appears whole or not at all."""
    path = _path(cache, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{key}.{os.getpid()}.partial.npz")
    np.savez(partial, allow_pickle=False, **_packed(annotations))
    partial.replace(path)


def _path(cache: Path, key: str) -> Path:
    return cache / "annotations" / f"{key}.npz"


def _packed(annotations: Annotations) -> dict[str, NDArray]:
    """Join all arrays of all annotations, and note how long each is."""
    frames = [a.observed for a in annotations if isinstance(a, FrameAnnotation)]
    notes = [a.notes for a in annotations if a is not None and a.notes is not None]
    return {
        "kinds": np.array([_kind(a) for a in annotations], np.int8),
        "noted": np.array([a is not None and a.notes is not None for a in annotations], bool),
        "n_frames": np.array([len(m.times) for m in frames], np.int64),
        "times": _joined([m.times for m in frames]),
        "n_f0s": np.array([len(f) for m in frames for f in m.f0s], np.int64),
        "frame_f0s": _joined([f for m in frames for f in m.f0s]),
        "n_notes": np.array([len(a.onsets) for a in notes], np.int64),
        "onsets": _joined([a.onsets for a in notes]),
        "offsets": _joined([a.offsets for a in notes]),
        "note_f0s": _joined([a.f0s for a in notes]),
    }


def _unpacked(saved: Mapping[str, NDArray]) -> Annotations:
    f0s = _parts(saved["frame_f0s"], saved["n_f0s"])
    last = np.cumsum(saved["n_frames"])
    frames = iter(
        MultiPitch(times, tuple(f0s[stop - len(times) : stop]))
        for times, stop in zip(_parts(saved["times"], saved["n_frames"]), last, strict=True)
    )
    columns = [_parts(saved[name], saved["n_notes"]) for name in ("onsets", "offsets", "note_f0s")]
    all_notes = iter([NoteAnnotation(*note) for note in zip(*columns, strict=True)])
    found: list[Annotation | None] = []
    for kind, noted in zip(saved["kinds"].tolist(), saved["noted"].tolist(), strict=True):
        notes = next(all_notes) if noted else None
        found.append(FrameAnnotation(next(frames), notes) if kind == _FRAMES else notes)
    return tuple(found)


def _kind(annotation: Annotation | None) -> int:
    if annotation is None:
        return _NONE
    return _FRAMES if isinstance(annotation, FrameAnnotation) else _NOTES


def _joined(arrays: Sequence[NDArray]) -> NDArray:
    return np.concatenate(arrays) if arrays else np.empty(0)


def _parts(joined: NDArray, lengths: NDArray) -> list[NDArray]:
    return np.split(joined, np.cumsum(lengths)[:-1]) if len(lengths) else []
