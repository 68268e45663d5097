"""Time spent and saved, added up by hand and drawn."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from analysis import spending
from analysis.drawing import style
from analysis.drawing.tables import comma_separated
from analysis.numbers.costs import GPUS, Spending
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import StoredSweep
from tests.analysis.test_figures import sweep_of, text_boxes
from tests.support.analysis_store import (
    EVALUATION_SECONDS,
    EVERY,
    N_BATCHES,
    START_SECONDS,
    TRAIN_SECONDS,
    Invented,
    sample_count_trials,
)

VALIDATIONS, STOPPED = N_BATCHES // EVERY, 300


def timed(gpus: float = 0.0, running: bool = False) -> StoredSweep:
    """Three seeds of every row; +MN-8 is stopped at 300 of 400 batches; two at a time."""
    invented = sample_count_trials(3)
    if running:
        invented.append(Invented("+MN-9", 0, "MusicNet/train", 9, None, 100))
    whole = sweep_of(invented)
    seconds = {(i.row, i.seed): i.seconds if i.end_reason else float("nan") for i in invented}
    trials = tuple(replace(t, seconds=seconds[t.row, t.seed]) for t in whole.trials)
    spent = np.nansum([t.seconds for t in trials])
    return replace(whole, trials=trials, params={GPUS: str(gpus)}, seconds=float(spent / 2))


def test_costs_of_a_row_by_hand():
    costs = {c.row: c for c in Spending.of(timed(gpus=0.5)).rows}
    plain, stopped = costs["Ref."], costs["+MN-8"]
    assert plain.training == 3 * VALIDATIONS * TRAIN_SECONDS
    assert plain.evaluation == 3 * VALIDATIONS * EVALUATION_SECONDS
    assert plain.other == pytest.approx(3 * START_SECONDS)
    assert (plain.saved_batches, plain.saved, plain.stopped) == (0, 0, 0)
    assert (stopped.trained, stopped.configured) == (3 * STOPPED, 3 * N_BATCHES)
    assert stopped.saved_batches == 3 * (N_BATCHES - STOPPED)
    per_validation = TRAIN_SECONDS + 8 + EVALUATION_SECONDS
    assert stopped.saved == pytest.approx(3 * (N_BATCHES - STOPPED) / EVERY * per_validation)
    assert stopped.gpu_hours == pytest.approx(0.5 * stopped.spent / 3600)
    assert stopped.saved_gpu_hours == pytest.approx(0.5 * stopped.saved / 3600)


def test_a_run_taken_from_an_earlier_sweep_costs_nothing():
    whole = timed()
    trials = tuple(replace(t, copied_from="x" if t.row == "Ref." else "") for t in whole.trials)
    spent = Spending.of(replace(whole, trials=trials))
    assert [c.row for c in spent.rows] == [r for r in whole.rows if r != "Ref."]
    said = "\n".join(spending.findings(spent))
    assert "Left out here: 3 runs taken from earlier sweeps, of Ref." in said
    trials = tuple(replace(t, copied_from="x") for t in whole.trials)
    with pytest.raises(UserError, match="all runs were taken from earlier sweeps"):
        Spending.of(replace(whole, trials=trials))


def test_all_rows_together():
    spent = Spending.of(timed(gpus=1))
    rows, whole = spent.rows, spent.total
    for name in ("runs", "trained", "training", "other", "spent", "saved", "gpu_hours"):
        assert getattr(whole, name) == pytest.approx(sum(getattr(c, name) for c in rows))
    assert (whole.row, whole.runs, whole.stopped) == ("all rows", 18, 3)


def test_a_run_that_is_under_way_has_spent_what_it_has_recorded():
    costs = {c.row: c for c in Spending.of(timed(running=True)).rows}
    assert costs["+MN-9"].spent == 2 * (TRAIN_SECONDS + 9 + EVALUATION_SECONDS)
    assert costs["+MN-9"].other == 0


def test_what_is_said():
    sweep = timed(gpus=1)
    spent = Spending.of(sweep)
    said, whole = "\n".join(spending.findings(spent)), spent.total
    assert f"18 runs took {whole.spent / 60:.1f} minutes" in said
    assert "on average 2.00 runs at a time" in said
    assert f"{whole.spent / 3600:.2f} GPU-hours" in said
    assert f"saved 300 batches, by estimate {whole.saved / 60:.1f} minutes" in said
    share = whole.saved / (whole.spent + whole.saved)
    assert f": {share:.0%} of what the sweep would have taken" in said
    closed = replace(sweep, trials=sweep.of_row("Ref."), params={}, seconds=float("nan"))
    said = "\n".join(spending.findings(Spending.of(closed)))
    assert "No GPU was used" in said
    assert "nothing was saved" in said
    assert "at a time" not in said


def test_table_has_every_row_and_their_sum():
    spent = Spending.of(timed())
    lines = list(csv.DictReader(io.StringIO(comma_separated(spending.numbers(spent)))))
    assert [x["row"] for x in lines] == [*(c.row for c in spent.rows), "all rows"]
    assert float(lines[-1]["saved_seconds"]) == pytest.approx(spent.rows[-1].saved)
    assert int(lines[-1]["saved_batches"]) == 300


def test_bars_are_as_long_as_the_times():
    spent = Spending.of(timed())
    with style.look():
        figure = spending.draw(spent)
        boxes = list(text_boxes(figure))
    (ax,) = figure.axes
    bars = [b for b in ax.patches if isinstance(b, Rectangle)]
    ends = {round(b.get_y() + b.get_height() / 2): b.get_x() + b.get_width() for b in bars}
    for place, costs in enumerate(spent.rows):  # the last part drawn of every row is what it saved
        assert ends[place] == pytest.approx((costs.spent + costs.saved) / 60)
    for i, (text, box) in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text
        assert not [(text, t) for t, b in boxes[:i] if box.padded(-1).overlaps(b)]


def test_long_times_are_hours():
    sweep = timed()
    long = replace(sweep, trials=tuple(replace(t, seconds=1e4) for t in sweep.trials))
    with style.look():
        figure = spending.draw(Spending.of(long))
    assert any("hours" in t.get_text() for t in figure.texts)
    assert "hours in all" in spending.findings(Spending.of(long))[0]


def test_a_store_without_times_is_refused():
    sweep = timed()
    bare = [
        replace(t, curves={m: c for m, c in t.curves.items() if m != schema.TRAIN_SECONDS})
        for t in sweep.trials
    ]
    with pytest.raises(UserError, match="no run has recorded time/train_seconds"):
        Spending.of(replace(sweep, trials=tuple(bare)))
