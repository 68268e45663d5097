"""Multi-pitch scores of all frames of a track at once: the counts of ``mir_eval.multipitch``.

mir_eval looks for a maximum matching of estimated and reference pitches frame by frame. With one
window for all pitches of a line, the greedy matching is a maximum one: of ascending references,
each takes the lowest free estimate within its window. For if a maximum matching gives the lowest
reference a higher estimate, and this one to a higher reference, the two can be exchanged: both ends
of the windows ascend with the references. So a step per voice matches all frames, and the windows'
bounds, in mir_eval's own arithmetic, make the counts equal to its, not close.

Counts at all thresholds cost about as much as at one. As a threshold falls past a peak, the size of
a frame's maximum matching grows by one or stays: sets of estimates that can be matched at once are
a matroid. So whichever threshold is asked for later, the matched pairs are the peaks above it at
which the matching grew. Where no other window shares a bin with that of a reference pitch, it grows
at the strongest peak in it; the few others are matched at the heights of their own peaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssmpe import units
from ssmpe.data.files.annotation import MultiPitch, check_scorable
from ssmpe.units import Floats

WINDOW = 0.5
"""Semitones by which an estimate may miss a reference."""


@dataclass(frozen=True)
class Counts:
    """Pitches of all frames of the reference's time grid.

    Attributes:
        n_matched: pairs of an estimated and a reference pitch, the true positives.
        n_reference, n_estimated: pitches.
    """

    n_matched: int
    n_reference: int
    n_estimated: int

    @property
    def precision(self) -> float:
        """0 if nothing is estimated."""
        return self.n_matched / self.n_estimated if self.n_estimated else 0.0

    @property
    def recall(self) -> float:
        """0 if the reference is empty."""
        return self.n_matched / self.n_reference if self.n_reference else 0.0

    @property
    def f1(self) -> float:
        """2 P R / (P + R), 0 where both are."""
        total = self.n_estimated + self.n_reference
        return 2.0 * self.n_matched / total if total else 0.0


@dataclass(frozen=True)
class Growth:
    """Points at which a track's matching grows as the threshold falls.

    Attributes:
        heights: (N,) of the peaks that it grows at.
        steps: (N,) pairs by which it grows there, 0 where it does not.
        frames: (N,) frame of the reference's time grid in which that is.
    """

    heights: NDArray[np.float32]
    steps: NDArray[np.intp]
    frames: NDArray[np.intp]


class GridReference:
    """Reference pitches to be compared, again and again, with peaks on a grid of frames and bins.

    Which bins are within the window of a pitch is the same every time, and so are the frame that is
    nearest and the windows that share bins. What is left is to look up heights.

    Attributes:
        n_reference: pitches.
        polyphony: (N,) pitches in every frame of the time grid that they are scored on.
        frames: (N,) the nearest of the estimate's T frames; T where none is near.
        uses: (T,) number of times that each of the estimate's frames is the nearest.
    """

    def __init__(self, truth: MultiPitch, times: Floats, frequencies: Floats) -> None:
        """Look up all that depends on the pitches and the grid alone.

        Args:
            truth: pitches on the grid that they are scored on, of N frames.
            times: (T,) seconds of the estimate's frames.
            frequencies: (F,) Hz of its bins, ascending.

        Raises:
            ValueError: times or pitches that mir_eval does not accept.
        """
        check(truth)
        check(MultiPitch(times, (frequencies,) * len(times)))
        self.frames = nearest(times, truth.times)
        self.uses = np.bincount(self.frames, minlength=len(times) + 1)[: len(times)]
        bins, pitches = semitones((frequencies,))[:, 0], semitones(truth.f0s)
        self.polyphony = (~np.isnan(pitches)).sum(axis=0)
        self.n_reference = int(self.polyphony.sum())
        # NaN sorts last: an empty window at the end
        first = np.searchsorted(bins + WINDOW, pitches, side="left")
        stop = np.searchsorted(bins - WINDOW, pitches, side="right")
        self._groups = _groups(first.T, stop.T, self.frames, (len(frequencies), len(times)))

    def growth(self, heights: NDArray[np.float32]) -> Growth:
        """Find where the matching with peaks grows.

        Args:
            heights: (F, T) of the peaks, from 0; negative where there is none.
        """
        # one more row and column, without peaks, for what is in no window and near no frame
        padded = np.pad(heights, ((0, 1), (0, 1)), constant_values=-1.0)
        found = [group.growth(padded) for group in self._groups]
        if not found:
            return Growth(np.empty(0, np.float32), *np.empty((2, 0), np.intp))
        return Growth(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


@dataclass(frozen=True)
class _Group:
    """Sets of C times n windows, alike in their number n, that share bins with no others.

    Attributes:
        frames: (C,) of the reference's time grid.
        index: (W, C) positions of a set's bins among padded heights, filled up with ones that hold
            no peak.
        first, stop: (n, C) columns of those where each of the ascending windows begins and ends.
    """

    frames: NDArray[np.intp]
    index: NDArray[np.intp]
    first: NDArray[np.intp]
    stop: NDArray[np.intp]

    def growth(self, padded: NDArray[np.float32]) -> tuple[NDArray[np.generic], ...]:
        """Find the fields of a ``Growth``."""
        heights = padded.take(self.index)
        if len(self.first) == 1:
            strongest = heights.max(axis=0)
            return strongest, (strongest >= 0).astype(np.intp), self.frames
        heights = -np.sort(-heights, axis=0)
        steps = np.diff(self._ranks(padded.take(self.index), heights), axis=0, prepend=0)
        frames = np.broadcast_to(self.frames, steps.shape)
        return heights.ravel(), steps.ravel(), frames.ravel()

    def _ranks(
        self, heights: NDArray[np.float32], thresholds: NDArray[np.float32]
    ) -> NDArray[np.intp]:
        """Find the sizes (K, C) of every set's maximum matching with the peaks above thresholds.

        Args:
            heights: (W, C) of the peaks.
            thresholds: (K, C).
        """
        n_sets = len(self.frames)
        above = (heights >= thresholds[:, None]) & (heights >= 0)
        below = np.zeros((len(thresholds), len(heights) + 1, n_sets), np.intp)
        np.cumsum(above, axis=1, out=below[:, 1:])
        every = np.arange(n_sets)
        first, stop = (
            np.stack([below[:, column, every].ravel() for column in columns])
            for columns in (self.first, self.stop)
        )
        return matched(first, stop).reshape(len(thresholds), n_sets)


def _groups(
    first: NDArray[np.intp],
    stop: NDArray[np.intp],
    nearest_frames: NDArray[np.intp],
    size: tuple[int, int],
) -> list[_Group]:
    """Sort windows by the number of those that they share bins with.

    Args:
        first, stop: (N, voices) bins where those of every frame begin and end, ascending.
        nearest_frames: (N,) of the T that have peaks.
        size: (F, T).
    """
    n_bins, n_frames = size
    frames, voices = np.nonzero(stop > first)  # frame by frame, from below
    first, stop = first[frames, voices], stop[frames, voices]
    begins = np.ones(len(frames), bool)
    begins[1:] = (frames[1:] != frames[:-1]) | (first[1:] >= stop[:-1])
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=len(frames))
    groups = []
    for n in np.unique(lengths):
        members = starts[lengths == n] + np.arange(n)[:, None]
        lowest, end = first[members[0]], stop[members[-1]]
        bins = lowest + np.arange((end - lowest).max())[:, None]
        bins = np.where(bins < end, bins, n_bins)
        of = frames[members[0]]
        index = bins * (n_frames + 1) + nearest_frames[of]
        groups.append(_Group(of, index, first[members] - lowest, stop[members] - lowest))
    return groups


def matched(first: NDArray[np.integer], stop: NDArray[np.integer]) -> NDArray[np.intp]:
    """Find the size (T,) of a maximum matching in every frame.

    Args:
        first, stop: (voices, T) number of the first of the frame's ascending estimates that each of
            its ascending reference pitches agrees with, and the number behind the last.
    """
    n_matched, taken = (np.zeros(first.shape[1], np.intp) for _ in range(2))
    for lowest, end in zip(first, stop, strict=True):
        taken = np.maximum(taken, lowest)
        agrees = taken < end
        taken = taken + agrees
        n_matched += agrees
    return n_matched


def nearest(times: Floats, wanted: Floats) -> NDArray[np.intp]:
    """Find the index of the one of ``times`` (T,) that is nearest to each of ``wanted`` (N,).

    The earlier of two; T for what lies before the first or behind the last. As mir_eval resamples:
    grids that are as good as equal are equal.
    """
    if len(times) == len(wanted) and np.allclose(times, wanted):
        return np.arange(len(times))
    if not len(times):
        return np.zeros(len(wanted), np.intp)
    halves = times / 2.0
    index = np.searchsorted(halves[1:] + halves[:-1], wanted, side="left")
    outside = (wanted < times[0]) | (wanted > times[-1])
    return np.where(outside, len(times), index)


def check(pitches: MultiPitch) -> None:
    """Check that pitches can be scored.

    Raises:
        ValueError: they lie outside mir_eval's range, or their times do.
    """
    end = float(pitches.times[-1]) if len(pitches.times) else 0.0
    check_scorable(np.concatenate([*pitches.f0s, np.empty(0)]), end)


def semitones(f0s: Sequence[Floats]) -> Floats:
    """Convert F0s in Hz of T frames to MIDI numbers (voices, T), ascending, then NaN."""
    counts = np.array([len(frame) for frame in f0s], dtype=np.intp)
    rows = np.full((len(f0s), counts.max(initial=0)), np.nan)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = units.hz_to_midi(
        np.concatenate([*f0s, np.empty(0)])
    )
    return np.sort(rows, axis=1).T
