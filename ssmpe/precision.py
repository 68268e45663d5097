"""Where the network computes in bf16 while it is trained."""

from contextlib import AbstractContextManager

import torch

from ssmpe.config import TrainingConfig
from ssmpe.errors import UserError


class PrecisionError(UserError):
    """A processor has no instructions for what a trial asks for."""


def mixed(training: TrainingConfig, device: str) -> bool:
    """Whether convolutions and products of matrices of training are computed in bf16.

    Raises:
        PrecisionError: they are to be, and this machine's processor would be slower so.
    """
    if device != "cpu":
        return training.mixed_precision
    if training.mixed_precision_on_cpus and not cpu_has_bf16():
        raise PrecisionError(
            "training.mixed_precision_on_cpus: this processor has no instructions for bf16 "
            "(on x86: AVX512-BF16 or AMX); leave it out"
        )
    return training.mixed_precision_on_cpus


def cpu_has_bf16() -> bool:
    """Whether this machine's processor multiplies in bf16, faster than in float32."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def autocast(device: str, enabled: bool) -> AbstractContextManager[None]:
    """PyTorch's bf16 where it is asked for."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=enabled)
