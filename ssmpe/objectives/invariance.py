"""Pitch stays as it is in another timbre, with drums, in a room, or with features missing.

The first two are of the paper (section 2.3.1).
"""

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, Outputs, View, bce, binary_entropy
from ssmpe.signal.transforms import dropped_harmonics, random_equalization, reverberated


def consistency(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    """Compare the output for the view with the original's, transformed alike.

    What is ignored goes through the transform, not what is decided: where silence comes in at an
    edge of the view, it is asked for, and of a mixture is ignored what is of either part.
    """
    assert out.view is not None
    assert out.view_logits is not None
    weight = None if out.ignored is None else 1.0 - out.view.transform(out.ignored)
    return compared(out.view_logits, out.view.transform(out.targets), out.consistency, weight)


def compared(
    logits: Tensor, target: Tensor, consistency: str, weight: Tensor | None = None
) -> Tensor:
    """Return the loss (B, T) of a view's logits (B, F, T), those of q, against their target Y.

    The published cross-entropy is the sum of two parts, BCE(Y, q) = H(Y) + KL(Y || q), which ask
    different things of a target that has a gradient. By it, with logit y = log(y / (1 - y)),

    - BCE has -logit q: Y is to fall wherever the view is below one half, and to rise above;
    - H has -logit Y: Y is to leave one half, to whichever side it is on;
    - KL has logit Y - logit q: Y is to come to the view, and to stay where both agree;
    - the squared error has 2 (Y - q), which likewise vanishes where both agree.

    "stop+H" has the value of BCE and the gradients of H by Y and of KL by q alone.

    Args:
        weight: (B, F, T) of every bin, or None: all count alike.
    """
    if consistency == "KL":
        return bce(logits, target, weight) - binary_entropy(target, weight)
    if consistency == "MSE":
        error = (torch.sigmoid(logits) - target).square()
        return (error if weight is None else weight * error).sum(dim=-2)
    if consistency == "stop+H":
        entropy = binary_entropy(target, weight)
        return bce(logits, target.detach(), weight) + (entropy - entropy.detach())
    return bce(logits, target, weight)


def _same(salience: Tensor) -> Tensor:
    return salience


def _equalized(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    return View(random_equalization(batch.features, g, rng, batch.strength), _same)


def _percussive(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    assert batch.percussive is not None
    return View(batch.percussive, _same)


def _dropped(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    return View(dropped_harmonics(batch.features, rng, batch.strength), _same)


def _reverberated(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    return View(reverberated(batch.features, g, rng, batch.strength), _same)


TIMBRE = Objective("timbre", consistency, _equalized)
PERCUSSION = Objective("percussion", consistency, _percussive, needs=("percussive",))
FEATURE_DROPOUT = Objective("feature_dropout", consistency, _dropped)
"""Objective that is off in the paper; blank output is a minimum, as it is of the others."""
REVERBERATION = Objective("reverberation", consistency, _reverberated)
"""Not the paper's: what rings on in a room is no pitch any more. Of use where targets say so, that
is with the truth, or with pseudo-labels; of a salience, the view's tail is asked for as it is."""
