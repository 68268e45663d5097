"""Output that says something: decided, present, and different between excerpts.

Objectives of the published program that are off in the paper; candidates for a remedy.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ssmpe.config import GeometryConfig
from ssmpe.features import SOUNDING_RMS
from ssmpe.objectives.base import Batch, Objective, Outputs, bce_positive
from ssmpe.salience import BLUR_SEMITONES

TEMPERATURE = 0.1


def entropy(salience: Tensor) -> Tensor:
    """Salience (B, F, T) to the mean over frames of the sum over bins of -p log p."""
    return torch.special.entr(salience).sum(dim=-2).mean()


def content(logits: Tensor, g: GeometryConfig, sounding: Tensor | None = None) -> Tensor:
    """Asks for the strongest peak of every frame, drawn as a Gaussian of height 1.

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
    """Tells every excerpt's frames (B, F, T) from the same frames of the other excerpts."""
    frames = F.normalize(salience.permute(2, 0, 1), dim=-1)
    similarities = frames @ frames.transpose(1, 2) / TEMPERATURE
    identity = torch.arange(salience.shape[0], device=salience.device)
    labels = identity.expand(similarities.shape[0], -1)
    return F.cross_entropy(similarities.flatten(0, 1), labels.flatten())


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
