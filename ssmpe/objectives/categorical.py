"""Objectives of monophonic self-supervised methods, per frame of the polyphonic output.

After PESTO (arXiv 2309.02265). The softmax over the bins of a frame's logits is taken as a
distribution of pitch; with several notes, mass is shared among them. A softmax does not see a
constant that is added to all logits of a frame: in contrast to the binary cross-entropy, none of
these terms pulls salience up or down, and an output that is blank by a constant has the same loss
as one that is not. They shape output; its level is left to other terms. What they do not tolerate
is an output that is the same for all bins, values for which are given below.

Frames in which nothing sounds have no pitch, and a loss of zero.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, Outputs, View
from ssmpe.objectives.invariance import TIMBRE
from ssmpe.signal.features import SOUNDING_RMS
from ssmpe.signal.transforms import Transposition

MAX_SHIFT_SEMITONES = 5.5
"""Largest of PESTO's transpositions."""
HUBER_SEMITONES = 2.0
"""Error from which on PESTO's loss of frequency ratios is linear."""


def cross_entropy(log_p: Tensor, target: Tensor) -> Tensor:
    """Return -sum target * log p (B, T) over the bins of (B, F, T)."""
    return -(target * log_p).sum(dim=-2)


def categorical(logits: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy (B, T) of the softmax with a target (B, F, T) scaled to sum 1.

    Frames without a pitch: zero. Uniform output: log F.
    """
    total = target.sum(dim=-2, keepdim=True)
    return cross_entropy(F.log_softmax(logits, dim=-2), target / total.clamp(min=1e-6))


def symmetric_cross_entropy(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return the mean (B, T) of both cross-entropies of (B, F, T), targets without gradient."""
    forth = cross_entropy(log_q, log_p.detach().exp())
    return (forth + cross_entropy(log_p, log_q.detach().exp())) / 2


def shifted_cross_entropy(log_p: Tensor, log_q: Tensor, shift: Transposition) -> Tensor:
    """Return the symmetric cross-entropy (B, T) of q with p moved in frequency.

    No gradient goes through the targets. Mass that leaves the grid asks for nothing. Uniform
    output: about log F. A single peak that stays where it is whatever the input: unbounded.
    """
    forth = cross_entropy(log_q, shift(log_p.detach().exp()))
    return (forth + cross_entropy(shift(log_p), log_q.detach().exp())) / 2


def mean_frequency(log_p: Tensor, bins_per_octave: int) -> Tensor:
    """Return PESTO's linear form phi: sum over i of alpha**i p_i, alpha = 2**(1 / bins_per_octave).

    Of a distribution (B, F, T) over pitch, that is its mean frequency (B, T) in units of that of
    bin 0: it is multiplied by alpha**k as the distribution moves by k bins.
    """
    i = torch.arange(log_p.shape[-2], device=log_p.device, dtype=log_p.dtype)
    return (log_p.exp() * torch.exp2(i / bins_per_octave)[:, None]).sum(dim=-2)


def transposition(log_p: Tensor, log_q: Tensor, shift: Transposition, g: GeometryConfig) -> Tensor:
    """Return Huber's loss (B, T) of the ratio of mean frequencies against the transposition's.

    Both ways, gradients through both outputs. Zero where q is p moved in frequency. Output that
    does not follow (uniform, say) has h(alpha**k - 1), h being Huber's loss.
    """
    before = mean_frequency(log_p, g.bins_per_octave)
    after = mean_frequency(log_q, g.bins_per_octave)
    octaves = shift.shift_bins.to(log_p, non_blocking=True) / g.bins_per_octave
    ratio = torch.exp2(octaves)[:, None]
    forth = _huber(after / before - ratio)
    return (forth + _huber(before / after - 1.0 / ratio)) / 2


def _huber(error: Tensor) -> Tensor:
    delta = 2.0 ** (HUBER_SEMITONES / 12) - 1.0
    return F.huber_loss(error, torch.zeros_like(error), reduction="none", delta=delta)


def _distributions(out: Outputs) -> tuple[Tensor, Tensor]:
    """Return logarithms of the distributions of originals and of the view, (B, F, T) each."""
    assert out.view_logits is not None
    return F.log_softmax(out.logits, dim=-2), F.log_softmax(out.view_logits, dim=-2)


def _sounding(batch: Batch) -> Tensor:
    assert batch.rms is not None
    return batch.rms >= SOUNDING_RMS


def _shift(out: Outputs) -> Transposition:
    assert out.view is not None
    assert isinstance(out.view.transform, Transposition)
    return out.view.transform


def _transposed(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    largest = int(MAX_SHIFT_SEMITONES * g.bins_per_semitone)
    shift = Transposition.draw(batch.features.shape[0], largest, rng)
    return View(shift(batch.features), shift)


def _categorical(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return categorical(out.logits[: batch.n_labelled], batch.target)


def _invariance(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return symmetric_cross_entropy(*_distributions(out)) * _sounding(batch)


def _shifted(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return shifted_cross_entropy(*_distributions(out), _shift(out)) * _sounding(batch)


def _transposition(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return transposition(*_distributions(out), _shift(out), g) * _sounding(batch)


CATEGORICAL = Objective("categorical", _categorical)
CATEGORICAL_INVARIANCE = Objective(
    "categorical_invariance", _invariance, TIMBRE.make_view, needs=("rms",)
)
SHIFT_CROSS_ENTROPY = Objective("shift_cross_entropy", _shifted, _transposed, needs=("rms",))
TRANSPOSITION = Objective("transposition", _transposition, _transposed, needs=("rms",))
