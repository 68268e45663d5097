"""Virtual adversarial training, of a network whose gradient can be written down."""

import pytest
import torch

from ssmpe.config import ObjectivesConfig
from ssmpe.config.presets import tiny
from ssmpe.experiments import deltas
from ssmpe.experiments.estimate import batch_macs
from ssmpe.objectives import REGISTRY, Batch, Step, TotalLoss
from ssmpe.objectives.base import bce
from ssmpe.objectives.vat import FIRST_STEP, RADIUS, VAT, worst
from tests.objectives.test_objectives import Network, generator


@pytest.fixture
def batch(geometry):
    rng = torch.Generator().manual_seed(0)
    features = torch.rand(3, geometry.n_harmonics, geometry.n_bins, 12, generator=rng)
    return Batch(features, torch.zeros(1, geometry.n_bins, 12))


def first_view(batch, geometry):
    assert VAT.make_view is not None
    return VAT.make_view(batch, geometry, generator("vat"))


def test_the_first_change_is_a_random_one_of_a_length(geometry, batch):
    change = first_view(batch, geometry).features - batch.features
    lengths = change.square().sum(dim=(1, 2)).sqrt()
    torch.testing.assert_close(lengths, torch.full_like(lengths, FIRST_STEP), rtol=1e-4, atol=0)
    assert not torch.allclose(change[0], change[1])


def test_the_worst_change_is_along_the_gradient(geometry, batch):
    """Of logits f = w.x + b, cross-entropy with y = s(f) has the gradient (s(f(x + r)) - y) w."""
    network, first = Network(0.3), first_view(batch, geometry)
    found = worst(network, batch.features, first).features - batch.features
    with torch.no_grad():
        before, after = (network(x).sigmoid() for x in (batch.features, first.features))
        gradient = torch.einsum("bft,h->bhft", after - before, network.weights)
    lengths = gradient.square().sum(dim=(1, 2), keepdim=True).sqrt()
    torch.testing.assert_close(found, RADIUS * gradient / lengths, rtol=1e-2, atol=1e-4)
    assert network.weights.grad is None, "the search leaves no gradient behind"


def test_it_moves_the_output_more_than_a_random_change_of_its_length(geometry, batch):
    network, first = Network(-1.0), first_view(batch, geometry)
    random = batch.features + RADIUS / FIRST_STEP * (first.features - batch.features)
    found = worst(network, batch.features, first).features
    with torch.no_grad():
        own = network(batch.features).sigmoid()
        moved = [
            float(bce(network(x), own).mean() - bce(network(batch.features), own).mean())
            for x in (found, random)
        ]
    assert moved[0] > 2 * moved[1] > 0


def test_an_output_that_minds_nothing_is_left_alone(geometry, batch):
    def constant(features):
        return 0.0 * features.sum(dim=1)

    view = worst(constant, batch.features, first_view(batch, geometry))
    assert torch.equal(view.features, batch.features)


def test_the_loss_is_that_of_the_network_s_own_output_unmoved(geometry, batch):
    """With a teacher and the truth as targets of others, too."""
    config = ObjectivesConfig(
        weights={"vat": 1.0}, teacher_decay=0.9, labelled_targets="truth"
    )  # fmt: skip
    network = Network(-1.0)
    step = Step(network, batch, generator, Network(2.0))
    (term,) = TotalLoss(config, geometry, REGISTRY).terms_of(step)
    assert term.out.view is not None
    logits = network(term.out.view.features)
    torch.testing.assert_close(term.frames, bce(logits, network(batch.features).sigmoid().detach()))
    (arriving,) = torch.autograd.grad(term.value, term.out.logits, materialize_grads=True)
    assert not arriving.any()


def test_the_row_costs_two_more_views():
    base = tiny()
    more = base.replace(deltas.vat(base).changes)
    assert deltas.vat(base).name == "+VAT"
    assert more.objectives.weights["vat"] == base.objectives.weights["timbre"]
    assert 4 * batch_macs(more) / batch_macs(base) == pytest.approx(4 + 2)
