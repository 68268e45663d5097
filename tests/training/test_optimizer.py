"""The optimizer of a network: AdamW with the paper's settings, to the last bit."""

import copy
import sys
from inspect import unwrap
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.adamw import adamw

from ssmpe.config import GeometryConfig, ModelConfig, TrainingConfig
from ssmpe.network.model import Autoencoder
from ssmpe.training.optimizer import DISCRIMINATOR_RATE, optimizer_of, restore, scale_rates

TRAINING = TrainingConfig(learning_rate=1e-2, decoder_lr_factor=0.5, weight_decay=0.03)
DEVICES = ["cpu", "cuda"]
"""Devices whose kernels are tried; the second's are fused, and run on CPUs, too."""


def network() -> Autoencoder:
    torch.manual_seed(1)
    geometry = GeometryConfig(n_bins=46, bins_per_octave=12, harmonics=(1.0, 2.0))
    return Autoencoder(geometry, ModelConfig(complexity=1)).channels_last()


def give_gradients(network: Autoencoder, index: int) -> None:
    """Set gradients that depend on the step alone; one weight has one every other step only."""
    generator = torch.Generator().manual_seed(index)
    for number, p in enumerate(network.parameters()):
        gradient = torch.randn(p.shape, generator=generator)
        p.grad = gradient if number != 3 or index % 2 else None


def steps(optimizer: torch.optim.AdamW, network: Autoencoder, first: int, last: int) -> None:
    for index in range(first, last):
        give_gradients(network, index)
        scale_rates(optimizer, min(1.0, (index + 1) / 4))
        optimizer.step()


def by_hand(network: Autoencoder, n_steps: int, fused: bool) -> None:
    """Train by PyTorch's function with the values written out, as version 0.3.0 did."""
    weights = list(network.parameters())
    decoder = {id(p) for p in network.decoder.parameters()}
    rates = [5e-3 if id(p) in decoder else 1e-2 for p in weights]
    moments: dict[int, dict[str, Tensor]] = {}
    for index in range(n_steps):
        give_gradients(network, index)
        gradients = {i: p.grad for i, p in enumerate(weights) if p.grad is not None}
        for rate in sorted(set(rates)):
            own = [i for i in gradients if rates[i] == rate]
            for i in own:
                zeros = torch.zeros_like(weights[i], memory_format=torch.preserve_format)
                new = {"step": torch.zeros(()), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}
                moments.setdefault(i, new)
            adamw(
                [weights[i] for i in own],
                [gradients[i] for i in own],
                [moments[i]["exp_avg"] for i in own],
                [moments[i]["exp_avg_sq"] for i in own],
                [],
                [moments[i]["step"] for i in own],
                foreach=not fused,
                fused=fused,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=rate * min(1.0, (index + 1) / 4),
                weight_decay=0.03,
                eps=1e-8,
                maximize=False,
            )


def assert_same(one: Autoencoder, other: Autoencoder) -> None:
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("device", DEVICES)
def test_it_moves_weights_as_pytorch_s_function_does(device):
    ours, theirs = network(), network()
    steps(optimizer_of(ours, TRAINING, device), ours, 0, 9)
    with torch.no_grad():
        by_hand(theirs, 9, fused=device != "cpu")
    assert_same(ours, theirs)
    assert not torch.equal(ours.encoder.input.weight, network().encoder.input.weight)


def test_it_needs_nothing_that_is_there_to_compile(monkeypatch):
    """To import that takes a second of every process that trains."""
    for method in (AdamW.add_param_group, AdamW.zero_grad, AdamW.state_dict, AdamW.load_state_dict):
        monkeypatch.delattr(unwrap(method), "__dynamo_disable", raising=False)  # imported before
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # to import it now fails
    ours = network()
    optimizer = optimizer_of(ours, TRAINING, "cpu")
    steps(optimizer, ours, 0, 1)
    optimizer.zero_grad()
    restore(optimizer, optimizer.state_dict())


def as_0_3_0_kept(state: dict[str, Any]) -> dict[str, Any]:
    names = ("params", "lr", "full_lr")
    groups = [{name: group[name] for name in names} for group in state["param_groups"]]
    return {"state": state["state"], "param_groups": groups}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("form", [dict, as_0_3_0_kept])
def test_it_goes_on_from_its_own_state_and_from_that_of_0_3_0(form, device):
    first, second, whole = network(), network(), network()
    before = optimizer_of(first, TRAINING, device)
    steps(before, first, 0, 4)
    second.load_state_dict(first.state_dict())
    after = optimizer_of(second, TRAINING, device)
    restore(after, form(before.state_dict()))
    steps(after, second, 4, 9)
    steps(optimizer_of(whole, TRAINING, device), whole, 0, 9)
    assert_same(second, whole)


def test_settings_are_those_of_the_configuration_whatever_a_state_says():
    ours = network()
    optimizer = optimizer_of(ours, TRAINING, "cpu")
    steps(optimizer, ours, 0, 2)
    other = copy.deepcopy(optimizer.state_dict())
    for group in other["param_groups"]:
        group |= {"weight_decay": 0.0, "betas": (0.5, 0.5), "fused": True, "full_lr": 3.0}
    restore(optimizer, other)
    for group, full in zip(optimizer.param_groups, (1e-2, 5e-3), strict=True):
        kept = [group[name] for name in ("weight_decay", "betas", "fused", "full_lr")]
        assert kept == [0.03, (0.9, 0.999), False, full]


def test_moments_are_laid_out_as_their_weights():
    ours = network()
    first, second = (optimizer_of(ours, TRAINING, "cpu") for _ in range(2))
    steps(first, ours, 0, 2)
    restore(second, first.state_dict())
    weight = ours.encoder.input.weight
    for optimizer in (first, second):
        moment: Tensor = optimizer.state[weight]["exp_avg"]
        assert moment.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("state"),
        lambda state: state["state"][0].pop("exp_avg"),
        lambda state: state["state"][0].pop("step"),
        lambda state: state["state"][0].update(exp_avg_sq=torch.zeros(3)),
        lambda state: state["state"][0].update(step=torch.zeros(2)),
        lambda state: state["state"].update({999: state["state"][0]}),
        lambda state: state["state"].update({-1: state["state"][0]}),
        lambda state: state.update(state=[1, 2]),
    ],
)
def test_moments_of_other_weights_are_refused(change):
    ours = network()
    optimizer = optimizer_of(ours, TRAINING, "cpu")
    steps(optimizer, ours, 0, 1)
    state = copy.deepcopy(optimizer.state_dict())
    change(state)
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        restore(optimizer, state)


def test_every_part_has_its_own_rate_before_any_is_scaled():
    judge = torch.nn.Linear(2, 1)
    groups = optimizer_of(network(), TRAINING, "cpu", judge).param_groups
    assert [group["lr"] for group in groups] == [1e-2, 5e-3, DISCRIMINATOR_RATE]
    assert [group["full_lr"] for group in groups] == [1e-2, 5e-3, DISCRIMINATOR_RATE]
    assert groups[2]["params"] == [*judge.parameters()]
