"""What an objective is given and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ssmpe.config import GeometryConfig
from ssmpe.network.discriminator import Discriminator
from ssmpe.objectives.passes import Network


@dataclass(frozen=True)
class Batch:
    """Excerpts of one training step, the labelled ones first.

    Attributes:
        features: (B, H, F, T) scaled HCQT.
        target: (L, F, T) blurred truth of the first L excerpts.
        percussive: (B, H, F, T) features of the excerpts mixed with drums, or None if unused.
        mixture: (B, H, F, T) features of every excerpt mixed with the next one (the last with the
            first), or None if unused.
        rms: (B, T) frame RMS of the audio, or None if unused.
        sets: name of the set of each excerpt (B names), or () if unused.
        strength: of the views that are made of it, 1 as in the paper.
    """

    features: Tensor
    target: Tensor
    percussive: Tensor | None = None
    rms: Tensor | None = None
    sets: tuple[str, ...] = ()
    mixture: Tensor | None = None
    strength: float = 1.0

    @property
    def n_labelled(self) -> int:
        """Number of excerpts with labels."""
        return self.target.shape[0]


@dataclass(frozen=True)
class View:
    """A changed version of every excerpt, and the change it asks of the salience.

    Attributes:
        features: (B, H, F, T).
        transform: salience (B, F, T) of the originals to the salience expected of the view.
    """

    features: Tensor
    transform: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Outputs:
    """Outputs of the network for a batch, and what they are compared with.

    Attributes:
        logits: (B, F, T) of the originals, float32.
        salience: their sigmoid.
        targets: Y, what the views' outputs are compared with: the salience, detached if
            ``stop_gradient`` is set, or what ``Targets`` teaches.
        view: the objective's own view, if it has one, and that view's logits (B, F, T).
        rows: the excerpts that terms on content see.
        consistency: how the views' outputs are compared with the targets.
        discriminator, rng: if the objective discriminates, what does, and the generator of its
            draws, of the objective's own.
        ignored: (B, F, T) share of each bin of the targets that nothing is asked of, or None.
    """

    logits: Tensor
    salience: Tensor
    targets: Tensor
    rows: slice
    view: View | None = None
    view_logits: Tensor | None = None
    consistency: str = "BCE"
    discriminator: Discriminator | None = None
    rng: torch.Generator | None = None
    ignored: Tensor | None = None


MakeView = Callable[[Batch, GeometryConfig, torch.Generator], View]
"""Function that draws a view of a batch."""
Loss = Callable[[Batch, Outputs, GeometryConfig], Tensor]
"""Function that gives the losses (n, T) of the frames of the n excerpts that a term sees, summed
over frequency."""


@dataclass(frozen=True)
class Objective:
    """A named term of the loss.

    Attributes:
        loss: of every frame, from the batch and the outputs; the term is its mean.
        make_view: how to make the view it needs, or None.
        on_content: it sees the excerpts that ``content_on`` names; skipped if there are none.
        needs: fields of the batch, made only if an active objective needs them.
        discriminates: it needs a discriminator, which is trained along with the network.
        against: from the network, features (B, H, F, T) and the view, to the view that takes its
            place; or None.
    """

    name: str
    loss: Loss
    make_view: MakeView | None = None
    on_content: bool = False
    needs: tuple[str, ...] = ()
    discriminates: bool = False
    against: Callable[[Network, Tensor, View], View] | None = None


def bce(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the binary cross-entropy (B, T) of logits with a target (B, F, T), summed over F.

    Args:
        weight: (B, F, T) of every bin, or None: all count alike.
    """
    terms = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="none")
    return terms.sum(dim=-2)


def bce_positive(logits: Tensor, target: Tensor) -> Tensor:
    """Return the half of the cross-entropy that asks for salience: -target * log(salience)."""
    return (target * F.softplus(-logits)).sum(dim=-2)


def bce_negative(logits: Tensor, target: Tensor) -> Tensor:
    """Return the half that punishes salience: -(1 - target) * log(1 - salience)."""
    return ((1.0 - target) * F.softplus(logits)).sum(dim=-2)


def binary_entropy(probability: Tensor, weight: Tensor | None = None) -> Tensor:
    """Entropy in nats of (B, F, T), summed over frequency, by weight if there is one: (B, T).

    Its derivative, -logit p, is infinite at 0 and 1, which rounded sigmoids and shifted frames
    reach: closer to them than a rounding error, it is taken as zero.
    """
    eps = torch.finfo(probability.dtype).eps
    p = probability.clamp(eps, 1.0 - eps)
    terms = p * p.log() + (1.0 - p) * torch.log1p(-p)
    return -(terms if weight is None else weight * terms).sum(dim=-2)
