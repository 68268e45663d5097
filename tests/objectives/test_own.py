"""Objectives of a user's own: named, weighed and refused like the package's."""

from collections.abc import Iterator

import pytest
import torch

from ssmpe.config import GeometryConfig, ObjectivesConfig, TrialConfig
from ssmpe.config import objectives as config_objectives
from ssmpe.config.presets import tiny
from ssmpe.errors import UserError
from ssmpe.objectives import REGISTRY, Batch, Outputs, Step, TotalLoss, View, objective

WEIGHT = "objectives.weights.huber"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Forget what a test has added."""
    known, names = dict(REGISTRY), set(config_objectives._own)
    yield
    REGISTRY.clear()
    REGISTRY.update(known)
    config_objectives._own.clear()
    config_objectives._own.update(names)


def squared(batch: Batch, out: Outputs, g: GeometryConfig) -> torch.Tensor:
    return (out.salience**2).sum(dim=-2)


@pytest.fixture
def step() -> Step:
    g = tiny().geometry
    features = torch.rand(3, g.n_harmonics, g.n_bins, 7, generator=torch.Generator().manual_seed(0))
    weight = torch.tensor(1.0, requires_grad=True)
    batch = Batch(features, torch.zeros(2, g.n_bins, 7))
    return Step(lambda x: weight * x[:, 0], batch, lambda name: torch.Generator().manual_seed(1))


def test_a_weight_names_it_wherever_the_package_s_are_named():
    with pytest.raises(UserError, match=r"weights = .huber.: expected one of superv"):
        tiny().replace({WEIGHT: 1.0})
    objective("huber", squared)
    config = tiny().replace({WEIGHT: 2.0, "objectives.ramp.huber": 0.5, "objectives.fade.huber": 1})
    assert config.objectives.weights["huber"] == 2.0
    assert config.objectives.ramp == {"huber": 0.5}
    assert config.replace({WEIGHT: 0}) == tiny()
    assert config.replace({WEIGHT: 0}).identity == tiny().identity


def test_the_order_of_terms_is_not_that_in_which_they_came():
    given = {"zeta": 1.0, "alpha": 1.0, "timbre": 1.0}
    assert list(ObjectivesConfig(weights=given).weights) == ["timbre", "alpha", "zeta"]


def test_a_stored_configuration_is_read_and_changed_without_it_but_not_trained(step):
    objective("huber", squared)
    config = tiny().replace({WEIGHT: 1.0})
    config_objectives._own.clear()
    del REGISTRY["huber"]
    read = TrialConfig.from_dict(config.to_dict())
    assert read.identity == config.identity
    assert read.replace({"training.seed": 3}).objectives == config.objectives
    with pytest.raises(UserError, match="'huber' is not the package's, and no file has brought it"):
        TotalLoss(read.objectives, read.geometry, REGISTRY)


def of(loss, step, **options) -> dict[str, torch.Tensor]:
    objective("huber", loss, **options)
    config = tiny().replace({WEIGHT: 1.0}).objectives
    own = ObjectivesConfig(weights={"huber": config.weights["huber"]})
    return TotalLoss(own, tiny().geometry, REGISTRY).backward(step)


@pytest.mark.parametrize("fused", [10**9, 0])
def test_its_mean_is_the_term(step, monkeypatch, fused):
    monkeypatch.setattr("ssmpe.objectives.total.FUSED_NUMBERS", {"cpu": fused})
    values = of(squared, step)
    expected = (step.batch.features[:, 0].sigmoid() ** 2).sum(dim=1).mean()
    assert float(values["huber"]) == pytest.approx(float(expected), rel=1e-5)


def halved(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    return View(batch.features[..., :3], lambda salience: salience)


@pytest.mark.parametrize("fused", [10**9, 0])
@pytest.mark.parametrize(
    ("loss", "options", "said"),
    [
        (lambda b, o, g: o.salience, {}, r"returned \(3, 88, 7\), expected \(3, 7\): sum over f"),
        (lambda b, o, g: o.salience.sum(), {}, r"returned \(\), expected \(3, 7\): a loss for"),
        (lambda b, o, g: o.salience.sum(dim=-2)[:1], {}, r"returned \(1, 7\), expected \(3, 7\)"),
        (lambda b, o, g: 0.5, {}, r"returned float, expected \(3, 7\)"),
        (squared, {"on_content": True}, r"returned \(3, 7\), expected \(1, 7\)"),
        (lambda b, o, g: torch.ones(3, 7), {}, "returned a constant"),
        (squared, {"make_view": halved}, r"made a view of \(3, \d+, \d+, 3\), not \(3, "),
        (squared, {"make_view": lambda *_: 3}, "made int, expected a View"),
    ],
)
def test_what_is_no_loss_is_refused_at_the_first_batch(
    step, monkeypatch, fused, loss, options, said
):
    monkeypatch.setattr("ssmpe.objectives.total.FUSED_NUMBERS", {"cpu": fused})
    n_bins = tiny().geometry.n_bins
    with pytest.raises(UserError, match="objective 'huber' " + said.replace("88", str(n_bins))):
        of(loss, step, **options)


def test_the_loss_of_the_labelled_excerpts_alone_is_one(step):
    assert of(lambda b, o, g: squared(b, o, g)[: b.n_labelled], step).keys() == {"total", "huber"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("timbre", squared), "an objective's name = 'timbre': expected one that is free"),
        (("total", squared), "an objective's name = 'total': expected one that is free"),
        (("my loss", squared), "an objective's name = 'my loss': expected letters"),
        (("a.b", squared), "an objective's name = 'a.b': expected letters"),
        (("huber", 3), "objective 'huber': loss = 3: expected a function"),
    ],
)
def test_what_is_no_objective_is_one_line(given, said):
    with pytest.raises(UserError, match=said):
        objective(*given)


def test_what_it_needs_has_to_exist():
    with pytest.raises(UserError, match="needs 'pitch': expected one of percussive, rms, sets, mi"):
        objective("huber", squared, needs=("pitch",))
