"""JAMS documents: pitch contours on a grid, or notes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssmpe.data.files.annotation import (
    FIT_TOLERANCE,
    Annotation,
    FrameAnnotation,
    MultiPitch,
    NoteAnnotation,
)
from ssmpe.data.files.parsing import MAX_F0, read_json
from ssmpe.errors import DataError
from ssmpe.units import hz_to_midi, midi_to_hz

NOTES = {"note_midi": True, "note_hz": False, "pitch_midi": True}
"""Namespaces of notes -> whether values are MIDI numbers; the first that is there counts"""

MAX_BYTES = 1 << 27
"""Bytes of the largest file that is read: an hour of one voice, written out at length

While it is parsed, a file takes up to 25 times its size of memory.
"""
_MAX_DURATION = 1e9
"""Longest duration in seconds that a document may claim"""
_MAX_FRAMES = 1 << 24
"""Frames of the longest grid: a day of frames of 5 ms; more would only exhaust the memory"""
_SHORTEST_HOP, _USUAL_HOP = 0.001, 0.010
"""Seconds between frames: the least that is believed, and that of contours that do not tell"""


@dataclass(frozen=True)
class _Document:
    """What is used of a JAMS file: duration in s, and namespace and data of every annotation."""

    path: Path
    duration: float
    annotations: list[tuple[str, Any]]

    def of(self, namespace: str, *fields: str) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
        """Yield each annotation of a namespace: its name in messages, its observations' fields."""
        data = (data for name, data in self.annotations if name == namespace)
        for number, observations in enumerate(data, start=1):
            where = f"{self.path}: {namespace} {number}"
            yield where, _observations(observations, where, fields)

    def has(self, namespace: str) -> bool:
        """Tell whether there is an annotation of this namespace, empty or not."""
        return any(name == namespace for name, _ in self.annotations)


def read_jams(path: Path) -> Annotation:
    """Read the pitch contours of a JAMS file if it has any, else its notes.

    Notes are those of the first namespace of ``NOTES`` that there is. Annotations of one namespace
    (one per string or player) are united.

    Raises:
        DataError: it is no JAMS file with such annotations, or has values that are no pitches.
    """
    document = _read(path)
    if document.has("pitch_contour"):
        return _on_grid(document, None, 0.0)
    for namespace, is_midi in NOTES.items():
        if document.has(namespace):
            return _notes(document, namespace, is_midi)
    raise DataError(f"{path}: no annotation of namespace {', '.join(('pitch_contour', *NOTES))}")


def read_pitch_contours(path: Path, hop: float, late_by: float = 0.0) -> FrameAnnotation:
    """Read the voiced observations of all pitch contours, each at the nearest frame of a grid.

    Where there are notes of MIDI numbers beside them, these are read as well.

    Args:
        hop: seconds between the grid's frames, of which there are ceil(duration / hop) + 1.
        late_by: seconds to subtract from all times; what then lies before 0 begins there.

    Raises:
        DataError: it is no JAMS file with pitch contours, or has values that are no pitches.
    """
    document = _read(path)
    if not document.has("pitch_contour"):
        raise DataError(f"{path}: no annotation of namespace 'pitch_contour'")
    contours = _on_grid(document, hop, late_by)
    if not any(observations for _, observations in document.of("note_midi", "time")):
        return contours
    notes = _notes(document, "note_midi", is_midi=True)
    late = NoteAnnotation(notes.onsets - late_by, notes.offsets - late_by, notes.f0s)
    return FrameAnnotation(contours.observed, late.clipped(0.0, None))


def _read(path: Path) -> _Document:
    jams = read_json(path, MAX_BYTES)
    try:
        duration = _number(jams["file_metadata"]["duration"], 0, _MAX_DURATION)
        annotations = [(a["namespace"], a["data"]) for a in jams["annotations"]]
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not JAMS with a duration and annotations ({error})") from None
    return _Document(path, duration, annotations)


def _on_grid(document: _Document, hop: float | None, late_by: float) -> FrameAnnotation:
    """Put contours on a grid from 0 with ``hop``; without it, on one found from their times."""
    contours = [
        np.array(list(_voiced(observations, document.duration, where))).reshape(-1, 2)
        for where, observations in document.of("pitch_contour", "time", "value")
    ]
    start = 0.0
    if hop is None:
        hop, start = _grid_of([contour[:, 0] for contour in contours])
    n_frames = math.ceil(document.duration / hop) + 1
    if n_frames > _MAX_FRAMES:
        raise DataError(
            f"{document.path}: a duration of {document.duration:g} s is too long for contours "
            f"every {hop:g} s"
        )
    sounding: dict[int, list[float]] = {}
    for time, frequency in np.concatenate(contours).tolist():
        frame = round((time - start - late_by) / hop)
        sounding.setdefault(min(max(frame, 0), n_frames - 1), []).append(frequency)
    f0s = [np.empty(0)] * n_frames  # silent frames take no memory
    for frame, frequencies in sounding.items():
        f0s[frame] = np.array(frequencies)
    return FrameAnnotation(
        MultiPitch(start + hop * np.arange(n_frames, dtype=np.float64), tuple(f0s))
    )


def _grid_of(contours: list[Any]) -> tuple[float, float]:
    """Return hop and first time, in s, of the grid that the times of contours were taken from."""
    steps = np.concatenate([np.diff(times) for times in contours])
    steps = steps[steps > 0]
    hop = _USUAL_HOP
    if len(steps):  # most of them are one hop, and some of any length
        hop = max(float(np.quantile(steps, 0.5, method="lower")), _SHORTEST_HOP)
    times = np.concatenate(contours)
    return hop, float(times.min() % hop) if len(times) else 0.0


def _notes(document: _Document, namespace: str, is_midi: bool) -> NoteAnnotation:
    highest = float(hz_to_midi(MAX_F0)) if is_midi else MAX_F0
    latest = document.duration + FIT_TOLERANCE
    notes = []
    for where, observations in document.of(namespace, "time", "duration", "value"):
        for number, (time, length, value) in enumerate(observations, start=1):
            try:
                onset, seconds = _number(time, 0, latest), _number(length, 0, latest)
                pitch = _number(value, 0, highest)
            except (TypeError, ValueError) as error:
                raise DataError(f"{where}, observation {number}: {error}") from None
            if onset + seconds <= onset or (pitch == 0 and not is_midi):
                raise DataError(
                    f"{where}, observation {number}: a note of {seconds:g} s, {pitch:g}"
                )
            notes.append((onset, onset + seconds, pitch))
    if not notes:
        raise DataError(f"{document.path}: no notes in its annotations of namespace '{namespace}'")
    onsets, offsets, pitches = np.array(notes, dtype=np.float64).T
    return NoteAnnotation(onsets, offsets, midi_to_hz(pitches) if is_midi else pitches)


def _voiced(
    observations: list[tuple[Any, ...]], duration: float, where: str
) -> Iterator[tuple[float, float]]:
    """Yield times in s and F0s in Hz of a contour's voiced observations."""
    for number, (time, value) in enumerate(observations, start=1):
        try:
            if not value["voiced"]:
                continue
            seconds = _number(time, 0, duration + FIT_TOLERANCE)
            frequency = _number(value["frequency"], 0, MAX_F0)
        except KeyError as error:
            raise DataError(f"{where}, observation {number}: no {error}") from None
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(f"{where}, observation {number}: {error}") from None
        if frequency > 0:
            yield seconds, frequency


def _observations(data: Any, where: str, fields: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Return the fields of each observation; JAMS stores them by column or by row."""
    try:
        if isinstance(data, dict):
            return list(zip(*(data[field] for field in fields), strict=True))
        return [tuple(observation[field] for field in fields) for observation in data]
    except (LookupError, TypeError, ValueError) as error:
        wanted = ", ".join(fields)
        raise DataError(f"{where}: no observations with {wanted} ({error})") from None


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.40} is not a number")
    if not low <= value <= high:
        raise ValueError(f"{value!r:.40} is not a number from {low:g} to {high:g}")
    return float(value)
