"""Where the network computes in bf16 while it is trained."""

from collections.abc import Callable

import torch
from torch import Tensor

from ssmpe.config import TrainingConfig
from ssmpe.errors import UserError


class PrecisionError(UserError):
    """A processor that has no instructions for what a trial asks for."""


def mixed(training: TrainingConfig, device: str) -> bool:
    """Tell whether training computes convolutions and products of matrices in bf16.

    Raises:
        PrecisionError: they are to be on a CPU, and this machine's has no instructions for it.
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
    """Tell whether this machine's processor has instructions for products in bf16."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def logits_of(network: Callable[[Tensor], Tensor], features: Tensor, *, mixed: bool) -> Tensor:
    """Return a network's logits in float32, computed in bf16 on the way if asked.

    Objectives would lose digits in bf16.
    """
    with torch.autocast(features.device.type, torch.bfloat16, enabled=mixed):
        return network(features).float()


def without_tf32() -> None:
    """Have this process's GPU convolve float32 in float32, from here on.

    By default cuDNN rounds it to 10 bits of mantissa (TF32), by which neighbouring bins tie and
    decibels of what is soft are wrong. What is ``mixed`` is fast all the same.
    """
    torch.backends.cudnn.allow_tf32 = False
