"""AdamW (Loshchilov & Hutter 2019) and its rates (paper section 3.1)."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from ssmpe.config import TrainingConfig
from ssmpe.network.model import Autoencoder

BETAS, EPSILON = (0.9, 0.999), 1e-8


def lr_scale(batch: int, warmup: int) -> float:
    """Factor of the learning rate in batch number ``batch`` (from 1): a raised cosine, then 1."""
    if batch > warmup:
        return 1.0
    return 0.5 * (1.0 - math.cos(math.pi * batch / (warmup + 1)))


def optimizer_of(network: Autoencoder, training: TrainingConfig, device: str) -> "AdamW":
    """Encoder and decoder as groups with rates of their own."""
    decoder = list(network.decoder.parameters())
    own = {id(p) for p in decoder}
    encoder = [p for p in network.parameters() if id(p) not in own]
    rates = training.learning_rate, training.learning_rate * training.decoder_lr_factor
    groups = [
        {"params": params, "lr": rate, "full_lr": rate}
        for params, rate in zip((encoder, decoder), rates, strict=True)
    ]
    return AdamW(groups, training.weight_decay, fused=device != "cpu")


class AdamW:
    """PyTorch's AdamW, to the last bit, with the same groups and the same state.

    The arithmetic is PyTorch's own function. Its optimizer class is left out because it imports
    PyTorch's compiler, a second of every process that trains.
    """

    def __init__(
        self, groups: Iterable[dict[str, Any]], weight_decay: float, fused: bool = False
    ) -> None:
        """Take groups of parameters: "params", "lr" and "full_lr", which ``scale_rates`` scales.

        Args:
            fused: one kernel for all of a group, as GPUs want it; last bits differ.
        """
        self.param_groups = [{**group, "params": list(group["params"])} for group in groups]
        self.weight_decay, self.fused = weight_decay, fused
        self._state: dict[Tensor, dict[str, Tensor]] = {}

    def scale_rates(self, scale: float) -> None:
        """Set every group's rate to a share of its full one."""
        for group in self.param_groups:
            group["lr"] = scale * group["full_lr"]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            states = [self._state_of(p) for p in moved]
            adamw(
                moved,
                [p.grad for p in moved],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                foreach=not self.fused,
                fused=self.fused,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=group["lr"],
                weight_decay=self.weight_decay,
                eps=EPSILON,
                maximize=False,
            )

    def state_dict(self) -> dict[str, Any]:
        """As PyTorch's AdamW gives it: parameters by their place over all groups."""
        places = {id(p): place for place, p in enumerate(self._parameters())}
        groups = [
            {**group, "params": [places[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {places[id(p)]: dict(values) for p, values in self._state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; moments move to their parameters' device."""
        for group, kept in zip(self.param_groups, state["param_groups"], strict=True):
            group.update({key: kept[key] for key in group if key != "params"})
        parameters = list(self._parameters())
        self._state = {}
        for place, values in state["state"].items():
            parameter = parameters[place]
            moments = {name: _like(values[name], parameter) for name in ("exp_avg", "exp_avg_sq")}
            step = values["step"].to(self._device_of_counter(parameter), copy=True)
            self._state[parameter] = {"step": step, **moments}

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        if parameter not in self._state:
            step = torch.zeros((), device=self._device_of_counter(parameter))
            zeros = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            self._state[parameter] = {"step": step, "exp_avg": zeros, "exp_avg_sq": zeros.clone()}
        return self._state[parameter]

    def _device_of_counter(self, parameter: Tensor) -> torch.device:
        # a kernel reads its own; elsewhere it is read on the host, which would wait for a device
        return parameter.device if self.fused else torch.device("cpu")

    def _parameters(self) -> Iterable[Tensor]:
        return (p for group in self.param_groups for p in group["params"])


def _like(moment: Tensor, parameter: Tensor) -> Tensor:
    return torch.empty_like(parameter).copy_(moment)
