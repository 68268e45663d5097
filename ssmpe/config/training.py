"""The optimisation of a trial."""

import re
from dataclasses import dataclass

from ssmpe.config.plain import require


@dataclass(frozen=True)
class TrainingConfig:
    """Optimisation (paper section 3.1); lengths are counted in batches."""

    seed: int = 0
    n_batches: int = 10_000
    validate_every: int = 250
    """batches between two validations, each with a checkpoint"""
    learning_rate: float = 5e-4
    """of the encoder"""
    decoder_lr_factor: float = 0.5
    warmup_batches: int = 400
    clip_norm: float = 1.0
    weight_decay: float = 0.01
    mixed_precision: bool = True
    """bf16 on GPUs, by PyTorch's autocast; without effect on CPUs"""
    mixed_precision_on_cpus: bool = False
    """the same on CPUs, whose numbers then are others by its rounding"""
    parent: str = ""
    """identity of the trial whose best weights this one starts from; "": random weights"""

    def __post_init__(self) -> None:
        require(self.n_batches >= 1, "training.n_batches", self.n_batches, "at least 1")
        every = self.validate_every
        require(every >= 1, "training.validate_every", every, "at least 1")
        lr = self.learning_rate
        require(0 < lr < 1, "training.learning_rate", lr, "a number between 0 and 1")
        factor = self.decoder_lr_factor
        require(factor > 0, "training.decoder_lr_factor", factor, "above 0")
        require(self.warmup_batches >= 0, "training.warmup_batches", self.warmup_batches, "from 0")
        require(self.clip_norm > 0, "training.clip_norm", self.clip_norm, "above 0")
        require(self.weight_decay >= 0, "training.weight_decay", self.weight_decay, "from 0")
        ok = re.fullmatch(r"([0-9a-f]{12})?", self.parent) is not None
        require(ok, "training.parent", self.parent, "a trial's identity, 12 hexadecimal digits")
