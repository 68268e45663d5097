"""Output that stays as it is under that small change of the features which moves it most.

Virtual adversarial training (Miyato et al., arXiv 1704.03976); for transcription with few labels
ReconVAT (arXiv 2107.04954). A batch costs a pass without gradient, one with the gradient by the
features alone, and one of the changed features with that by the weights.
"""

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, Outputs, View, bce
from ssmpe.objectives.passes import Network, parts

FIRST_STEP = 0.5
"""Length of the step along which the worst direction is looked for. ReconVAT's 1e-6 is lost in the
rounding of float32, and anything below 0.1 in that of bf16."""
RADIUS = 2.0
"""Length of the change of every frame, over bins and harmonics (ReconVAT)."""


def _first(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    """Change every excerpt along a random direction, the same in all of its frames."""
    x = batch.features
    drawn = torch.randn(*x.shape[:3], 1, generator=rng).to(x, non_blocking=True)
    return View(x + FIRST_STEP * _unit(drawn), _same)


def worst(network: Network, features: Tensor, first: View) -> View:
    """Return the view in which features (B, H, F, T) are changed as the output minds most.

    One step of the power method: the gradient, by the features, of the cross-entropy between the
    output for them and that for a first change, which is next to a random one.
    """
    changed = []
    for own, start in zip(parts(features), parts(first.features), strict=True):
        with torch.no_grad():
            asked = torch.sigmoid(network(own).float())
        at = start.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(bce(network(at).float(), asked).sum(), at)
        changed.append(own + RADIUS * _unit(gradient))
    return View(torch.cat(changed), first.transform)


def _loss(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    """Compare with the network's own output, whatever others are taught; no gradient through it."""
    assert out.view_logits is not None
    return bce(out.view_logits, out.salience.detach())


def _unit(x: Tensor) -> Tensor:
    """Return (B, H, F, T) whose frames have a length of one over bins and harmonics, or none."""
    return x / x.norm(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)


def _same(salience: Tensor) -> Tensor:
    return salience


VAT = Objective("vat", _loss, _first, against=worst)
"""Objective that is off in the paper. It sees labelled and unlabelled excerpts; blank output is a
minimum, as it is of the others."""
