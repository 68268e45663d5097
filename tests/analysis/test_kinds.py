"""Kinds of collapse and headline measures of stored sweeps, on curves written down by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.drawing.style import MEASURE_LABELS
from analysis.numbers.comparison import MEASURES
from analysis.numbers.kinds import BLANK, Kinds, kind
from ssmpe.evaluation.collapse import Kind
from ssmpe.evaluation.scores import ALL_MEASURES
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.stored.records import MetricCurve, StoredTrial
from tests.analysis.test_statistics import sweep, trial

WHERE = "X/x"
ALIVE, SUNK = [0.9, 0.1, 0.1, 0.1], [0.9, 0.1, 0.8, 0.9]
KEPT, LOST = [0.1, 0.6, 0.6, 0.6], [0.1, 0.6, 0.3, 0.2]


def scored(one: StoredTrial, **measures: list[float]) -> StoredTrial:
    """Return a trial with such curves on a set, and a validation set that comes alive."""
    steps = np.array([100, 200, 300, 400])
    curves = {f"{WHERE}/{m}": MetricCurve(steps, np.array(v)) for m, v in measures.items()}
    labelled = {"V/v/blank_rate": MetricCurve(steps, np.array(ALIVE))}
    return replace(one, curves={**labelled, **curves})


@pytest.mark.parametrize(
    ("blank", "precision", "expected"),
    [
        (ALIVE, KEPT, ""),
        (SUNK, KEPT, Kind.LEVEL_SUNK),
        (SUNK, LOST, Kind.CONTENT_LOST),
        (ALIVE, LOST, Kind.CONTENT_LOST),
        # never rises, which only the reference row can tell
        (ALIVE, [0.1, 0.2, 0.3, 0.4], Kind.CONTENT_LOST),
        (SUNK, None, BLANK),
        (ALIVE, None, ""),
    ],
)
def test_the_kind_is_told_from_the_curves_and_the_reference(blank, precision, expected):
    measured = {} if precision is None else {"average_precision": precision}
    fallen = scored(trial("+X-8", 0, "X/x", 8), blank_rate=blank, **measured)
    reference = scored(trial("Ref."), blank_rate=ALIVE, average_precision=KEPT)
    assert kind(sweep(reference, fallen), fallen, WHERE) == expected


def test_the_reference_is_of_the_same_seed_if_there_is_one():
    def with_precision(row: str, seed: int, *values: float) -> StoredTrial:
        one = trial(row, seed, *(() if row == "Ref." else ("X/x", 8)))
        return scored(one, blank_rate=ALIVE, average_precision=list(values))

    low, high = (0.1, 0.2, 0.3, 0.3), (0.1, 0.3, 0.5, 0.6)
    rows = [with_precision("Ref.", 1, *low), with_precision("Ref.", 0, *high)]
    rows += [with_precision("+X", seed, *low) for seed in (0, 1, 2)]
    found = sweep(*rows)
    said = [kind(found, t, WHERE) for t in found.of_row("+X")]
    # of seed 2, the first there is: that of seed 0
    assert said == [Kind.CONTENT_LOST, "", Kind.CONTENT_LOST]


def test_a_weaker_row_that_adds_nothing_has_lost_nothing():
    """Nor has one without a network; but what goes on from a collapsed trial is compared."""
    weak = {"blank_rate": ALIVE, "average_precision": [0.1, 0.2, 0.3, 0.3]}
    reference = scored(trial("Ref."), blank_rate=ALIVE, average_precision=KEPT)
    supervised = scored(trial("supervised", objectives=("supervised",)), **weak)
    regenerated = scored(trial("-regen", params={"training.parent": "x"}), **weak)
    signal = trial("no network", 0, "X/x", 8, params={"model.network": "energy"})
    found = sweep(reference, supervised, regenerated, signal := scored(signal, **weak))
    said = {t.row: kind(found, t, WHERE) for t in (supervised, regenerated, signal)}
    assert said == {"supervised": "", "-regen": Kind.CONTENT_LOST, "no network": ""}
    lost = scored(trial("-T"), blank_rate=ALIVE, average_precision=LOST)
    assert kind(found, lost, WHERE) == Kind.CONTENT_LOST


def test_kinds_are_counted_over_the_trials_that_count():
    trials = [
        scored(trial("+X-8", seed, reason=reason), blank_rate=SUNK, average_precision=precision)
        for seed, (reason, precision) in enumerate(
            [
                (EndReason.COMPLETED, KEPT),
                (EndReason.COLLAPSED, KEPT),
                (EndReason.COLLAPSED, LOST),
                (EndReason.FAILED, LOST),
            ]
        )
    ]
    found = Kinds.of(sweep(*trials), trials, WHERE)
    assert found.text() == "level sunk 2/3, content lost 1/3"
    assert Kinds.of(sweep(*trials), trials, "V/v").text() == "–"


def test_the_last_validations_are_averaged():
    one = trial("a", f1={100: 0.0, 200: 0.3, 300: 0.6, 400: 0.3})
    assert one.recent("V/v", "f1") == pytest.approx(0.4)
    assert one.recent("V/v", "f1", k=2) == pytest.approx(0.45)
    assert trial("a", f1={100: 0.2}).recent("V/v", "f1") == pytest.approx(0.2)
    assert math.isnan(one.recent("V/v", "f1_tuned"))


def test_the_headline_is_tuned_where_every_trial_that_counts_is():
    old = trial("Ref.")
    new = scored(trial("+X-1", 0, "X/x", 1), blank_rate=ALIVE, average_precision=KEPT)
    failed = trial("+X-2", 0, "X/x", 2, reason=EndReason.FAILED)
    assert (sweep(new, failed).f1, sweep(new, failed).blank) == ("f1_tuned", "blank_rate_tuned")
    for of_old in (sweep(old), sweep(old, new)):
        assert (of_old.f1, of_old.blank) == ("f1", "blank_rate")


def test_every_measure_that_is_logged_is_read_and_has_a_name():
    assert set(MEASURES) == set(ALL_MEASURES) == set(MEASURE_LABELS)
    assert len(set(MEASURE_LABELS.values())) == len(MEASURE_LABELS)
