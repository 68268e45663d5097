"""Scores of a track at every threshold at once, and without one.

The thresholds are the heights of the track's own peaks: between two of them no count changes, and
no grid is fine enough for a network whose output has sunk. Whatever bends the salience without
changing its order, bends the thresholds with it, and changes no score here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ssmpe.evaluation.multipitch import Counts, GridReference, Growth
from ssmpe.signal.salience import peaks

_UNIT = 2.0**40
"""Whole number that stands for an F1 of one where many are added up"""


def peak_heights(salience: Tensor) -> Tensor:
    """Return a salience (F, T) where it is a strict local maximum, and -1 elsewhere."""
    return salience.where(peaks(salience, threshold=0.0), -1.0)


@dataclass(frozen=True)
class Peaks:
    """A track's peaks, in no particular order.

    Attributes:
        heights: (n,) their salience.
        frames: (n,) of T.
        n_frames: T.
    """

    heights: NDArray[np.float32]
    frames: NDArray[np.intp]
    n_frames: int

    @classmethod
    def of(cls, heights: NDArray[np.float32]) -> "Peaks":
        """List the peaks that ``peak_heights`` (F, T) show."""
        where = np.flatnonzero(heights >= 0)
        return cls(heights.ravel()[where], where % heights.shape[1], heights.shape[1])


@dataclass(frozen=True)
class Curve:
    """Counts of a track at all thresholds.

    Attributes:
        thresholds: (n,) heights of its peaks, descending, each once.
        n_estimated, n_matched: (n,) pitches at or above each, and those of them that are right.
        n_reference: pitches.
    """

    thresholds: NDArray[np.float32]
    n_estimated: NDArray[np.int32]
    n_matched: NDArray[np.int32]
    n_reference: int

    @classmethod
    def of(cls, found: Peaks, growth: Growth, reference: GridReference) -> "Curve":
        """Count a track's peaks, and the matches that they make, from the strongest down."""
        grown = np.flatnonzero(growth.steps)
        heights = np.concatenate([found.heights, growth.heights[grown]])
        # an estimate counts as often as its frame is the nearest of a scored one
        estimated, matched = np.zeros((2, len(heights)), np.int32)
        estimated[: len(found.heights)] = reference.uses[found.frames]
        matched[len(found.heights) :] = growth.steps[grown]
        order = _descending(heights)
        heights = heights[order]
        ends = _ends(heights)
        n_estimated, n_matched = (
            steps[order].cumsum(dtype=np.int32)[ends] for steps in (estimated, matched)
        )
        return cls(heights[ends], n_estimated, n_matched, reference.n_reference)

    def at(self, threshold: float) -> Counts:
        """Return the counts of the peaks at or above a threshold."""
        n = int(np.searchsorted(-self.thresholds, -np.float32(threshold), side="right"))
        if n == 0:
            return Counts(0, self.n_reference, 0)
        return Counts(int(self.n_matched[n - 1]), self.n_reference, int(self.n_estimated[n - 1]))

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 (n,) at every threshold: 2 P R / (P + R) = 2 matched / (estimated + reference)."""
        total = self.n_estimated + self.n_reference
        return 2.0 * self.n_matched / np.maximum(total, 1)

    @property
    def average_precision(self) -> float:
        """Area under precision against recall: sum of (R_i - R_(i-1)) P_i over the thresholds.

        As scikit-learn's ``average_precision_score`` has it, without interpolation; pitches that no
        peak matches, however low, count as never found. 0 if the reference is empty.
        """
        at = np.flatnonzero(np.diff(self.n_matched, prepend=0))
        found = self.n_matched[at]
        gained = (np.diff(found, prepend=0) * (found / self.n_estimated[at])).sum()
        return float(gained) / self.n_reference if self.n_reference else 0.0


def top_n(found: Peaks, growth: Growth, reference: GridReference) -> Counts:
    """Count, in every scored frame, the N strongest peaks, N being its true number of pitches.

    All of a frame's peaks, where it has fewer; and those exactly as strong as the last of them. A
    salience that is lower or higher as a whole gives the same counts: they tell its content alone.
    """
    # a frame's peaks follow each other, the strongest first
    keys = np.sort((found.frames.astype(np.int64) << 32) - _bits(found.heights))
    n_peaks = np.bincount(found.frames, minlength=found.n_frames + 1)
    starts = np.cumsum(n_peaks) - n_peaks
    wanted = np.minimum(reference.polyphony, n_peaks[reference.frames])
    some = np.flatnonzero(wanted)
    frames = reference.frames[some]
    last = keys[starts[frames] + wanted[some] - 1]
    n_estimated = np.searchsorted(keys, last, side="right") - starts[frames]
    lowest = np.full(len(wanted), np.inf, np.float32)
    lowest[some] = ((frames.astype(np.int64) << 32) - last).astype(np.int32).view(np.float32)
    right = growth.heights >= lowest[growth.frames]
    n_matched = int(growth.steps[right].sum())
    return Counts(n_matched, reference.n_reference, int(n_estimated.sum()))


def best_threshold(curves: Sequence[Curve]) -> float:
    """Return the threshold at which the mean F1 of tracks is highest; NaN if there are no peaks.

    One for all tracks, of the heights of all their peaks; the highest one of several.
    """
    heights = np.concatenate([np.empty(0, np.float32), *(c.thresholds for c in curves)])
    if not len(heights):
        return float("nan")
    # in whole numbers, the order of adding does not matter
    changes = [np.diff(np.rint(c.f1 * _UNIT).astype(np.int64), prepend=0) for c in curves]
    order = _descending(heights)
    heights, totals = heights[order], np.cumsum(np.concatenate(changes)[order])
    ends = _ends(heights)
    return float(heights[ends[np.argmax(totals[ends])]])


def _bits(heights: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return whole numbers below 2^31 that are ordered as heights from 0 are."""
    return heights.view(np.int32).astype(np.int64)


def _descending(heights: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the order (n,) of heights from the largest down, equal ones as they are.

    Whole numbers are sorted several times as fast as an order of floats is found.
    """
    keys = np.arange(len(heights)) - (_bits(heights) << 32)
    keys.sort()
    return keys & 0xFFFFFFFF


def _ends(descending: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the last position of every height that there is."""
    return np.flatnonzero(np.append(descending[1:] != descending[:-1], True)[: len(descending)])
