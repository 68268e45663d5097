"""AdamW (Loshchilov & Hutter 2019) and its learning rates (paper section 3.1)."""

import math
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from ssmpe.config import TrainingConfig
from ssmpe.network.model import Autoencoder

MOMENTS = ("exp_avg", "exp_avg_sq")
"""Names under which AdamW keeps the means of the gradients and of their squares."""
DISCRIMINATOR_RATE = 1e-3
"""Learning rate of a discriminator; source: ``ssmpe.objectives.adversarial``."""


class EagerAdamW(AdamW):
    """AdamW, to the bit, without what PyTorch wraps its methods in for ``torch.compile`` alone.

    That imports ``torch._dynamo``, which takes a second of every process that trains.
    """

    add_param_group = unwrap(AdamW.add_param_group)
    state_dict = unwrap(AdamW.state_dict)
    load_state_dict = unwrap(AdamW.load_state_dict)
    zero_grad = unwrap(AdamW.zero_grad)
    step = torch.no_grad()(unwrap(AdamW.step))


def lr_scale(batch: int, warmup: int) -> float:
    """Return the factor of the learning rate in batch number ``batch``, counted from 1.

    It rises as a raised cosine over ``warmup`` batches, and is 1 from then on.
    """
    if batch > warmup:
        return 1.0
    return 0.5 * (1.0 - math.cos(math.pi * batch / (warmup + 1)))


def optimizer_of(
    network: Autoencoder,
    training: TrainingConfig,
    device: str,
    discriminator: nn.Module | None = None,
) -> EagerAdamW:
    """Return the optimizer of a network: a group for the encoder and one for the decoder.

    Each group has a learning rate of its own; "full_lr" is the one after warm-up.

    Args:
        discriminator: trained along with the network, in a group of its own.
    """
    decoder = list(network.decoder.parameters())
    own = {id(p) for p in decoder}
    encoder = [p for p in network.parameters() if id(p) not in own]
    rate = training.learning_rate
    parts = [(encoder, rate), (decoder, rate * training.decoder_lr_factor)]
    if discriminator is not None:
        parts.append(([*discriminator.parameters()], DISCRIMINATOR_RATE))
    groups = [{"params": weights, "lr": full, "full_lr": full} for weights, full in parts]
    # one kernel for all of a group, as GPUs want it; its last bits differ
    fused = device != "cpu"
    return EagerAdamW(groups, weight_decay=training.weight_decay, fused=fused, foreach=not fused)


def scale_rates(optimizer: AdamW, scale: float) -> None:
    """Set the rate of every group to a share of its full one."""
    for group in optimizer.param_groups:
        group["lr"] = scale * group["full_lr"]


def restore(optimizer: AdamW, state: dict[str, Any]) -> None:
    """Put the moments of a stored state into an optimizer of the same weights.

    Settings and rates stay the optimizer's own: they follow from the configuration. States of
    version 0.3.0 name fewer of them.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: it is no state of such weights.
    """
    weights = dict(enumerate(p for group in optimizer.param_groups for p in group["params"]))
    for place, kept in state["state"].items():
        _check_moments(kept, weights[place])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state["state"]})


def _check_moments(kept: dict[str, Tensor], weight: Tensor) -> None:
    shapes = {name: kept[name].shape for name in MOMENTS}
    if kept["step"].numel() != 1 or any(shape != weight.shape for shape in shapes.values()):
        raise ValueError("moments of other weights")
