"""What there is without a network: the signal itself, scored as a network's output would be.

Whatever is below this line in a table has learnt less than its input tells by itself.
"""

from torch import Tensor, nn

from ssmpe.config import GeometryConfig, ModelConfig
from ssmpe.network.model import Autoencoder
from ssmpe.signal.estimates import ESTIMATES

SLOPE = 40.0
"""Logits per unit of scaled decibels: one for every two decibels."""
MIDDLES = {"energy": 0.8, "harmonic_sum": 0.68, "decomposition": 0.5}
"""Values of the estimates whose salience is one half. They are a choice, about the best on the
embedded world, not learnt: scores at one half tell little."""


class SignalAlone(Autoencoder):
    """Output that is a function of the features: it has no weights, and nothing is trained."""

    def __init__(self, geometry: GeometryConfig, model: ModelConfig) -> None:
        nn.Module.__init__(self)
        self.encoder, self.decoder = nn.Identity(), nn.Identity()  # type: ignore[assignment]
        self._name, self.geometry = model.network, geometry
        self.decomposition = model.decomposition

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (B, F, T) of the features (B, H, F, T) of whole tracks."""
        values = ESTIMATES[self._name](features, self.geometry)
        return SLOPE * (values - MIDDLES[self._name])


def network_of(geometry: GeometryConfig, model: ModelConfig) -> Autoencoder:
    """Return the network of a configuration, with weights as PyTorch draws them if it has any."""
    return Autoencoder(geometry, model) if model.learns else SignalAlone(geometry, model)
