"""Gradients of a batch whose views follow each other, against those of one graph of everything."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from ssmpe.config import OBJECTIVES, ModelConfig, ObjectivesConfig
from ssmpe.config.objectives import PseudoLabelsConfig
from ssmpe.network.model import Autoencoder
from ssmpe.objectives import REGISTRY, Batch, Step, TotalLoss, passes
from ssmpe.objectives.total import total_of
from ssmpe.seeding import torch_generator

N_LABELLED, N_EXCERPTS, N_FRAMES = 1, 3, 10
PAPER = ("supervised", "timbre", "percussion", "geometric")
SETTINGS = {
    "paper": ObjectivesConfig(weights=dict.fromkeys(PAPER, 0.7)),
    "stop": ObjectivesConfig(weights=dict.fromkeys(PAPER, 0.7), stop_gradient=True),
    "KL": ObjectivesConfig(weights=dict.fromkeys(PAPER, 0.7), consistency="KL"),
    "MSE": ObjectivesConfig(weights=dict.fromkeys(PAPER, 0.7), consistency="MSE"),
    "stop+H": ObjectivesConfig(weights=dict.fromkeys(PAPER, 0.7), consistency="stop+H"),
    "teacher": ObjectivesConfig(weights=dict.fromkeys(PAPER, 0.7), teacher_decay=0.9),
    "everything": ObjectivesConfig(weights=dict.fromkeys(OBJECTIVES, 0.3)),
    "views alone": ObjectivesConfig(weights={"timbre": 1.0, "transposition": 1.0}),
    "truth": ObjectivesConfig(weights=dict.fromkeys(PAPER, 0.7), labelled_targets="truth"),
    "signal": ObjectivesConfig(
        weights=dict.fromkeys(PAPER, 0.7),
        teacher_decay=0.9,
        pseudo_labels=PseudoLabelsConfig(ones=0.7, signal=40.0),
    ),
    "rising": ObjectivesConfig(weights={"supervised": 1.0, "timbre": 1.0}, ramp={"timbre": 0.5}),
    "fading": ObjectivesConfig(weights={"supervised": 1.0, "timbre": 1.0}, fade={"timbre": 0.5}),
}


@pytest.fixture(scope="module")
def batch(geometry):
    rng = torch.Generator().manual_seed(0)
    size = (N_EXCERPTS, geometry.n_harmonics, geometry.n_bins, N_FRAMES)
    features, percussive, mixture = (torch.rand(size, generator=rng) for _ in range(3))
    target = (torch.rand(N_LABELLED, *size[2:], generator=rng) > 0.95).float()
    return Batch(features, target, percussive, torch.ones(N_EXCERPTS, N_FRAMES), (), mixture)


@pytest.fixture
def network(geometry):
    torch.manual_seed(0)
    return Autoencoder(geometry, ModelConfig(complexity=1)).channels_last()


def generator(name: str) -> torch.Generator:
    return torch_generator("test", name)


def gradients(network: Autoencoder) -> list[Tensor]:
    found = [p.grad.clone() for p in network.parameters() if p.grad is not None]
    network.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("pass_numbers", [1, 10**9])
def test_the_gradient_is_that_of_one_graph(
    geometry, batch, network, monkeypatch, setting, pass_numbers
):
    """Excerpts one by one, and all together."""
    monkeypatch.setattr(passes, "PASS_NUMBERS", pass_numbers)
    config = SETTINGS[setting]
    teacher = None
    if config.teacher_decay is not None:
        torch.manual_seed(1)
        teacher = Autoencoder(geometry, ModelConfig(complexity=1)).channels_last()
    loss = TotalLoss(config, geometry, REGISTRY, fused=False)
    terms = loss.terms_of(Step(network, batch, generator, teacher, 0.3))
    total_of(terms).backward()
    expected = gradients(network)
    values = loss.backward(Step(network, batch, generator, teacher, 0.3))
    found = gradients(network)
    assert set(values) == {"total", *(term.name for term in terms)}
    for term in terms:
        torch.testing.assert_close(values[term.name], term.value.detach(), rtol=1e-5, atol=1e-6)
        assert not values[term.name].requires_grad
    torch.testing.assert_close(values["total"], total_of(terms).detach(), rtol=1e-5, atol=1e-6)
    assert len(found) == len(expected) == len(list(network.parameters()))
    scale = torch.stack([g.norm() for g in expected]).norm()
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).norm() <= 1e-5 * theirs.norm() + 1e-6 * scale


def test_only_cpus_take_large_batches_in_parts():
    """Of at most a million features, but an excerpt at least."""
    for size, lengths in ((250, [3]), (400, [2, 1]), (600, [1, 1, 1]), (1200, [1, 1, 1])):
        features = torch.empty(3, 1, 1000, size)
        assert [len(part) for part in passes.parts(features)] == lengths
        assert [len(part) for part in passes.parts(features.to("meta"))] == [3]


def test_gradients_are_added(geometry, batch, network):
    loss = TotalLoss(SETTINGS["paper"], geometry, REGISTRY, fused=False)
    loss.backward(Step(network, batch, generator))
    once = [p.grad.clone() for p in network.parameters()]
    loss.backward(Step(network, batch, generator))
    for p, before in zip(network.parameters(), once, strict=True):
        torch.testing.assert_close(p.grad, 2 * before)


class _Kept:
    """An activation that is kept for the gradient, and counted while it is."""

    now, most = 0, 0

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        _Kept.now += tensor.numel()
        _Kept.most = max(_Kept.most, _Kept.now)

    def __del__(self) -> None:
        _Kept.now -= self.tensor.numel()


@contextmanager
def counted() -> Iterator[None]:
    _Kept.now = _Kept.most = 0
    with torch.autograd.graph.saved_tensors_hooks(_Kept, lambda kept: kept.tensor):
        yield


def test_no_more_than_half_of_the_activations_are_kept_at_a_time(geometry, batch, network):
    """With the paper's three views, those of the originals and of one view: two of four."""
    most = {}
    for fused in (True, False):
        loss = TotalLoss(SETTINGS["paper"], geometry, REGISTRY, fused=fused)
        with counted():
            loss.backward(Step(network, batch, generator))
        most[fused] = _Kept.most
    assert most[False] < 0.56 * most[True]
