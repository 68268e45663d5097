"""What is measured in training: against its definition, and without a trace in the result."""

import csv
import dataclasses
import math

import pytest
import torch

from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.objectives import Step
from ssmpe.runner.trial import reports
from ssmpe.seeding import torch_generator
from ssmpe.tracking import schema
from ssmpe.training.diagnostics import (
    N_BANDS,
    conflicts,
    histogram,
    of_set,
    pull_measures,
    salience_measures,
)
from ssmpe.training.trainer import Trainer

LABELLED, ADDED = "URMP/train", "NSynth/train"


@pytest.fixture(scope="module")
def config(brief):
    """Six batches of two labelled and one added excerpt, with a term of each kind."""
    weights = {"supervised": 1.0, "timbre": 0.25, "sparsity": 0.5}
    return brief.replace({"objectives.weights": weights, "data.evaluation": []})


@pytest.fixture(scope="module")
def sets(world, config):
    return load_sets(config.data, config.geometry.sample_rate, Locations(world), cache_dir())


@pytest.fixture(scope="module")
def measured(config, sets):
    """Measured at the batches 0 and 3 of 6, with a validation after every second."""
    trainer = Trainer(config, sets, diagnostics=3)
    return trainer, list(trainer.run())


def one_batch(config, sets):
    """Return a trainer that has measured a batch, and that batch's terms as they were before."""
    trainer = Trainer(config, sets, diagnostics=1)
    trainer.network.train()

    def generator(name):
        return torch_generator("view", name, config.training.seed, 0)

    terms = trainer.loss.terms_of(Step(trainer.network, trainer.batches(0), generator))
    values = trainer._step(0)
    assert trainer.diagnostics
    diagnosis = trainer.diagnostics.collect()
    assert diagnosis
    return trainer, {term.name: term for term in terms}, diagnosis, values


def test_no_result_changes(config, sets, measured):
    state = torch.random.get_rng_state()
    plain = Trainer(config, sets)
    validations = list(plain.run())
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = measured[0].network.state_dict()
    assert all(torch.equal(w, weights[name]) for name, w in plain.network.state_dict().items())
    for ours, theirs in zip(validations, measured[1], strict=True):
        assert ours.diagnosis is None
        assert repr(ours.losses) == repr(theirs.losses)
        assert repr(ours.scores) == repr(theirs.scores)


def test_measured_where_asked(measured):
    assert [v.diagnosis is not None for v in measured[1]] == [True, True, False]


def test_a_resumed_trial_measures_the_same(config, sets, measured, tmp_path):
    first = Trainer(config, sets, diagnostics=3)
    next(first.run())
    first.save(tmp_path / "checkpoint")
    second = Trainer(config, sets, diagnostics=3)
    second.load(tmp_path / "checkpoint")
    again = [v.diagnosis for v in second.run()]
    assert again == [v.diagnosis for v in measured[1][1:]]


def test_the_parts_of_a_gradient_make_the_whole(config, sets):
    """Of the supervised term alone, whose gradient is that of the training step."""
    alone = config.replace({"objectives.weights": {"supervised": 0.5}})
    _, _, diagnosis, values = one_batch(alone, sets)
    parts = [diagnosis.gradients[part, "norm", "supervised"] for part in ("encoder", "decoder")]
    assert math.hypot(*parts) == pytest.approx(float(values["gradient norm"]), rel=1e-5)
    assert not [key for key in diagnosis.gradients if "cosine" in key]


def test_losses_per_set_make_the_term(config, sets):
    _, _, diagnosis, values = one_batch(config, sets)
    assert diagnosis.losses.keys() == {
        ("supervised", LABELLED),
        ("timbre", LABELLED),
        ("timbre", ADDED),
        ("sparsity", ADDED),
    }
    timbre = (2 * diagnosis.losses["timbre", LABELLED] + diagnosis.losses["timbre", ADDED]) / 3
    assert timbre == pytest.approx(float(values["timbre"]), rel=1e-5)
    assert diagnosis.losses["sparsity", ADDED] == pytest.approx(float(values["sparsity"]), rel=1e-5)


def test_pulls_are_the_derivatives_of_the_cross_entropy(config, sets):
    """By the view's logits l: Y - sigmoid(l); through the target: l, times the slope of Y."""
    _, terms, diagnosis, _ = one_batch(config, sets)
    out = terms["timbre"].out
    y, view = out.salience.detach(), out.view_logits.detach()
    expected = {"view": y - view.sigmoid(), "target": view * y * (1 - y)}
    for where, pull in expected.items():
        for name, rows in ((LABELLED, slice(0, 2)), (ADDED, slice(2, 3))):
            frames = 0.25 * pull[rows].sum(dim=1)
            mean = diagnosis.pulls[where, "mean", "timbre", name]
            assert mean == pytest.approx(float(frames.mean()), rel=1e-3, abs=1e-6)
            size = 0.25 * pull[rows].square().sum(dim=1).mean().sqrt()
            assert diagnosis.pulls[where, "norm", "timbre", name] == pytest.approx(
                float(size), 1e-3
            )
            assert diagnosis.pulls[where, "below", "timbre", name] == pytest.approx(mean)
            assert diagnosis.pulls[where, "above", "timbre", name] == 0.0
    # the output begins below a half, where the target asks for less
    assert diagnosis.pulls["target", "mean", "timbre", ADDED] < 0
    assert ("output", "mean", "sparsity", LABELLED) not in diagnosis.pulls


def test_a_pull_is_told_below_and_above_a_half():
    """As the cross-entropy has it through its target: down below, up above."""
    logits = torch.tensor([-3.0, -1.0, 0.5, 2.0]).repeat(2, 5, 1).mT
    y = logits.sigmoid()
    pulls = {name: float(v) for name, v in pull_measures(-logits * y * (1 - y), logits).items()}
    parts = (logits * y * (1 - y))[0, :, 0]
    assert parts[:2].max() < 0 < parts[2:].min()
    assert pulls["below"] == pytest.approx(float(parts[:2].sum()))
    assert pulls["above"] == pytest.approx(float(parts[2:].sum()))
    assert pulls["below"] + pulls["above"] == pytest.approx(pulls["mean"], abs=1e-6)


def test_a_term_with_a_discriminator_is_measured_without_a_trace(config, sets):
    adversarial = config.replace({"objectives.weights.adversarial": 3.75})
    trainer, _, diagnosis, _ = one_batch(adversarial, sets)
    assert diagnosis.pulls["output", "norm", "adversarial", ADDED] > 0
    assert ("output", "norm", "adversarial", LABELLED) not in diagnosis.pulls
    plain = Trainer(adversarial, sets)
    plain.network.train()
    plain._step(0)
    weights = trainer._state()
    for part in ("network", "loss"):
        for name, weight in plain._state()[part].items():
            assert torch.equal(weight, weights[part][name])


def test_nothing_pulls_through_a_target_without_gradient(config, sets):
    stopped = config.replace({"objectives.stop_gradient": True})
    _, _, diagnosis, _ = one_batch(stopped, sets)
    assert diagnosis.pulls["target", "norm", "timbre", ADDED] == 0
    assert diagnosis.pulls["view", "norm", "timbre", ADDED] > 0


def test_the_change_is_that_of_the_output(config, sets):
    trainer, terms, diagnosis, _ = one_batch(config, sets)
    with torch.no_grad():
        after = trainer.network(trainer.batches(0).features).sigmoid()
    moved = (after - terms["timbre"].out.salience.detach())[2:].mean()
    assert diagnosis.salience["change", ADDED] == pytest.approx(float(moved), rel=1e-2)
    assert moved != 0


def test_cosines():
    x, y = torch.eye(2)
    found = conflicts({"supervised": x, "timbre": -3 * x, "energy": y, "sparsity": 0 * x})
    cosines = {term: float(v) for (measure, term), v in found.items() if measure == "cosine"}
    assert cosines == {"timbre": -1.0, "energy": 0.0, "sparsity": 0.0}
    assert float(found["norm", "timbre"]) == 3.0


def test_salience_between_its_limits():
    """Undecided bins have one bit each, decided ones none."""
    undecided = salience_measures(torch.full((2, 8, 5), 0.5))
    assert float(undecided["entropy"]) == pytest.approx(8.0)
    decided = torch.zeros(2, 8, 5)
    decided[:, 3] = 1.0
    measures = {name: float(value) for name, value in salience_measures(decided).items()}
    assert measures == {"mean": 0.125, "peak": 1.0, "entropy": 0.0}
    assert histogram(decided).tolist() == [0.875, *[0.0] * (N_BANDS - 2), 0.125]


def test_excerpts_of_a_set_need_not_be_neighbours():
    assert of_set(torch.arange(3), ("a", "b", "a"), "a").tolist() == [0, 2]


def test_everything_has_a_name_of_its_own(measured):
    validation = measured[1][0]
    diagnosis = validation.diagnosis
    fields = (diagnosis.gradients, diagnosis.losses, diagnosis.pulls, diagnosis.salience)
    metrics = reports.diagnostic_metrics(diagnosis)
    assert len(metrics) == sum(map(len, fields))
    assert metrics.items() <= reports.metrics_of(validation).items()
    plain = reports.metrics_of(dataclasses.replace(validation, diagnosis=None))
    assert not metrics.keys() & plain.keys()


def test_histograms_are_tables(measured, tmp_path):
    for number, validation in enumerate(measured[1]):
        reports.save_histogram(validation, tmp_path / str(number))
    assert not (tmp_path / "2").exists()
    with (tmp_path / "0" / schema.histogram_file(2)).open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["set"] for line in lines] == [LABELLED] * N_BANDS + [ADDED] * N_BANDS
    assert [lines[9][edge] for edge in ("low", "high")] == ["0.9", "1"]
    assert sum(float(line["share"]) for line in lines) == pytest.approx(2.0)
