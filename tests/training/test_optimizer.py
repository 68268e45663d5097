"""The optimizer is PyTorch's AdamW, to the last bit, without importing its compiler."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from ssmpe.training.optimizer import AdamW

SHAPES = ((3, 4), (2, 3, 3, 3), (5,), (1,))
WEIGHT_DECAY = 0.03


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    made = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]
    made[1].data = made[1].data.contiguous(memory_format=torch.channels_last)
    return made


def groups(params: list[nn.Parameter]) -> list[dict]:
    return [
        {"params": params[:2], "lr": 1e-2, "full_lr": 1e-2},
        {"params": params[2:], "lr": 5e-3, "full_lr": 5e-3},
    ]


def steps(optimizer, params: list[nn.Parameter], first: int, last: int) -> None:
    """Gradients that hang on the step alone; the last parameter has one every other step only."""
    for index in range(first, last):
        generator = torch.Generator().manual_seed(index)
        for group in optimizer.param_groups:
            group["lr"] = group["full_lr"] * min(1.0, (index + 1) / 4)
        optimizer.zero_grad()
        for p in params:
            gradient = torch.randn(p.shape, generator=generator)
            if p is not params[-1] or index % 2:
                p.grad = gradient
        optimizer.step()


def pytorchs(params: list[nn.Parameter], fused: bool = False) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        groups(params), weight_decay=WEIGHT_DECAY, fused=fused, foreach=not fused
    )


def own(params: list[nn.Parameter], fused: bool = False) -> AdamW:
    return AdamW(groups(params), WEIGHT_DECAY, fused)


def assert_same(one: list[nn.Parameter], other: list[nn.Parameter]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("fused", [False, True])
def test_it_moves_parameters_as_pytorchs_does(fused):
    a, b = parameters(), parameters()
    steps(own(a, fused), a, 0, 9)
    steps(pytorchs(b, fused), b, 0, 9)
    assert_same(a, b)
    assert not any(torch.equal(p, q) for p, q in zip(a, parameters(), strict=True))


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("before", [own, pytorchs])
def test_it_goes_on_from_a_state_of_its_own_and_from_pytorchs(before, fused):
    a, b = parameters(), parameters()
    first = before(a, fused)
    steps(first, a, 0, 4)
    second = own(b, fused)
    for p, q in zip(b, a, strict=True):
        p.data.copy_(q.data)
    second.load_state_dict(first.state_dict())
    steps(second, b, 4, 9)
    whole = parameters()
    steps(pytorchs(whole, fused), whole, 0, 9)
    assert_same(b, whole)


def test_moments_are_laid_out_as_their_parameters():
    params = parameters()
    first, second = own(params), own(params)
    steps(first, params, 0, 2)
    second.load_state_dict(first.state_dict())
    for optimizer in (first, second):
        moment: Tensor = optimizer._state[params[1]]["exp_avg"]
        assert moment.is_contiguous(memory_format=torch.channels_last)


def test_a_process_that_trains_does_not_import_a_compiler():
    program = (
        "import sys, torch; from ssmpe.training.optimizer import AdamW;"
        "import ssmpe.runner.trial.trainable;"
        "p = torch.nn.Parameter(torch.ones(3)); p.grad = torch.ones(3);"
        "torch.nn.utils.clip_grad_norm_([p], 1.0);"
        "AdamW([{'params': [p], 'lr': 0.1}], 0.0).step();"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
