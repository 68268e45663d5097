"""What there is without a network: the signal itself, scored as a network's output would be.

Whatever is below this line in a table has learnt less than its input tells by itself.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssmpe.config import GeometryConfig, ModelConfig
from ssmpe.network.model import Autoencoder
from ssmpe.signal.features import energy_estimate

SLOPE = 40.0
"""Logits per unit of scaled decibels: one for every two decibels."""


def harmonic_sum(features: Tensor, harmonics: tuple[float, ...]) -> Tensor:
    """Return the mean (B, F, T) of features (B, H, F, T) over the harmonics h >= 1, weighted 1 / h.

    Subharmonic summation (Hermes, J. Acoust. Soc. Am. 83, 1988) with decibels as compressed
    amplitudes. Of weights 1, 0.84**(h - 1) (Hermes), 1 / h and h**-2, these have the highest
    average precision on the labelled validation set of the embedded world.
    """
    h = torch.tensor(harmonics)
    weights = torch.where(h >= 1, 1.0 / h, 0.0).to(features)
    return torch.einsum("bhft,h->bft", features, weights / weights.sum())


class _Estimate(NamedTuple):
    """Estimate of salience from the signal.

    Attributes:
        values: function from features (B, H, F, T) of whole tracks, and their harmonics, to values
            (B, F, T) in scaled decibels.
        middle: the value whose salience is one half. It is a choice, about the best on the embedded
            world, not learnt: scores at one half tell little.
    """

    values: Callable[[Tensor, tuple[float, ...]], Tensor]
    middle: float


_ESTIMATES = {
    "energy": _Estimate(energy_estimate, 0.8),
    "harmonic_sum": _Estimate(harmonic_sum, 0.68),
}


class SignalAlone(Autoencoder):
    """Output that is a function of the features: it has no weights, and nothing is trained."""

    def __init__(self, geometry: GeometryConfig, model: ModelConfig) -> None:
        nn.Module.__init__(self)
        self.encoder, self.decoder = nn.Identity(), nn.Identity()  # type: ignore[assignment]
        self._estimate, self._harmonics = _ESTIMATES[model.network], geometry.harmonics

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (B, F, T) of the features (B, H, F, T) of whole tracks."""
        values = self._estimate.values(features, self._harmonics)
        return SLOPE * (values - self._estimate.middle)


def network_of(geometry: GeometryConfig, model: ModelConfig) -> Autoencoder:
    """Return the network of a configuration, with weights as PyTorch draws them if it has any."""
    return Autoencoder(geometry, model) if model.learns else SignalAlone(geometry, model)
