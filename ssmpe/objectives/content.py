"""Output that says something: decided, present, and different between excerpts.

Objectives of the published program that are off in the paper; candidates for a remedy.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, Outputs, bce_positive
from ssmpe.signal.features import SOUNDING_RMS
from ssmpe.signal.salience import BLUR_SEMITONES

TEMPERATURE = 0.1
"""Divisor of the similarities of frames; the smaller, the more the most similar one counts."""


def entropy(salience: Tensor) -> Tensor:
    """Return the sum (B, T) of -p log p over the bins of a salience (B, F, T)."""
    return torch.special.entr(salience).sum(dim=-2)


def content(logits: Tensor, g: GeometryConfig, sounding: Tensor | None = None) -> Tensor:
    """Return a loss (B, T) that asks for the strongest peak of every frame.

    The peak is drawn as a Gaussian of height 1.

    Args:
        logits: (B, F, T).
        sounding: (B, T) booleans; frames where it is false ask for nothing. None: all sound.
    """
    strongest = logits.detach().argmax(dim=-2, keepdim=True)
    bins = torch.arange(logits.shape[-2], device=logits.device)[:, None]
    sigma = BLUR_SEMITONES * g.bins_per_semitone
    target = torch.exp(-0.5 * ((bins - strongest) / sigma).square())
    if sounding is not None:
        target = target * sounding.unsqueeze(-2)
    return bce_positive(logits, target)


def contrastive(salience: Tensor) -> Tensor:
    """Return a loss (B, T) that tells an excerpt's frames from the same frames of the others.

    Args:
        salience: (B, F, T).
    """
    frames = F.normalize(salience.permute(2, 0, 1), dim=-1)
    similarities = frames @ frames.transpose(1, 2) / TEMPERATURE
    identity = torch.arange(salience.shape[0], device=salience.device)
    labels = identity.expand(similarities.shape[0], -1)
    # (T, B, B): the classes of a frame are the excerpts, which cross_entropy wants in the middle
    return F.cross_entropy(similarities.transpose(1, 2), labels, reduction="none").T


def _entropy(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return entropy(out.salience[out.rows])


def _content(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    assert batch.rms is not None
    return content(out.logits[out.rows], g, batch.rms[out.rows] >= SOUNDING_RMS)


def _contrastive(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return contrastive(out.salience[out.rows])


ENTROPY = Objective("entropy", _entropy, on_content=True)
CONTENT = Objective("content", _content, on_content=True, needs=("rms",))
CONTRASTIVE = Objective("contrastive", _contrastive, on_content=True)
