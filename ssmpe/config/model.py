"""The network of a trial."""

from dataclasses import dataclass

from ssmpe.config.plain import require_within


@dataclass(frozen=True)
class ModelConfig:
    """Size of the 2D autoencoder (paper section 2.2)."""

    complexity: int = 3
    """Number m: channels are 2**(i + 1) * 2**(m - 1) at level i."""
    skip_connections: bool = False
    """Whether a learnable scalar per level joins encoder and decoder; in the paper, none does."""
    output_bias: float | None = None
    """Bias of the last convolution at the start; None: PyTorch's own random start."""

    def __post_init__(self) -> None:
        require_within("model.complexity", self.complexity, 1, 6)
        if self.output_bias is not None:
            require_within("model.output_bias", self.output_bias, -1000, 1000)
