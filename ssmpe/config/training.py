"""The optimisation of a trial."""

import re
from dataclasses import dataclass

from ssmpe.config.plain import LARGEST, require, require_within

_MOST_BATCHES = 1_000_000_000
"""Largest number of batches, of a trial or of a part of it."""
_STRONGEST = 1e30
"""Largest norm and weight decay: float32 still holds what is multiplied by them once."""


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of the optimisation (paper section 3.1); lengths are counted in batches."""

    seed: int = 0
    n_batches: int = 10_000
    validate_every: int = 250
    """Batches from one validation to the next, each with a checkpoint."""
    learning_rate: float = 5e-4
    """Learning rate of the encoder."""
    decoder_lr_factor: float = 0.5
    """Learning rate of the decoder in units of the encoder's."""
    warmup_batches: int = 400
    clip_norm: float = 1.0
    """Norm to which longer gradients are shortened."""
    weight_decay: float = 0.01
    mixed_precision: bool = True
    """Whether GPUs compute in bf16, by PyTorch's autocast; without effect on CPUs."""
    mixed_precision_on_cpus: bool = False
    """The same for CPUs, whose numbers then are others by its rounding."""
    parent: str = ""
    """Identity of the trial whose best weights this one starts from; "": random weights."""

    def __post_init__(self) -> None:
        require_within("training.seed", self.seed, 0, LARGEST)
        require_within("training.n_batches", self.n_batches, 1, _MOST_BATCHES)
        require_within("training.validate_every", self.validate_every, 1, _MOST_BATCHES)
        lr = self.learning_rate
        require(0 < lr < 1, "training.learning_rate", lr, "a number between 0 and 1")
        factor = self.decoder_lr_factor
        what = "above 0, 1000 at the most"
        require(0 < factor <= 1000, "training.decoder_lr_factor", factor, what)
        require_within("training.warmup_batches", self.warmup_batches, 0, _MOST_BATCHES)
        clip, what = self.clip_norm, f"above 0, {_STRONGEST:g} at the most"
        require(0 < clip <= _STRONGEST, "training.clip_norm", clip, what)
        require_within("training.weight_decay", self.weight_decay, 0, _STRONGEST)
        ok = re.fullmatch(r"([0-9a-f]{12})?", self.parent) is not None
        require(ok, "training.parent", self.parent, "a trial's identity, 12 hexadecimal digits")
