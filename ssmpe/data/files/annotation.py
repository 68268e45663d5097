"""Annotations: what sounds in a track, and which of it is active at a given time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssmpe.errors import DataError
from ssmpe.units import Floats

FIT_TOLERANCE = 1.0
"""Seconds by which an annotation may reach beyond the end of its audio.

Sound annotations do reach beyond it: grids end up to two hops (12 ms) after the last sample of
GuitarSet, and the two of its tracks that are annotated late (by up to 0.41 s) stay within half a
second. An annotation of another recording, or in another unit, misses by more than a second.
"""
LOWEST_SCORED, HIGHEST_SCORED, LATEST_SCORED = 20.0, 5_000.0, 30_000.0
"""Lowest and highest F0 in Hz, and latest time in s, that can be scored: mir_eval's limits"""


@dataclass(frozen=True)
class MultiPitch:
    """Fundamental frequencies over time.

    Attributes:
        times: (N,) seconds, strictly increasing.
        f0s: for each time the F0s that sound then, in Hz, in no particular order; parts in unison
            count once each, as in the published evaluation.
    """

    times: Floats
    f0s: tuple[Floats, ...]

    def __post_init__(self) -> None:
        if len(self.times) != len(self.f0s):
            raise ValueError(f"{len(self.times)} times for {len(self.f0s)} frames of F0s")
        if not np.all(np.diff(self.times) > 0):
            raise ValueError("times are not strictly increasing")


@dataclass(frozen=True)
class NoteAnnotation:
    """Notes of constant pitch, active for onset ≤ t < offset; scored on the model's frames.

    Attributes:
        onsets, offsets: (notes,) seconds, each onset before its offset.
        f0s: (notes,) Hz.
    """

    onsets: Floats
    offsets: Floats
    f0s: Floats

    def __post_init__(self) -> None:
        if not len(self.onsets) == len(self.offsets) == len(self.f0s):
            raise ValueError("onsets, offsets and F0s differ in number")
        if not np.all(self.onsets < self.offsets):
            raise ValueError("a note ends before it begins")

    @property
    def grid(self) -> None:
        """None: notes have no grid of their own."""
        return None

    @classmethod
    def united(cls, parts: "Sequence[NoteAnnotation]") -> "NoteAnnotation":
        """Unite the notes of one part or more, in the order given."""
        columns = ([getattr(part, name) for part in parts] for name in ("onsets", "offsets", "f0s"))
        return cls(*map(np.concatenate, columns))

    @property
    def notes(self) -> "NoteAnnotation":
        """The notes that notes are scored by: these."""
        return self

    @property
    def span(self) -> tuple[float, float]:
        """First onset and last offset in seconds; (0, 0) without notes."""
        if not len(self.onsets):
            return 0.0, 0.0
        return float(self.onsets.min()), float(self.offsets.max())

    def clipped(self, start: float, seconds: float | None) -> "NoteAnnotation":
        """Return what of the notes sounds in a stretch, timed from its start.

        Args:
            start, seconds: the stretch, as ``Track`` has it.
        """
        end = np.inf if seconds is None else start + seconds
        inside = (self.onsets < end) & (self.offsets > start)
        onsets = np.maximum(self.onsets[inside], start) - start
        offsets = np.minimum(self.offsets[inside], end) - start
        return NoteAnnotation(onsets, offsets, self.f0s[inside])

    def at(self, times: Floats) -> MultiPitch:
        """Return the F0s of the notes active at each of ``times`` (in s, strictly increasing)."""
        first = np.searchsorted(times, self.onsets, side="left")
        stop = np.searchsorted(times, self.offsets, side="left")
        frames = _ranges(first, stop)
        f0s = np.repeat(self.f0s, stop - first)
        order = np.argsort(frames, kind="stable")
        ends = np.searchsorted(frames[order], np.arange(1, len(times)))
        return MultiPitch(times, tuple(np.split(f0s[order], ends)) if len(times) else ())


@dataclass(frozen=True)
class FrameAnnotation:
    """F0s observed on the annotators' own time grid, which is also the grid they are scored on.

    Attributes:
        observed: the annotated frames, at least one.
        notes: what was played, where the annotators tell that as well; notes are scored by it, and
            nothing else is. None: they do not.
    """

    observed: MultiPitch
    notes: NoteAnnotation | None = None

    def __post_init__(self) -> None:
        if not len(self.observed.times):
            raise ValueError("an annotation of no frames")

    @classmethod
    def from_parts(
        cls, times: Floats, f0: Floats, notes: NoteAnnotation | None = None
    ) -> "FrameAnnotation":
        """Unite parts on one grid: times (N,) in s, f0 (parts, N) in Hz, 0 where silent."""
        return cls(MultiPitch(times, tuple(frame[frame > 0] for frame in f0.T)), notes)

    @property
    def grid(self) -> Floats:
        """Times to score at: (N,) seconds."""
        return self.observed.times

    @property
    def span(self) -> tuple[float, float]:
        """First and last annotated time in seconds."""
        return float(self.grid[0]), float(self.grid[-1])

    def clipped(self, start: float, seconds: float | None) -> "FrameAnnotation":
        """Return the frames of a stretch, timed from its start.

        Args:
            start, seconds: the stretch, as ``Track`` has it.
        """
        end = np.inf if seconds is None else start + seconds
        kept = np.flatnonzero((self.grid >= start) & (self.grid < end))
        f0s = tuple(self.observed.f0s[i] for i in kept)
        notes = None if self.notes is None else self.notes.clipped(start, seconds)
        return FrameAnnotation(MultiPitch(self.grid[kept] - start, f0s), notes)

    def at(self, times: Floats) -> MultiPitch:
        """Return the F0s of the frame that is nearest to each of ``times``, the earlier of two.

        The first and the last frame are held beyond the ends.
        """
        halfway = (self.grid[1:] + self.grid[:-1]) / 2
        nearest = np.searchsorted(halfway, times, side="left")
        return MultiPitch(times, tuple(self.observed.f0s[i] for i in nearest))


Annotation = FrameAnnotation | NoteAnnotation


def check_fit(annotation: Annotation, duration: float, where: object) -> None:
    """Check that an annotation can belong to audio of ``duration`` seconds.

    Args:
        where: what to name in the message, normally the path of the audio.

    Raises:
        DataError: it begins after the audio has ended, or before it begins, or reaches more than
            ``FIT_TOLERANCE`` beyond its end.
    """
    start, end = annotation.span
    if start < -FIT_TOLERANCE or start > duration or end > duration + FIT_TOLERANCE:
        raise DataError(
            f"{where}: the annotation spans {start:.3f} to {end:.3f} s but the audio only "
            f"0 to {duration:.3f} s; do the two files belong together?"
        )


def check_scorable(f0s: Floats, end: float) -> None:
    """Check that pitches can be scored.

    Args:
        f0s: all of them, in Hz.
        end: last of their times, in seconds.

    Raises:
        ValueError: a pitch or a time is beyond mir_eval's limits.
    """
    if not end <= LATEST_SCORED:
        raise ValueError(f"times up to {LATEST_SCORED:g} s can be scored, not {end:g} s")
    if len(wrong := f0s[~((f0s >= LOWEST_SCORED) & (f0s <= HIGHEST_SCORED))]):
        raise ValueError(
            f"pitches of {LOWEST_SCORED:g} to {HIGHEST_SCORED:g} Hz can be scored, "
            f"not {wrong[0]:g} Hz"
        )


def _ranges(first: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate ``range(first[i], stop[i])`` for all i."""
    lengths = stop - first
    begins = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(first - begins, lengths)
