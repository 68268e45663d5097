"""Figures of what was measured in training, from a real MLflow store with invented numbers."""

import csv
from dataclasses import dataclass

import numpy as np
import pytest

from analysis import gradients
from analysis.gradients import draw_conflicts, draw_output
from analysis.numbers.diagnosed import Measured
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.store import read_sweep
from tests.analysis.test_figures import check_texts
from tests.support.analysis_store import Invented, drawn, store_in, write_sweep

LABELLED, ADDED = "URMP/train", "MusicNet/train"
TERMS = ("geometric", "timbre")


@dataclass
class Diagnosed(Invented):
    """A trial in which cosines fall linearly, and the pull on the added set is twice as strong."""

    def curves(self, sets: tuple[str, ...]) -> dict[str, dict[int, float]]:
        curves = super().curves(sets)
        batches = range(50, self.last_batch + 1, 50)
        trained = [LABELLED, ADDED] if self.added else [LABELLED]
        for part in ("encoder", "decoder"):
            curves[schema.gradient_metric(part, "norm", "supervised")] = dict.fromkeys(batches, 2.0)
            for term in TERMS:
                falling = {b: 0.5 - b / 400 for b in batches}
                curves[schema.gradient_metric(part, "cosine", term)] = falling
                curves[schema.gradient_metric(part, "norm", term)] = dict.fromkeys(batches, 1.0)
        for factor, name in enumerate(trained, start=1):
            for term in TERMS:
                pull = schema.pull_metric("target", "mean", term, name)
                curves[pull] = dict.fromkeys(batches, -1.5 * factor)
                curves[schema.term_metric(term, name)] = dict.fromkeys(batches, 20.0 / factor)
            values = {"mean": 0.02, "change": -0.001, "peak": 0.4, "entropy": 10.0}
            for measure, value in values.items():
                curves[schema.salience_metric(measure, name)] = dict.fromkeys(batches, value)
        return curves


@pytest.fixture(scope="module")
def uri(empty_store, tmp_path_factory):
    uri = store_in(tmp_path_factory.mktemp("store"), empty_store)
    rows = [Diagnosed("Ref.", seed) for seed in (0, 1)]
    rows += [Diagnosed("+MN-8", seed, ADDED, 8) for seed in (0, 1)]
    supervised = Invented("supervised", 0, weights={"supervised": 1.0})
    write_sweep(uri, "measured", [*rows, supervised, Invented("supervised", 1, weights={})])
    write_sweep(uri, "plain", [Invented("Ref.", 0)])
    return uri


@pytest.fixture(scope="module")
def found(uri):
    return Measured.of(read_sweep(uri, "measured"))


def test_terms_and_sets_are_those_in_the_store(found):
    assert found.terms == TERMS
    assert found.sets == (LABELLED, ADDED)


def test_curves_are_made_of_the_numbers_in_the_store(found):
    (trial, _), (closed, _) = found.sweep.of_row("+MN-8"), found.sweep.of_row("Ref.")
    assert set(found.relative_norm(trial, "decoder", "timbre").values) == {0.5}
    assert set(found.pull(trial, "target", ADDED).values) == {-6.0}
    assert set(found.pull(trial, "target", LABELLED).values) == {-3.0}
    assert found.relative_change(trial, ADDED).values[0] == pytest.approx(-5.0)
    assert found.pull(closed, "target", ADDED) is None


def test_everything_is_written_and_said(uri, tmp_path):
    rendered = drawn(gradients.FIGURE, uri, "measured", tmp_path)
    names = {file.name for file in rendered.files}
    assert {"gradients.png", "output_movement.png", "gradients.csv"} <= names
    with (tmp_path / "gradients.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    n_batches, n_gradients, n_of_a_set = 8, 2 * (1 + 2 * len(TERMS)), 2 * len(TERMS) + 4
    assert len(lines) == n_batches * 2 * (2 * n_gradients + 3 * n_of_a_set)
    metric = schema.gradient_metric("encoder", "cosine", "timbre")
    cosines = [float(x["value"]) for x in lines if x["row"] == "Ref." and x["metric"] == metric]
    mean = np.mean(cosines)
    assert f"timbre {mean:+.3f}" in "\n".join(rendered.findings)
    assert "target -6.000" in "\n".join(rendered.findings)
    assert "supervised, cosine" not in "\n".join(rendered.findings)


def test_a_sweep_without_diagnostics_says_how_to_record_them(uri, tmp_path):
    with pytest.raises(UserError, match="--diagnostics EVERY") as error:
        drawn(gradients.FIGURE, uri, "plain", tmp_path)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("draw", [draw_conflicts, draw_output])
def test_no_text_overlaps_or_leaves_the_page(found, draw):
    figure = draw(found)
    check_texts(figure)
