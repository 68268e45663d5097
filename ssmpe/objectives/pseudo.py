"""Pseudo-labels by rank: the strongest peaks of a batch are pitches, as many as music has.

Thresholds of confidence (FixMatch, arXiv 2001.07685; for piano, Strahl and Mueller, ISMIR 2024)
drift with the level of the output, and where that has sunk, they ask for silence. A rank cannot:
it says which bins are the likeliest, whatever their values, and how many is taken from the labels.
"""

import math

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.signal.salience import BLUR_SEMITONES, blurred, peaks

FLANK_DEVIATIONS = 2.0
"""Distance from a peak, in standard deviations of the targets' blur, up to which bins are its."""


def by_rank(
    strength: Tensor, n_ones: Tensor, n_doubtful: Tensor, g: GeometryConfig
) -> tuple[Tensor, Tensor]:
    """Return pseudo-labels of all frames of a batch, and what of them is ignored; (B, F, T) each.

    Of the local maxima of all excerpts together,

    - the ``n_ones`` strongest are pitches. They are drawn as those of an annotation are, so that
      the bins beside them are what the supervised objective asks for beside its own: next to zero
      with two bins to a semitone, but 0.6 with five, where zeros would contradict it;
    - bins below the ``n_doubtful``-th strongest are zeros, maxima or not;
    - the rest is ignored.

    Nothing here but the two numbers has a unit: adding to ``strength``, or multiplying it, changes
    nothing.

    Args:
        strength: (B, F, T), the higher the likelier a pitch.
        n_ones, n_doubtful: whole numbers, int64 scalars. Where there are fewer maxima, all count.
    """
    maxima = peaks(strength, -math.inf)
    ranked = strength.masked_fill(~maxima, -math.inf).flatten().sort(descending=True).values
    # from index 1 on, so that none is above the rank of 0; no value leaves the device
    bounds = torch.cat([ranked.new_full((1,), math.inf), ranked])
    last_one, last_doubtful = (
        bounds[n.clamp(0, len(ranked)).to(bounds.device)] for n in (n_ones, n_doubtful)
    )
    ones = maxima & (strength >= last_one)
    target = blurred(ones, g)
    sigma = BLUR_SEMITONES * g.bins_per_semitone
    flank = math.ceil(FLANK_DEVIATIONS * sigma)
    decided = (strength < last_doubtful) | _widened(ones, flank)
    return target, (~decided).to(target)


def _widened(marks: Tensor, bins: int) -> Tensor:
    """Mark what lies up to so many bins above or below a mark, too; (B, F, T) booleans."""
    window = 2 * bins + 1, 1
    pooled = torch.nn.functional.max_pool2d(marks.float()[:, None], window, 1, (bins, 0))
    return pooled[:, 0] > 0
