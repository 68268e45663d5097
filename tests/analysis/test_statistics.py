"""What the analysis computes from trials, on curves written down by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.drawing.rows import mean_curve
from analysis.numbers.counts import SampleCount
from analysis.numbers.statistics import Spread, paired_difference, rank_correlation, saved_batches
from ssmpe.errors import UserError
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial, in_table_order

ALL = ("supervised", "timbre", "percussion", "geometric")


def trial(
    row: str,
    seed: int = 0,
    added_set: str = "",
    count: int = 0,
    reason: EndReason | None = EndReason.COMPLETED,
    f1: dict[int, float] | None = None,
    objectives: tuple[str, ...] = ALL,
    params: dict[str, str] | None = None,
) -> StoredTrial:
    """Return a trial with an F1 curve (batch -> value) on the validation set, blank rate 1 - F1."""
    f1 = f1 or {100: 0.5}
    steps = np.array(list(f1))
    values = np.array(list(f1.values()))
    curves = {
        "V/v/f1": MetricCurve(steps, values),
        "V/v/blank_rate": MetricCurve(steps, 1 - values),
    }
    fixed = {"training.n_batches": "400", "training.seed": str(seed), "data.validation": "V/v"}
    weights = {f"objectives.weights.{name}": "1.0" for name in objectives}
    added = {f"data.added.{added_set}": str(count)} if count else {}
    return StoredTrial(
        run_id=f"{row}-{seed}",
        row=row,
        seed=seed,
        added_set=added_set,
        added_excerpts=count,
        end_reason=reason,
        collapsed_at={},
        curves=curves,
        params={**fixed, **weights, **added, **(params or {})},
    )


def sweep(*trials: StoredTrial, planned: int = 0, state: str = "finished") -> StoredSweep:
    name = ("name", "script", "question", "preset", "data", state, "run", "1")
    return StoredSweep(*name, {}, planned, in_table_order(trials))


def test_spread_of_known_values():
    spread = Spread.of([1.0, float("nan"), 2.0, 3.0])
    assert (spread.n, spread.mean, spread.std, spread.low, spread.high) == (3, 2.0, 1.0, 1.0, 3.0)
    assert spread.text() == "2.000 ± 1.000"
    assert spread.text(decimals=1, signed=True) == "+2.0 ± 1.0"


def test_spread_of_one_and_of_none():
    assert Spread.of([0.25]).text() == "0.250"
    assert Spread.of([float("nan")]).text() == "–"


def test_rank_correlation_with_ties_by_hand():
    # ranks 1.5 1.5 3 4 and 1 2 3 4: covariance 4.5, variances 4.5 and 5
    found = rank_correlation([0, 0, 1, 2], [0.1, 0.2, 0.5, 0.9])
    assert found.rho == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert found.n == 4


@given(st.lists(st.integers(0, 50), min_size=3, max_size=20, unique=True))
def test_rank_correlation_of_a_monotone_relation_is_one(counts):
    assert rank_correlation(counts, [c**3 + 1 for c in counts]).rho == pytest.approx(1)
    assert rank_correlation(counts, [-c for c in counts]).rho == pytest.approx(-1)


def test_rank_correlation_of_what_does_not_vary_is_undefined():
    assert str(rank_correlation([0, 1, 2], [1.0, 1.0, 1.0])) == "ρ undefined"
    assert rank_correlation([0, 1], [0.0, 1.0]).short == "ρ –"


def test_paired_difference_compares_equal_numbers_of_batches():
    closed = [trial("Ref.", 0, f1={100: 0.5, 200: 0.6, 300: 0.9}), trial("Ref.", 1, f1={200: 0.7})]
    supervised = [
        trial("s", 1, f1={200: 0.8}),
        trial("s", 0, f1={100: 0.3, 200: 0.5}),
        trial("s", 2),
    ]
    found = paired_difference(closed, supervised, "V/v", "f1")
    assert found.batches == {0: 200, 1: 200}
    assert found.differences == pytest.approx({0: 0.1, 1: -0.1})
    assert found.spread.mean == pytest.approx(0)
    assert found.spread.std == pytest.approx(math.sqrt(0.02))


def test_closed_gain_leaves_out_runs_without_a_result():
    trials = [
        trial("supervised", 0, f1={100: 0.5}, objectives=("supervised",)),
        trial("supervised", 1, f1={100: 0.5}, objectives=("supervised",)),
        trial("Ref.", 0, f1={100: 0.7}),
        trial("Ref.", 1, f1={100: 0.1}, reason=EndReason.FAILED),
        trial("+X-1", 0, "X/x", 1),
    ]
    assert SampleCount.of(sweep(*trials)).closed_gain().differences == pytest.approx({0: 0.2})


def test_saved_batches_are_those_of_collapsed_runs():
    trials = [
        trial("a", f1={100: 0.1}, reason=EndReason.COLLAPSED),
        trial("b", f1={300: 0.1}, reason=EndReason.COLLAPSED),
        trial("c", f1={50: 0.1}, reason=EndReason.FAILED),
        trial("d", f1={400: 0.1}),
    ]
    saved = saved_batches(sweep(*trials))
    assert (saved.runs, saved.saved, saved.configured, saved.share) == (2, 400, 800, 0.5)
    assert math.isnan(saved_batches(sweep(trials[3])).share)


def test_what_is_undefined_at_the_end_is_not_what_it_was():
    whole = trial("Ref.", f1={100: 0.2, 200: 0.4, 300: 0.6, 400: 0.8})
    faded = MetricCurve(np.array([100, 200]), np.array([0.3, 0.5]))
    losses = {"loss/energy": faded, "loss/total": MetricCurve(np.arange(1, 5) * 100, np.ones(4))}
    found = replace(whole, curves={**whole.curves, "V/v/f1_best": faded, **losses})
    assert found.final("V/v", "f1") == 0.8
    assert math.isnan(found.final("V/v", "f1_best"))
    assert math.isnan(found.last("loss/energy"))
    assert found.last("loss/total") == 1.0
    assert found.recent("V/v", "f1_best") == 0.5, "of the last three validations, one has any"
    assert math.isnan(found.recent("V/v", "f1_best", k=2))
    assert math.isnan(found.final("W/w", "f1"))


def test_mean_curve_holds_the_last_value_of_a_stopped_run():
    long = MetricCurve(np.array([100, 200, 300]), np.array([0.2, 0.6, 0.8]))
    stopped = MetricCurve(np.array([100, 200]), np.array([0.4, 0.0]))
    mean = mean_curve([long, stopped])
    assert list(mean.steps) == [100, 200, 300]
    assert mean.values == pytest.approx([0.3, 0.3, 0.4])


def test_mean_curve_starts_with_those_that_have():
    late = MetricCurve(np.array([200]), np.array([1.0]))
    early = MetricCurve(np.array([100, 200]), np.array([0.2, 0.0]))
    assert mean_curve([late, early]).values == pytest.approx([0.2, 0.5])


def test_rows_that_differ_in_more_than_the_count_are_left_out():
    trials = [
        trial("Ref."),
        trial("+X-1", 0, "X/x", 1),
        # how much there is of the added set goes with it
        trial("+X-2", 0, "X/x", 2, params={"data.added.X/x": "2", "data.max_hours.X/x": "0.5"}),
        trial("+X-3", 0, "X/x", 3, params={"data.added.X/x": "3", "data.max_tracks.X/x": "5"}),
        trial("+X-2+EG", 0, "X/x", 2, objectives=(*ALL, "energy")),
        trial("+X-4-FT", 0, "X/x", 4, params={"training.learning_rate": "1e-4"}),
        trial("+X-4-half", 0, "X/x", 4, params={"data.max_hours.URMP/train": "1.0"}),
        trial("5-tracks+X-4", 0, "X/x", 4, params={"data.max_tracks.URMP/train": "5"}),
    ]
    comparison = SampleCount.of(sweep(*trials))
    assert [t.row for t in comparison.series("X/x")] == ["Ref.", "+X-1", "+X-2", "+X-3"]
    assert comparison.left_out == ("+X-2+EG", "+X-4-FT", "+X-4-half", "5-tracks+X-4")
    assert comparison.counts == (0, 1, 2, 3)


def test_comparison_without_a_closed_row():
    comparison = SampleCount.of(sweep(trial("+X-1", 0, "X/x", 1), trial("+X-2", 0, "X/x", 2)))
    assert comparison.counts == (1, 2)
    assert comparison.closed_gain().differences == {}


def test_comparison_needs_a_result_with_added_excerpts():
    with pytest.raises(UserError, match="no finished row adds"):
        SampleCount.of(sweep(trial("Ref."), trial("+X-1", 0, "X/x", 1, reason=EndReason.FAILED)))


@pytest.mark.parametrize(
    ("reason", "has_result"),
    [
        (EndReason.COMPLETED, True),
        (EndReason.COLLAPSED, True),
        (EndReason.PRUNED, False),
        (EndReason.FAILED, False),
        (EndReason.INTERRUPTED, False),
        (None, False),
    ],
)
def test_which_ends_are_results(reason, has_result):
    assert trial("a", reason=reason).has_result is has_result


def test_sweep_is_finished_when_every_planned_trial_has_ended():
    failed = trial("b", reason=EndReason.FAILED)
    interrupted = trial("c", reason=EndReason.INTERRUPTED)
    assert sweep(trial("a"), failed, planned=2, state="failed").finished
    assert sweep(trial("a"), failed, planned=4, state="failed").unfinished == 2
    assert sweep(trial("a"), interrupted, planned=2).unfinished == 1
    assert not sweep(trial("a"), state="running").finished


def test_rows_are_in_the_order_of_the_table():
    trials = [
        trial("+Y-1", 0, "Y/y", 1),
        trial("+X-4", 0, "X/x", 4),
        trial("+X-2", 0, "X/x", 2),
        trial("Ref."),
        trial("supervised", objectives=("supervised",)),
    ]
    assert sweep(*trials).rows == ("supervised", "Ref.", "+X-2", "+X-4", "+Y-1")
