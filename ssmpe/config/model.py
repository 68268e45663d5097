"""The network of a trial."""

from dataclasses import dataclass

from ssmpe.config.plain import require, require_within

ESTIMATES = ("energy", "harmonic_sum", "decomposition")
"""Estimates of the salience from the signal alone; ``ssmpe.signal.estimates`` has each."""
NETWORKS = ("autoencoder", *ESTIMATES)
"""What gives the salience."""

MOST_DECOMPOSITION = 1000.0
"""Largest weight of the decomposition beside a network."""


@dataclass(frozen=True)
class ModelConfig:
    """Size of the 2D autoencoder (paper section 2.2)."""

    complexity: int = 3
    """Number m: channels are 2**(i + 1) * 2**(m - 1) at level i."""
    skip_connections: bool = False
    """Whether a learnable scalar per level joins encoder and decoder; in the paper, none does."""
    output_bias: float | None = None
    """Bias of the last convolution at the start; None: PyTorch's own random start."""
    network: str = "autoencoder"
    """What gives the salience: the network, or a line to compare it with, for which nothing is
    trained: "energy", the energy estimate e_X; "harmonic_sum", a weighted mean of a pitch's
    harmonics in decibels; "decomposition", what each pitch explains of the spectrum."""

    decomposition: float = 0.0
    """Weight of the harmonic decomposition of the signal beside the logits wherever the output is
    used: a product of two experts (Hinton, ICANN 1999). What is trained is the network alone."""

    def __post_init__(self) -> None:
        known = ", ".join(map(repr, NETWORKS))
        require(self.network in NETWORKS, "model.network", self.network, f"one of {known}")
        require_within("model.complexity", self.complexity, 1, 6)
        if self.output_bias is not None:
            require_within("model.output_bias", self.output_bias, -1000, 1000)
        require_within("model.decomposition", self.decomposition, 0, MOST_DECOMPOSITION)
        if not self.learns:  # nothing that it would stand beside
            object.__setattr__(self, "decomposition", 0.0)

    @property
    def learns(self) -> bool:
        """Whether there is anything to train."""
        return self.network == "autoencoder"
