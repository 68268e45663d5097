"""The weighted sum of the active objectives, and the passes of the network that it takes."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig, ObjectivesConfig
from ssmpe.objectives.base import Batch, Objective, Outputs, View

FUSED_NUMBERS = 1_000_000
"""of a batch's features, up to which one pass for all views is faster on CPUs: small passes waste
time between operations, large ones overflow the caches"""


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
        network: Callable[[Tensor], Tensor],
        batch: Batch,
        generator: Callable[[str], torch.Generator],
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The total, and every term unweighted and detached.

        Args:
            network: features (N, H, F, T) to logits (N, F, T).
            generator: objective's name to the CPU generator of its view's draws, so that no
                objective's draws depend on which others are active.
        """
        views = {
            objective.name: objective.make_view(batch, self.geometry, generator(objective.name))
            for objective, _ in self.terms
            if objective.make_view is not None
        }
        logits, view_logits = self._forward(network, batch, views)
        salience = torch.sigmoid(logits)
        targets = salience.detach() if self.config.stop_gradient else salience
        first = 0 if self.config.content_on == "all" else batch.n_labelled
        rows = slice(first, batch.features.shape[0])
        total = logits.new_zeros(())
        values = {}
        for objective, weight in self.terms:
            if objective.on_content and rows.start >= rows.stop:
                continue
            name = objective.name
            out = Outputs(logits, salience, targets, rows, views.get(name), view_logits.get(name))
            value = objective.loss(batch, out, self.geometry).mean()
            total = total + weight * value
            values[name] = value.detach()
        return total, values

    def _forward(
        self, network: Callable[[Tensor], Tensor], batch: Batch, views: Mapping[str, View]
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
