"""AdamW (Loshchilov & Hutter 2019), for trials that are many and short."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

BETAS, EPSILON = (0.9, 0.999), 1e-8


class AdamW:
    """PyTorch's AdamW, to the last bit, with the same groups and the same state.

    The arithmetic is PyTorch's own function. Its optimizer class is left out because it imports
    PyTorch's compiler, a second of every process that trains.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], weight_decay: float) -> None:
        """Take groups of parameters: "params", "lr", and whatever else is to be kept with them."""
        self.param_groups = [{**group, "params": list(group["params"])} for group in groups]
        self.weight_decay = weight_decay
        self._state: dict[Tensor, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            states = [self._state.setdefault(p, _start(p)) for p in moved]
            adamw(
                moved,
                [p.grad for p in moved],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                foreach=True,
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
        """Go on from there; moments move to their parameters' device, counters stay on the CPU."""
        for group, kept in zip(self.param_groups, state["param_groups"], strict=True):
            group.update({key: kept[key] for key in group if key != "params"})
        parameters = list(self._parameters())
        self._state = {}
        for place, values in state["state"].items():
            parameter = parameters[place]
            moments = {name: _like(values[name], parameter) for name in ("exp_avg", "exp_avg_sq")}
            self._state[parameter] = {"step": values["step"].clone(), **moments}

    def _parameters(self) -> Iterable[Tensor]:
        return (p for group in self.param_groups for p in group["params"])


def _start(parameter: Tensor) -> dict[str, Tensor]:
    # the counter on the CPU: reading one on a device would wait for it
    zeros = torch.zeros_like(parameter, memory_format=torch.preserve_format)
    return {"step": torch.tensor(0.0), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}


def _like(moment: Tensor, parameter: Tensor) -> Tensor:
    return torch.empty_like(parameter).copy_(moment)
