"""The weighted sum of the active objectives, and the passes of the network that it takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig, ObjectivesConfig
from ssmpe.objectives.base import Batch, Objective, Outputs, View

FUSED_NUMBERS = 1_000_000
"""of a batch's features, up to which one pass for all views is faster on CPUs: small passes waste
time between operations, large ones overflow the caches"""

Network = Callable[[Tensor], Tensor]
"""features (N, H, F, T) to logits (N, F, T)"""


@dataclass(frozen=True)
class Term:
    """A term of the loss of a batch.

    Attributes:
        frames: losses (n, T) of the n excerpts that it sees, unweighted.
        value: their mean.
        first: the excerpt of the batch that is the first of those n.
        out: the outputs that it was computed from.
    """

    name: str
    weight: float
    frames: Tensor
    value: Tensor
    first: int
    out: Outputs


def total_of(terms: Sequence[Term]) -> Tensor:
    """The weighted sum."""
    total = torch.zeros(())
    for term in terms:
        total = total + term.weight * term.value
    return total


class TotalLoss:
    """Total loss of a batch under a configuration.

    Args:
        objectives: the registry to draw from.
        fused: run originals and views through the network together, or one after the other (same
            numbers). None: whichever is faster for the batch.
    """

    def __init__(
        self,
        config: ObjectivesConfig,
        geometry: GeometryConfig,
        objectives: Mapping[str, Objective],
        fused: bool | None = None,
    ) -> None:
        self.config, self.geometry, self.fused = config, geometry, fused
        self.terms = [(objectives[name], weight) for name, weight in config.weights.items()]

    @property
    def needs(self) -> frozenset[str]:
        """Optional fields of the batch that the active objectives use."""
        return frozenset(field for objective, _ in self.terms for field in objective.needs)

    def __call__(
        self,
        network: Network,
        batch: Batch,
        generator: Callable[[str], torch.Generator],
        teacher: Network | None = None,
        progress: float = 0.0,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The total, and every term unweighted and detached; arguments as ``terms_of``."""
        terms = self.terms_of(network, batch, generator, teacher, progress)
        return total_of(terms), {term.name: term.value.detach() for term in terms}

    def terms_of(
        self,
        network: Network,
        batch: Batch,
        generator: Callable[[str], torch.Generator],
        teacher: Network | None = None,
        progress: float = 0.0,
    ) -> list[Term]:
        """The terms that are active on a batch.

        Args:
            generator: objective's name to the CPU generator of its view's draws, so that no
                objective's draws depend on which others are active.
            teacher: the network whose output is Y, if ``teacher_decay`` asks for one.
            progress: share of the trial's batches before this one, by which weights fade.
        """
        active = self._weighted(progress)
        views = {
            objective.name: objective.make_view(batch, self.geometry, generator(objective.name))
            for objective, _ in active
            if objective.make_view is not None
        }
        logits, view_logits = self._forward(network, batch, views)
        salience = torch.sigmoid(logits)
        targets = self._targets(salience, batch, teacher)
        first = 0 if self.config.content_on == "all" else batch.n_labelled
        rows = slice(first, batch.features.shape[0])
        terms = []
        for objective, weight in active:
            if objective.on_content and rows.start >= rows.stop:
                continue
            name = objective.name
            out = Outputs(logits, salience, targets, rows, views.get(name), view_logits.get(name))
            frames = objective.loss(batch, out, self.geometry)
            first = rows.start if objective.on_content else 0
            terms.append(Term(name, weight, frames, frames.mean(), first, out))
        return terms

    def _weighted(self, progress: float) -> list[tuple[Objective, float]]:
        """The objectives and their weights at this point of the trial; faded ones are left out."""
        fade = self.config.fade
        left = {name: max(0.0, 1.0 - progress / share) for name, share in fade.items()}
        now = [(objective, left.get(objective.name, 1.0) * w) for objective, w in self.terms]
        return [(objective, weight) for objective, weight in now if weight > 0]

    def _targets(self, salience: Tensor, batch: Batch, teacher: Network | None) -> Tensor:
        """Y (B, F, T), with or without a gradient."""
        assert (teacher is not None) == (self.config.teacher_decay is not None)
        if teacher is not None:
            with torch.no_grad():
                return torch.sigmoid(teacher(batch.features).float())
        return salience.detach() if self.config.stop_gradient else salience

    def _forward(
        self, network: Network, batch: Batch, views: Mapping[str, View]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        inputs = [batch.features, *(view.features for view in views.values())]
        if self._fuses(batch.features):
            outputs = list(network(torch.cat(inputs)).float().chunk(len(inputs)))
        else:
            outputs = [network(x).float() for x in inputs]
        return outputs[0], dict(zip(views, outputs[1:], strict=True))

    def _fuses(self, features: Tensor) -> bool:
        if self.fused is not None:
            return self.fused
        return features.device.type != "cpu" or features.numel() <= FUSED_NUMBERS
