"""Pseudo-labels: what unlabelled excerpts are taught, made of a teacher's output by a rule.

Rules by *confidence* ask for what the output says already, where it is sure of it; source of all:
FixMatch (arXiv 2001.07685). With salience p, a bin is a one if p > 1/2, else a zero, and its
confidence is c = max(p, 1 - p): two classes in every bin. Such rules drift with the level of the
output, and where that has sunk, they ask for silence. The rule by *rank* cannot: it says which bins
are the likeliest, whatever their values, and how many is taken from the labels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.config.objectives import PSEUDO_LABELS, PseudoLabelsConfig
from ssmpe.signal.salience import BLUR_SEMITONES, blurred, peaks

FLANK_DEVIATIONS = 2.0
"""Distance from a peak, in standard deviations of the targets' blur, up to which bins are its."""
SOFT_DEVIATIONS = 2.0
"""Number n of the rule "soft": 1 / n standard deviations below the mean weigh exp(-1/2)."""
DEBIASING = 0.4
"""Share tau of the usual level that the rule "debiased" takes away."""
LEAST_RATE = 1e-3
"""Rate of pitches in a bin below which none is told from none at all: 7 logits from one half."""

Labels = tuple[Tensor, Tensor]
"""Targets of all frames, and the share of each bin that is ignored; (n, F, T) each."""


@dataclass(frozen=True)
class Rule:
    """A way to make pseudo-labels.

    Attributes:
        labels: from logits (n, F, T) of unlabelled excerpts and the memory to their labels.
        counts: what of a batch is remembered, from annotations (L, F, T) and those logits: sums and
            their numbers, whose moving averages are the memory.
        memory: its name in checkpoints; None: labels do not depend on it.
    """

    labels: Callable[[Tensor, Tensor, PseudoLabelsConfig, GeometryConfig], Labels]
    counts: Callable[[Tensor, Tensor], Tensor]
    memory: str | None = None


def by_rank(strength: Tensor, n_ones: Tensor, n_doubtful: Tensor, g: GeometryConfig) -> Labels:
    """Return pseudo-labels by the ranks of local maxima.

    Of the local maxima of all excerpts together,

    - the ``n_ones`` strongest are pitches. They are drawn as those of an annotation are, so that
      the bins beside them are what the supervised objective asks for beside its own: next to zero
      with two bins to a semitone, but 0.6 with five, where zeros would contradict it;
    - bins below the ``n_doubtful``-th strongest are zeros, maxima or not;
    - the rest is ignored.

    Nothing here but the two numbers has a unit: adding to ``strength``, or multiplying it, changes
    nothing.

    Args:
        strength: (n, F, T), the higher the likelier a pitch.
        n_ones, n_doubtful: whole numbers, int64 scalars. Where there are fewer maxima, all count.
    """
    maxima = peaks(strength, -math.inf)
    ranked = strength.masked_fill(~maxima, -math.inf).flatten().sort(descending=True).values
    # from index 1 on, so that none is above the rank of 0
    bounds = torch.cat([ranked.new_full((1,), math.inf), ranked])
    last_one, last_doubtful = (  # an index in brackets would be waited for
        bounds.take(n.clamp(0, len(ranked)).to(bounds.device)) for n in (n_ones, n_doubtful)
    )
    ones = maxima & (strength >= last_one)
    target = blurred(ones, g)
    sigma = BLUR_SEMITONES * g.bins_per_semitone
    flank = math.ceil(FLANK_DEVIATIONS * sigma)
    decided = (strength < last_doubtful) | _widened(ones, flank)
    return target, (~decided).to(target)


def by_confidence(logits: Tensor, least: float) -> Labels:
    """Return ones where the salience is so high, zeros where it is as low; the rest is ignored.

    FixMatch (arXiv 2001.07685) in every bin. Beside a one, the blur of annotations leaves the
    output unsure, so that neighbours are ignored rather than contradicted.

    Args:
        least: confidence, from one half on.
    """
    target, confidence = _guessed(logits)
    return target, (confidence < least).to(target)


def _ranked(logits: Tensor, memory: Tensor, s: PseudoLabelsConfig, g: GeometryConfig) -> Labels:
    """Return labels by rank, numbers in units of the labelled pitches per frame."""
    average, ones = memory
    expected = average / ones * (logits.shape[0] * logits.shape[-1])
    n_ones, n_doubtful = ((ratio * expected).long() for ratio in (s.ones, s.doubtful))
    return by_rank(logits, n_ones, n_doubtful, g)


def _threshold(logits: Tensor, memory: Tensor, s: PseudoLabelsConfig, g: GeometryConfig) -> Labels:
    return by_confidence(logits, s.confidence)


def _matched(logits: Tensor, memory: Tensor, s: PseudoLabelsConfig, g: GeometryConfig) -> Labels:
    """Return labels by a threshold, with as many ones for each zero as annotations have in a bin.

    Distribution matching (Strahl and Mueller, ISMIR 2024; its program, groupmm's
    ``onsets_frames_semisup``, drops zeros, or ones, at random until the ratio fits). Here all stay,
    and weigh what share of them would: the same loss on average over the draws. A blank output,
    which has no ones, asks for nothing.
    """
    target, ignored = by_confidence(logits, s.confidence)
    certain = 1.0 - ignored
    n_ones = (certain * target).sum(dtype=torch.float64)
    n_zeros = certain.sum(dtype=torch.float64) - n_ones
    average, ones = memory
    wanted = average / ones / g.n_bins * n_zeros
    tiny = torch.finfo(torch.float32).tiny
    of_ones = (wanted / n_ones.clamp_min(tiny)).clamp(max=1.0)
    of_zeros = (n_ones / wanted.clamp_min(tiny)).clamp(max=1.0)
    return target, 1.0 - certain * _of_class(target, of_zeros, of_ones)


def _soft(logits: Tensor, memory: Tensor, s: PseudoLabelsConfig, g: GeometryConfig) -> Labels:
    """Return all guesses, weighed by how usual their confidence is.

    SoftMatch (arXiv 2301.10921): w = exp(-min(c - mu, 0)**2 n**2 / (2 sigma**2)), with mean and
    variance of the confidences so far, of ones and zeros apart.
    """
    target, confidence = _guessed(logits)
    number, total, squares = memory.unbind(dim=-1)
    number = number.clamp_min(torch.finfo(number.dtype).tiny)
    mean = total / number
    variance = (squares / number - mean.square()).clamp_min(torch.finfo(logits.dtype).eps ** 2)
    below = (confidence - _of_class(target, *mean)).clamp(max=0.0)
    spread = 2.0 / SOFT_DEVIATIONS**2 * _of_class(target, *variance)
    return target, 1.0 - torch.exp(-below.square() / spread)


def _free(logits: Tensor, memory: Tensor, s: PseudoLabelsConfig, g: GeometryConfig) -> Labels:
    """Return guesses above thresholds that rise with the confidence.

    FreeMatch (arXiv 2205.07246), without its fairness term: a class of mean probability r has the
    threshold mean(c) r / max(r). As pitches are rare, whatever is above one half is a one, and
    zeros must be as certain as all is on average.
    """
    target, confidence = _guessed(logits)
    number, total, _ = memory.unbind(dim=-1)
    n = number.sum()
    pitches = (total[1] + number[0] - total[0]) / n
    rates = torch.stack([1.0 - pitches, pitches])
    thresholds = total.sum() / n * rates / rates.max()
    return target, (confidence < _of_class(target, *thresholds)).to(target)


def _aligned(logits: Tensor, memory: Tensor, s: PseudoLabelsConfig, g: GeometryConfig) -> Labels:
    """Return the salience itself, brought to the rates of pitches that annotations have.

    Distribution alignment (ReMixMatch, arXiv 1911.09785): p pi / pi' of either class, made to add
    up to one; that is logit p + logit pi - logit pi', with the rate pi of pitches that a bin has in
    annotations and pi' in the output.
    """
    of_labels, n_labels, of_output, n_output = memory
    shift = _logit_of_rate(of_labels, n_labels) - _logit_of_rate(of_output, n_output)
    aligned = torch.sigmoid(logits + shift[:, None].to(logits))
    return aligned, torch.zeros_like(aligned)


def _debiased(logits: Tensor, memory: Tensor, s: PseudoLabelsConfig, g: GeometryConfig) -> Labels:
    """Return labels by a threshold, of an output from which a share of its usual level is taken.

    Debiased pseudo-labels (arXiv 2201.01490): logits f - tau log pi' of either class, whose
    difference is logit p - tau logit pi'.
    """
    _, _, of_output, n_output = memory
    usual = _logit_of_rate(of_output, n_output)[:, None].to(logits)
    return by_confidence(logits - DEBIASING * usual, s.confidence)


def _pitches(target: Tensor, logits: Tensor) -> Tensor:
    """Count annotated pitches per frame, and once; (2,) float64."""
    # bins of annotated pitches are exactly one; all others are less, but where five bins make a
    # semitone the one between two pitches that are two bins apart
    pitches = (target >= 1.0).sum(dim=-2, dtype=torch.float64).mean()
    return torch.stack([pitches, torch.ones_like(pitches)])


def _confidences(target: Tensor, logits: Tensor) -> Tensor:
    """Count zeros and ones that are guessed, sum their confidences and squares; (2, 3) float64."""
    guess, confidence = _guessed(logits)
    exact = confidence.double()
    powers = torch.ones_like(exact), exact, exact.square()
    of_class = [torch.stack([(own * x).sum() for x in powers]) for own in (1.0 - guess, guess)]
    return torch.stack(of_class)


def _rates(target: Tensor, logits: Tensor) -> Tensor:
    """Sum annotations and salience bin by bin, each with the number of its frames; (4, F)."""
    sums = []
    for salience in (target, torch.sigmoid(logits)):
        total = salience.sum(dim=(0, 2), dtype=torch.float64)
        sums += [total, torch.full_like(total, salience.shape[0] * salience.shape[2])]
    return torch.stack(sums)


RULES = {
    "rank": Rule(_ranked, _pitches, "pitches_per_frame"),
    "threshold": Rule(_threshold, _pitches),
    "matched": Rule(_matched, _pitches, "pitches_per_frame"),
    "soft": Rule(_soft, _confidences, "confidences"),
    "free": Rule(_free, _confidences, "confidences"),
    "aligned": Rule(_aligned, _rates, "rates"),
    "debiased": Rule(_debiased, _rates, "rates"),
}
"""Rules by their names in ``objectives.pseudo_labels.rule``."""
assert tuple(RULES) == PSEUDO_LABELS, "ssmpe.config.objectives.PSEUDO_LABELS names others"


def _guessed(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the likelier class of every bin, zero or one, and the confidence in it."""
    salience = torch.sigmoid(logits)
    return (logits > 0).to(salience), torch.maximum(salience, 1.0 - salience)


def _of_class(target: Tensor, of_zeros: Tensor, of_ones: Tensor) -> Tensor:
    """Return the value of each bin's class, scalars spread over (n, F, T)."""
    return torch.where(target > 0, of_ones, of_zeros).to(target)


def _logit_of_rate(total: Tensor, number: Tensor) -> Tensor:
    rate = total / number.clamp_min(torch.finfo(number.dtype).tiny)
    return rate.clamp(LEAST_RATE, 1.0 - LEAST_RATE).logit()


def _widened(marks: Tensor, bins: int) -> Tensor:
    """Mark what lies up to so many bins above or below a mark, too; (B, F, T) booleans."""
    window = 2 * bins + 1, 1
    pooled = torch.nn.functional.max_pool2d(marks.float()[:, None], window, 1, (bins, 0))
    return pooled[:, 0] > 0
