"""Passes of a batch through the network, as few activations kept as its gradient allows."""

from collections.abc import Callable

import torch
from torch import Tensor

Network = Callable[[Tensor], Tensor]
"""Function from features (N, H, F, T) to logits (N, F, T)."""

PASS_NUMBERS = 1_000_000
"""Number of features that run through the network together on CPUs, if that is more than one
excerpt: activations of more overflow the caches."""


class Pass:
    """Pass of one version of a batch through the network; gradients wait at its output.

    The loss is computed from logits that are cut off from the network. What it leaves there as
    their gradient goes on into the network when ``backward`` is called, and the activations are
    free: views can follow each other instead of being kept side by side until the last.

    Attributes:
        logits: (B, F, T) float32, without history.
    """

    def __init__(self, network: Network, features: Tensor) -> None:
        self._outputs = [network(part).float() for part in parts(features)]
        self.logits = torch.cat([out.detach() for out in self._outputs]).requires_grad_()

    def backward(self, again: bool = False) -> None:
        """Add what has arrived at the logits to the gradients of the weights.

        Args:
            again: more will arrive there, and this is to be called once more.
        """
        if self.logits.grad is None:
            return
        sizes = [len(out) for out in self._outputs]
        arrived = list(self.logits.grad.split(sizes))
        torch.autograd.backward(self._outputs, arrived, retain_graph=again)
        self.logits.grad = None
        if not again:
            self._outputs = []


def parts(features: Tensor) -> tuple[Tensor, ...]:
    """Split features (B, H, F, T) into the excerpts that go through the network together."""
    if features.device.type != "cpu":
        return (features,)
    return features.split(max(1, PASS_NUMBERS // features[0].numel()))
