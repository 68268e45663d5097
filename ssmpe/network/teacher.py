"""A slowly moving average of a network's weights, whose output can be what views are taught.

After the mean teacher (Tarvainen and Valpola, arXiv 1703.01780). As no gradient reaches the
average, the network cannot agree with its targets by making them less; and as the average lags
behind, a fall of the output meets targets from before it.
"""

import copy
from typing import Any

import torch

from ssmpe.network.model import Autoencoder


class Teacher:
    """Moving average of a network's weights: theta' = decay * theta' + (1 - decay) * theta.

    It begins with the weights that the network has now.

    Args:
        decay: above 0; the average remembers about 1 / (1 - decay) batches, and with 1 no other
            weights than those that it began with.
    """

    def __init__(self, network: Autoencoder, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def follow(self, network: Autoencoder) -> None:
        """Take the network's weights after a step of the optimizer into the average."""
        if self.decay == 1:
            return
        for mean, weight in zip(self.network.parameters(), network.parameters(), strict=True):
            mean.lerp_(weight, 1.0 - self.decay)

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged weights, under the network's names."""
        return self.network.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state)
