"""The figure of what pulls the output down, from a real MLflow store with invented numbers."""

import csv
from dataclasses import dataclass

import numpy as np
import pytest

from analysis import explanation
from analysis.explanation import CONTINUED, START, Explained, draw_measured, draw_theory
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.store import read_sweep
from tests.analysis.test_figures import check_texts
from tests.analysis.test_gradients import ADDED, TERMS, Diagnosed
from tests.support.analysis_store import Invented, drawn, store_in, write_sweep

PARENT = "0123456789ab"


@dataclass
class Compared(Diagnosed):
    """A trial whose pull through Y is all below one half, and whose content stays."""

    consistency: str = "BCE"
    parent: str = ""

    def curves(self, sets: tuple[str, ...]) -> dict[str, dict[int, float]]:
        curves = super().curves(sets)
        batches = range(50, self.last_batch + 1, 50)
        for term in TERMS if self.added else ():
            for side, value in (("below", -1.25), ("above", 0.25)):
                key = schema.pull_metric("target", side, term, ADDED)
                curves[key] = dict.fromkeys(batches, value)
        for measure in ("average_precision", "f1_tuned"):
            curves[schema.set_metric("MusicNet/test", measure)] = dict.fromkeys(batches, 0.625)
        return curves

    def params(self, sets: tuple[str, ...]) -> dict[str, str]:
        own = {"objectives.consistency": self.consistency, "training.parent": self.parent}
        return {**super().params(sets), **own}


@pytest.fixture(scope="module")
def uri(empty_store, tmp_path_factory):
    uri = store_in(tmp_path_factory.mktemp("store"), empty_store)
    trials: list[Invented] = []
    for later, parent in (("", ""), ("-on", PARENT)):
        trials.append(Compared(f"Ref.{later}", 0, parent=parent))
        for way, consistency in (("", "BCE"), ("+KL", "KL")):
            row = f"+MN-8{way}{later}"
            trials.append(Compared(row, 0, ADDED, 8, consistency=consistency, parent=parent))
    write_sweep(uri, "compared", trials)
    write_sweep(uri, "alike", trials[:2])
    return uri


@pytest.fixture(scope="module")
def found(uri):
    return Explained.of(read_sweep(uri, "compared"))


def test_rows_that_begin_otherwise_have_the_names_and_colours_of_those_from_the_start(found):
    assert (found.added, found.scored) == (ADDED, "MusicNet/test")
    assert list(found.groups) == [START, CONTINUED]
    for sweep in found.groups.values():
        assert sweep.rows == ("Ref.", "+MN-8", "+MN-8+KL")


def test_it_is_of_sweeps_that_compare_in_several_ways_and_were_measured(uri):
    assert explanation.FIGURE.applies(read_sweep(uri, "compared"))
    assert not explanation.FIGURE.applies(read_sweep(uri, "alike"))
    with pytest.raises(UserError, match="in one way"):
        Explained.of(read_sweep(uri, "alike"))


def test_everything_is_written_and_said(uri, tmp_path):
    rendered = drawn(explanation.FIGURE, uri, "compared", tmp_path)
    names = {file.name for file in rendered.files}
    assert {"explanation.png", "explanation_theory.svg", "explanation.csv"} <= names
    said = "\n".join(rendered.findings)
    assert f"+MN-8+KL, {START}: pull, below ½ target -2.50; pull, above ½ target +0.50" in said
    assert "average precision 0.62" in said
    with (tmp_path / "explanation.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    below = [x for x in lines if x["what"] == "pull, below ½" and x["row"] == "+MN-8"]
    assert {float(x["value"]) for x in below} == {-2.5}
    assert {x["begin"] for x in below} == {START, CONTINUED}
    assert not [x for x in lines if x["row"] == "Ref." and x["place"]], "no such music in it"


def test_the_theory_is_the_derivative_of_the_losses():
    """Central differences of the formulas by Y."""
    y, q, step = np.array([0.05, 0.3, 0.8]), 0.2, 1e-6

    def entropy(p):
        return -(p * np.log(p) + (1 - p) * np.log1p(-p))

    def bce(p):
        return -(p * np.log(q) + (1 - p) * np.log1p(-q))

    losses = [bce, lambda p: bce(p) - entropy(p), lambda p: 4 * (p - q) ** 2, entropy]
    for loss, pull in zip(losses, explanation.PULL_ON_TARGET.values(), strict=True):
        slope = (loss(y + step) - loss(y - step)) / (2 * step)
        np.testing.assert_allclose(pull(y, q), -slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("draw", [draw_measured, draw_theory])
def test_no_text_overlaps_or_leaves_the_page(found, draw):
    figure = draw(found)
    check_texts(figure)
    assert figure.get_figwidth() * 200 <= 1600, "legible at 880 pixels"
