"""Gradients of other terms without their part against the supervised one's."""

import pytest
import torch
from torch import Tensor

from ssmpe.config import ObjectivesConfig
from ssmpe.objectives import REGISTRY, Step, TotalLoss
from ssmpe.objectives.total import _add_supervised
from tests.objectives.test_objectives import Network, generator
from tests.objectives.test_targets import invented

TERMS = ("supervised", "timbre", "geometric", "energy")


def joined(others: list[list[float]], supervised: list[list[float]]) -> list[list[float]]:
    """Return the gradients of weights, given those of the others and the supervised ones."""
    weights = [torch.zeros(len(g)) for g in others]
    for weight, gradient in zip(weights, others, strict=True):
        weight.grad = torch.tensor(gradient)
    _add_supervised([torch.tensor(s) for s in supervised], weights)
    return [w.grad.tolist() for w in weights if w.grad is not None]


def test_what_conflicts_loses_its_part_against():
    """Of u = (-3, 1) and s = (2, 0), u is to be (0, 1), over both weights as one vector."""
    assert joined([[-3.0], [1.0]], [[2.0], [0.0]]) == [[2.0], [1.0]]
    # u . s = -2 and s . s = 2: u is to be (-1, 1, 1)
    assert joined([[-2.0, 0.0, 1.0]], [[1.0, 1.0, 0.0]]) == [[0.0, 2.0, 1.0]]


def test_what_does_not_is_left():
    assert joined([[3.0], [1.0]], [[2.0], [0.0]]) == [[5.0], [1.0]]
    assert joined([[0.0], [1.0]], [[2.0], [0.0]]) == [[2.0], [1.0]]
    assert joined([[-3.0], [1.0]], [[0.0], [0.0]]) == [[-3.0], [1.0]]


def gradient_of(geometry, names: tuple[str, ...], project: bool, **settings) -> Tensor:
    """Return the gradient of these terms by all weights, flat."""
    config = ObjectivesConfig(dict.fromkeys(names, 1.0), project_conflicts=project, **settings)
    network = Network(-1.0)
    step = Step(network, invented(geometry), generator, weights=tuple(network.parameters()))
    TotalLoss(config, geometry, REGISTRY).backward(step)
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return torch.cat([g.flatten() for g in gradients])


@pytest.mark.parametrize("stop", [True, False])
def test_in_training_it_is_the_supervised_gradient_that_the_others_do_not_work_against(
    geometry, stop
):
    def gradient(names: tuple[str, ...], project: bool = False) -> Tensor:
        return gradient_of(geometry, names, project, stop_gradient=stop)

    s, u = gradient(TERMS[:1]).double(), gradient(TERMS[1:]).double()
    assert u @ s < 0, "they conflict"
    torch.testing.assert_close(gradient(TERMS).double(), s + u, rtol=1e-3, atol=1e-3)
    expected = s + u - (u @ s) / (s @ s) * s
    torch.testing.assert_close(gradient(TERMS, True).double(), expected, rtol=1e-3, atol=1e-3)


def test_losses_are_what_they_were(geometry):
    values = []
    for project in (False, True):
        config = ObjectivesConfig(dict.fromkeys(TERMS, 1.0), project_conflicts=project)
        network = Network(-1.0)
        step = Step(network, invented(geometry), generator, weights=tuple(network.parameters()))
        values.append(TotalLoss(config, geometry, REGISTRY).backward(step))
    assert {n: float(x) for n, x in values[0].items()} == pytest.approx(
        {n: float(x) for n, x in values[1].items()}, rel=1e-5
    )


def test_a_weight_that_no_term_depends_on_changes_nothing(geometry):
    """Its own gradient is zero."""
    found = []
    for spare in (False, True):
        config = ObjectivesConfig(dict.fromkeys(TERMS, 1.0), project_conflicts=True)
        network = Network(-1.0)
        weights = list(network.parameters())
        if spare:
            weights.append(torch.nn.Parameter(torch.ones(3)))
        TotalLoss(config, geometry, REGISTRY).backward(
            Step(network, invented(geometry), generator, weights=weights)
        )
        found.append([w.grad for w in weights])
    for ours, theirs in zip(*found, strict=False):
        torch.testing.assert_close(ours, theirs)
    assert found[1][-1] is not None
    assert not found[1][-1].any()
