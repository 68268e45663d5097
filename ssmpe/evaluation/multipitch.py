"""Multi-pitch scores of all frames of a track at once: the counts of ``mir_eval.multipitch``.

mir_eval looks for a maximum matching of estimated and reference pitches frame by frame. With one
window for all pitches of a line, the greedy matching is a maximum one: of ascending references,
each takes the lowest free estimate within its window. For if a maximum matching gives the lowest
reference a higher estimate, and this one to a higher reference, the two can be exchanged: both ends
of the windows ascend with the references. So a step per voice matches all frames, and the windows'
bounds, in mir_eval's own arithmetic, make the counts equal to its, not close.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssmpe import units
from ssmpe.data.files.annotation import MultiPitch, check_scorable
from ssmpe.units import Floats

WINDOW = 0.5
"""semitones by which an estimate may miss a reference"""


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
    def accuracy(self) -> float:
        """TP / (TP + FP + FN), 0 if both are empty."""
        total = self.n_estimated + self.n_reference - self.n_matched
        return self.n_matched / total if total else 0.0


def count(reference: MultiPitch, estimate: MultiPitch) -> Counts:
    """Compare any pitches, on any time grids.

    Raises:
        ValueError: times or pitches that mir_eval does not accept.
    """
    check(reference)
    check(estimate)
    frames = nearest(estimate.times, reference.times)
    truth, found = _semitones(reference.f0s), _semitones((*estimate.f0s, np.empty(0)))[:, frames]
    low, high = found - WINDOW, found + WINDOW
    first, stop = np.zeros((2, *truth.shape), np.int32)
    for row, voice in enumerate(truth):
        # comparisons with NaN, which fills the frames up, are false
        first[row], stop[row] = (high < voice).sum(axis=0), (low <= voice).sum(axis=0)
    n_matched = matched(torch.from_numpy(first), torch.from_numpy(stop))
    n_reference, n_estimated = (int((~np.isnan(x)).sum()) for x in (truth, found))
    return Counts(int(n_matched.sum()), n_reference, n_estimated)


class GridReference:
    """Reference pitches to be compared, again and again, with peaks on a grid of frames and bins.

    Which bins are within the window of a pitch is the same every time, and so is the frame that is
    nearest. With peaks counted from below, what is left are whole numbers.

    Args:
        truth: pitches on the grid that they are scored on, of N frames.
        times: (T,) seconds of the estimate's frames.
        frequencies: (F,) Hz of its bins, ascending.

    Raises:
        ValueError: times or pitches that mir_eval does not accept.
    """

    def __init__(self, truth: MultiPitch, times: Floats, frequencies: Floats, device: str) -> None:
        check(truth)
        check(MultiPitch(times, (frequencies,) * len(times)))
        self._frames = nearest(times, truth.times)
        bins, pitches = _semitones((frequencies,))[:, 0], _semitones(truth.f0s)
        self._n_reference = int((~np.isnan(pitches)).sum())
        # NaN sorts last: an empty run at the end
        first = np.searchsorted(bins + WINDOW, pitches, side="left")
        stop = np.searchsorted(bins - WINDOW, pitches, side="right")
        n_columns = len(times) + 1  # one more, without pitches, for what no frame is near
        self._first, self._stop = (
            torch.from_numpy(rows * n_columns + self._frames).to(device) for rows in (first, stop)
        )

    def n_matched(self, pitched: Tensor) -> Tensor:
        """Estimates (F, T), booleans on the device, to the number () of matched ones there."""
        below = pitched.new_zeros(len(pitched) + 1, pitched.shape[1] + 1, dtype=torch.int32)
        torch.cumsum(pitched, dim=0, dtype=torch.int32, out=below[1:, :-1])
        return matched(below.take(self._first), below.take(self._stop)).sum()

    def counts(self, n_matched: int, per_frame: NDArray[np.integer]) -> Counts:
        """All counts, from that of the matched ones and the estimates (T,) of every frame."""
        per_frame = np.append(per_frame, 0)
        return Counts(n_matched, self._n_reference, int(per_frame[self._frames].sum()))


def matched(first: Tensor, stop: Tensor) -> Tensor:
    """Size (T,) of a maximum matching in every frame.

    Args:
        first, stop: (voices, T) number of the first of the frame's ascending estimates that each of
            its ascending reference pitches agrees with, and the number behind the last.
    """
    n_matched, taken = (first.new_zeros(first.shape[1], dtype=torch.int32) for _ in range(2))
    for lowest, end in zip(first, stop, strict=True):
        taken = torch.maximum(taken, lowest)
        agrees = taken < end
        taken = taken + agrees
        n_matched += agrees
    return n_matched


def nearest(times: Floats, wanted: Floats) -> NDArray[np.intp]:
    """Of ``times`` (T,), the index of the one nearest to each of ``wanted`` (N,), the earlier of
    two; T for what lies before the first or behind the last. As mir_eval resamples: grids that are
    as good as equal are equal.
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


def _semitones(f0s: Sequence[Floats]) -> Floats:
    """F0s in Hz of T frames to MIDI numbers (voices, T), ascending, then NaN."""
    counts = np.array([len(frame) for frame in f0s], dtype=np.intp)
    rows = np.full((len(f0s), counts.max(initial=0)), np.nan)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = units.hz_to_midi(
        np.concatenate([*f0s, np.empty(0)])
    )
    return np.sort(rows, axis=1).T
