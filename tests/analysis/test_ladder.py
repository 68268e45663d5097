"""Lines that rows are compared with: what is known without a network, and what labels are worth."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis import curves, degeneration, ladder, precision_recall, report, results
from analysis.answers.answer import answer
from analysis.drawing import style
from analysis.numbers.comparison import Comparison
from analysis.numbers.counts import SampleCount
from analysis.numbers.intervals import mean_difference, ratio_interval
from analysis.numbers.kinds import Kinds
from analysis.numbers.ladder import below, foot, gaps
from ssmpe.errors import UserError
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, in_table_order
from ssmpe.tracking.stored.track_scores import Scores
from tests.analysis.test_answers import flat
from tests.analysis.test_figures import sweep_of, text_boxes
from tests.support.analysis_store import SETS, Invented, sample_count_trials

WHERE = "MusicNet/test"
ADDED = "MusicNet/train"
TRACKS = 6
SCORES = {
    "no network": 0.5,
    "harmonic sum": 0.45,
    "supervised": 0.4,
    "Ref.": 0.6,
    "+MN-8": 0.3,
    "+MN-8+stop": 0.7,
    "ceiling": 0.8,
}
"""of rows on all sets, tuned F1 and average precision alike"""


def with_lines(sweep: StoredSweep) -> StoredSweep:
    """Return the sweep as written down: some rows have no network, one all labels."""
    changes = {
        "no network": {"model.network": "energy"},
        "harmonic sum": {"model.network": "harmonic_sum"},
        "+MN-8+stop": {"objectives.stop_gradient": "True"},
        "ceiling": {f"data.added.{ADDED}": "8", f"data.labelled_share.{ADDED}": "1.0"},
    }
    trials = [replace(t, params={**t.params, **changes.get(t.row, {})}) for t in sweep.trials]
    return replace(sweep, trials=in_table_order(trials))


def climbing(seeds: int = 2, rows: dict[str, float] = SCORES) -> StoredSweep:
    invented = [Invented(row, seed) for row in reversed(rows) for seed in range(seeds)]
    for one in invented:
        if one.row.startswith("+MN"):
            one.added_set, one.added = ADDED, 8
        if one.row == "supervised":
            one.weights = {"supervised": 1.0}
    sweep = with_lines(sweep_of(invented))
    for row, score in rows.items():
        sweep = flat(sweep, row, f1_tuned=score, average_precision=score)
    return sweep


def tracked(sweep: StoredSweep, spread: float = 0.03) -> Scores:
    """Return scores by track whose mean is the trial's; seeds and tracks differ by little."""
    rng = np.random.default_rng(3)
    found = {}
    for trial in sweep.trials:
        for name in SETS:
            noise = rng.normal(0, spread, TRACKS)
            noise -= noise.mean()
            found[trial.run_id, name] = {
                m: {f"t{i}": trial.final(name, m) + x for i, x in enumerate(noise)}
                for m in ("f1_tuned", "average_precision")
            }
    return found


def test_rows_stand_from_the_foot_to_the_top():
    assert set(climbing().rows[:2]) == {"no network", "harmonic sum"}
    assert climbing().rows[2:] == ("supervised", "Ref.", "+MN-8+stop", "+MN-8", "ceiling")


def test_the_foot_is_the_better_of_the_rows_without_a_network():
    sweep = flat(climbing(), "harmonic sum", average_precision=0.55)
    found = foot(sweep, WHERE, "f1_tuned"), foot(sweep, WHERE, "average_precision")
    assert [(f.row, f.score) for f in found if f] == [
        ("no network", pytest.approx(0.5)),
        ("harmonic sum", pytest.approx(0.55)),
    ]
    under = [r for r in sweep.rows if below(sweep, r, WHERE, "f1_tuned")]
    assert under == ["supervised", "+MN-8"]
    assert not below(sweep, "+MN-8", WHERE, "f1")
    assert foot(sweep_of(sample_count_trials(1)), WHERE, "f1_tuned") is None


def test_a_share_is_of_the_gap_from_the_baseline_to_the_ceiling():
    sweep = climbing()
    found = gaps(Comparison.of(sweep, scores=tracked(sweep)))
    assert [(g.set_name, g.measure) for g in found] == [
        (WHERE, "f1_tuned"), (WHERE, "average_precision")
    ]  # fmt: skip
    for gap in found:
        assert gap.width == pytest.approx(0.2)
        assert gap.shares["+MN-8+stop"].value == pytest.approx(0.5)
        assert gap.shares["+MN-8"].value == pytest.approx(-1.5)
        assert gap.shares["+MN-8+stop"].low < 0.5 < gap.shares["+MN-8+stop"].high
        assert set(gap.shares) == set(sweep.rows) - {"Ref.", "ceiling"}
    without = gaps(Comparison.of(sweep, scores={}))
    assert [g.shares["+MN-8+stop"].text() for g in without] == ["50 %"] * 2


def test_of_no_gap_there_is_no_share():
    sweep = climbing(rows={**SCORES, "ceiling": 0.61})
    comparison = Comparison.of(sweep, scores=tracked(sweep))
    assert [g.shares for g in gaps(comparison)] == [{}, {}]
    assert "tuned F1: +0.010, nothing to close." in results.climbed(comparison)[0]
    assert gaps(Comparison.of(sweep_of(sample_count_trials(1)), scores={})) == []


def test_what_part_and_whole_share_cancels_in_their_ratio():
    """A ratio is an end of its interval where part and whole just differ by it."""
    rng = np.random.default_rng(0)
    wholes = rng.normal(1.0, 0.3, (3, 12))
    assert ratio_interval(0.3 * wholes, wholes) == (pytest.approx(0.3), pytest.approx(0.3))
    parts = wholes * 0.3 + rng.normal(0, 0.1, wholes.shape)
    found = ratio_interval(parts, wholes)
    assert found
    assert found[0] < parts.mean() / wholes.mean() < found[1]
    assert found[1] - found[0] < 0.2  # of the noise alone; that of the wholes would make it 0.2
    low, high = (mean_difference(parts - r * wholes) for r in found)
    assert low
    assert high
    assert (low.low, high.high) == pytest.approx((0, 0), abs=1e-9)
    assert ratio_interval(parts, wholes - 1.0) is None
    wholes[0, 3] = np.nan
    assert ratio_interval(0.3 * wholes, wholes) == (pytest.approx(0.3), pytest.approx(0.3))


def test_tables_mark_what_is_below_the_line(tmp_path):
    sweep = climbing()
    comparison = Comparison.of(sweep, scores=tracked(sweep))
    table = results.scores(comparison, WHERE).set_index("row")
    marked = [r for r in table.index if table.loc[r, "AP"].endswith("‡")]
    assert marked == ["supervised", "+MN-8"]
    assert not any("‡" in cell for cell in table["F1 at ½"])
    reading = " ".join(results.reading(comparison))
    assert "‡ a mean below that of the best of harmonic sum, no network" in reading
    made = results.FIGURE.write_found(comparison, sweep, tmp_path)
    assert r"$^\ddagger$" in (tmp_path / "results.tex").read_text(encoding="utf-8")
    assert any("closed by +MN-8+stop 50 % [" in line for line in made.findings)
    assert not any("+MN-8 -150" in line for line in made.findings)
    with (tmp_path / "results.csv").open() as file:
        lines = {(x["set"], x["row"]): x for x in csv.DictReader(file)}
    assert float(lines[WHERE, "+MN-8"]["f1_tuned_without_network"]) == pytest.approx(0.5)
    assert float(lines[WHERE, "+MN-8"]["f1_tuned_closed"]) == pytest.approx(-1.5)
    assert lines["Bach10/all", "+MN-8"]["f1_tuned_closed"] == ""


def test_the_answer_is_the_best_remedy_its_gain_and_its_share():
    sweep = climbing()
    first, second, third = answer(Comparison.of(sweep, scores=tracked(sweep))).sentences
    assert f"On {WHERE}, of the added kind, the best of 2 rows" in first
    assert "is +MN-8+stop: tuned F1 0.70, +0.10 [" in first
    assert "; +MN-8, which changes nothing but what is added, has tuned F1 0.30" in first
    assert "(ceiling), it closes 50 % [" in second
    assert f"average precision 0.50 on {WHERE} (below that line: supervised and +MN-8 in" in third


def test_without_a_ceiling_the_answer_still_names_the_line():
    rows = {row: score for row, score in SCORES.items() if row != "ceiling"}
    said = answer(Comparison.of(climbing(rows=rows), scores={}))
    assert "below that line: supervised and +MN-8 in tuned F1" in said.sentences[-1]
    assert not any("left out" in line for line in said.basis)
    only = answer(Comparison.of(climbing(rows={"no network": 0.5}), scores={}))
    assert len(only.sentences) == 2


def test_rows_without_a_network_are_no_part_of_other_comparisons():
    found = SampleCount.of(climbing())
    assert set(found.left_out) == {"+MN-8+stop", "ceiling"}
    assert {t.row for t in found.closed} == {"Ref."}
    sweep = climbing(rows={"no network": 0.5, "T1": 0.4})
    assert Comparison.of(sweep, scores={}).baseline == "T1"
    sunk = flat(climbing(), "no network", blank_rate=0.95, similarity=0.99)
    assert Kinds.of(sunk, sunk.of_row("no network"), WHERE).counts == {}


def places(line: Line2D) -> tuple[list[float], list[float]]:
    """Return where a line is, across and up."""
    across, up = np.asarray(line.get_data(), dtype=np.float64)
    return across.tolist(), up.tolist()


def levels(ax: Axes) -> list[float]:
    """Return the heights of the lines that run across a panel."""
    return [round(y[0], 3) for x, y in map(places, ax.lines) if x == [0, 1]]


@pytest.mark.parametrize("seeds", [1, 5])
def test_the_ladder_can_be_read(seeds):
    sweep = climbing(seeds)
    comparison = Comparison.of(sweep, scores=tracked(sweep))
    with style.look():
        figure = ladder.draw(comparison)
        boxes = list(text_boxes(figure))
    for i, (text, box) in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, text
        assert not [(text, t) for t, b in boxes[:i] if box.padded(-1).overlaps(b)]
    assert len(figure.axes) == 4
    upright = [x for x, y in map(places, figure.axes[0].lines) if y == [0, 1]]
    assert sorted(round(x[0], 3) for x in upright) == [0.5, 0.6, 0.8]
    assert len(ladder.numbers(comparison)) == 2 * 2 * len(SCORES)
    assert "highest with +MN-8+stop (0.700); " in ladder.findings(comparison)[0]


def test_where_there_is_no_line_there_is_no_ladder():
    sweep = sweep_of(sample_count_trials(1))
    assert not ladder.applies(sweep)
    with pytest.raises(UserError, match="no row without a network"):
        ladder.of(sweep)
    assert ladder.FIGURE in report.FIGURES


def test_a_row_without_a_network_is_a_level_in_every_figure():
    """Where salience of one half enters, it is not drawn at all."""
    sweep = climbing(1)
    panels = curves.draw(sweep).axes
    assert [len(levels(ax)) for ax in panels] == [2] * 8 + [0] * 4
    panels = degeneration.draw(SampleCount.of(sweep)).axes
    assert [0.5 in levels(ax) for ax in panels] == [False, False, True, True] * 2
    drawn = precision_recall.draw(sweep)
    assert "no network" not in {t.get_text() for t in drawn.legends[0].get_texts()}
    with pytest.raises(UserError, match="no row has a network"):
        precision_recall.of(climbing(1, {"no network": 0.5}))


def test_a_curve_of_a_row_without_a_network_ends_where_it_began():
    sweep = climbing(1)
    (trial,) = sweep.of_row("no network")
    assert not trial.learns
    curve = trial.curve(WHERE, "f1_tuned")
    assert isinstance(curve, MetricCurve)
    assert np.ptp(curve.values) == 0
