"""What is drawn: every trial, its end, and text that can be read."""

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from analysis import curves, degeneration
from analysis.drawing import rows, style
from analysis.numbers.counts import SampleCount
from analysis.numbers.kinds import kind
from ssmpe.evaluation.collapse import Kind
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial, in_table_order
from tests.support.analysis_store import SETS, Invented, sample_count_trials

MANY_SETS = ("MusicNet/train", "NSynth/train", "FMA/all")


def trial_of(invented: Invented, sets: tuple[str, ...], batches: int) -> StoredTrial:
    """As it would be read from a store, ``batches`` times as long."""
    named = {
        metric: MetricCurve(np.array(list(curve)) * batches, np.array(list(curve.values())))
        for metric, curve in invented.curves(sets).items()
    }
    return StoredTrial(
        run_id=f"{invented.row} {invented.seed}",
        row=invented.row,
        seed=invented.seed,
        added_set=invented.added_set,
        added_excerpts=invented.added,
        end_reason=EndReason(invented.end_reason) if invented.end_reason else None,
        collapsed_at=invented.collapsed_at(sets),
        curves=named,
        params=invented.params(sets),
    )


def sweep_of(
    invented: list[Invented],
    sets: tuple[str, ...] = SETS,
    state: str = "finished",
    batches: int = 1,
) -> StoredSweep:
    trials = in_table_order(trial_of(i, sets, batches) for i in invented)
    name = "sample_count-20251122-133700"
    data = "embedded world (tiny)"
    return StoredSweep(
        name, "sample_count", "?", "tiny", data, state, "run", "1", {}, len(trials), trials
    )


def small() -> StoredSweep:
    return sweep_of(sample_count_trials(1), SETS[:1], state="running")


def usual() -> StoredSweep:
    return sweep_of(sample_count_trials(3))


def large() -> StoredSweep:
    """Three sets added, one of them scored without annotation, a failed run, 10,000 batches."""
    invented = sample_count_trials(3, MANY_SETS)
    for trial in invented:
        trial.unannotated = ("FMA/eval",)
    next(t for t in invented if t.row == "+MN-2").end_reason = "failed"
    return sweep_of(invented, (*SETS, "FMA/eval"), batches=25)


def panel(figure: Figure, sweep: StoredSweep, measure: str, set_name: str) -> Axes:
    """Return a panel of the figure of degeneration."""
    shown, drawn = degeneration.shown(sweep), degeneration.measures(sweep)
    return figure.axes[shown.index(set_name) * len(drawn) + drawn.index(measure)]


def points(ax: Axes, marker: str) -> list[float]:
    """Heights of the points of a kind, in the order in which they were drawn."""
    return [height(x) for x in ax.lines if x.get_marker() == marker]


def stopped(ax: Axes) -> list[float]:
    """Heights of the points with a black edge."""
    points = [x for x in ax.lines if x.get_marker() != "None"]
    return [height(x) for x in points if x.get_markeredgecolor() == "black"]


def height(point: Line2D) -> float:
    return float(np.asarray(point.get_ydata())[0])


def test_stopped_runs_keep_their_last_state_and_are_marked():
    sweep = usual()
    ax = panel(degeneration.draw(SampleCount.of(sweep)), sweep, "blank_rate", "MusicNet/test")
    metric = "MusicNet/test/blank_rate"
    last = [t.curves(SETS)[metric][300] for t in sample_count_trials(3) if t.row == "+MN-8"]
    assert stopped(ax) == last
    (mean,) = [x for x in ax.lines if len(np.asarray(x.get_xdata())) == 5]
    assert np.asarray(mean.get_ydata())[-1] == pytest.approx(np.mean(last))


def test_every_trial_is_a_point():
    sweep = usual()
    figure = degeneration.draw(SampleCount.of(sweep))
    for measure in ("f1", "blank_rate", "f1_tuned", "average_precision"):
        ax = panel(figure, sweep, measure, "URMP/validation")
        assert len(points(ax, style.MARKERS[0])) == 5 * 3
        assert len(stopped(ax)) == 3


def test_what_the_paper_sees_stands_beside_what_is_lost():
    sweep = usual()
    figure = degeneration.draw(SampleCount.of(sweep))
    heads = [ax.get_title() for ax in figure.axes[:4]]
    assert heads == [
        "what the paper sees\nF1 at ½",
        "what the paper sees\nblank at ½",
        "what is really lost\ntuned F1",
        "what is really lost\nAP",
    ]
    ax = panel(figure, sweep, "f1_tuned", "MusicNet/test")
    means = [np.asarray(x.get_ydata()) for x in ax.lines if len(np.asarray(x.get_xdata())) == 5]
    best, tuned = means
    assert best == pytest.approx(1.04 * tuned)


def test_shapes_of_points_tell_the_kind_of_collapse():
    sweep = usual()
    figure, where = degeneration.draw(SampleCount.of(sweep)), "MusicNet/test"
    found = [t for t in sweep.trials if t.added_set and kind(sweep, t, where)]
    kinds = {kind(sweep, t, where) for t in found}
    assert kinds == {Kind.LEVEL_SUNK, Kind.CONTENT_LOST}
    for measure in ("blank_rate", "f1_tuned"):
        ax = panel(figure, sweep, measure, where)
        for word in kinds:
            own = [t.final(where, measure) for t in found if kind(sweep, t, where) == word]
            assert sorted(points(ax, style.KIND_MARKERS[word])) == sorted(own)
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert {"level sunk", "content lost", "black edge: stopped as collapsed"} < set(legend)


def test_a_store_of_0_3_0_is_drawn_at_one_half_and_says_so():
    invented = sample_count_trials(2)
    for one in invented:
        one.half_alone = True
    sweep = sweep_of(invented)
    for figure in (degeneration.draw(SampleCount.of(sweep)), curves.draw(sweep)):
        written = " ".join(" ".join(t.get_text() for t in figure.texts).split())
        assert "at a salience of one half (½) alone, as up to version 0.3.0" in written
        assert "tuned" not in written
    said = degeneration.findings(SampleCount.of(sweep))[0]
    assert said.endswith("cannot tell a sunk level from lost content.")
    assert "really lost" not in said


@pytest.mark.parametrize("make", [small, usual, large])
def test_captions_explain_their_words_in_five_lines(make):
    sweep = make()
    for figure in (degeneration.draw(SampleCount.of(sweep)), curves.draw(sweep)):
        note = figure.texts[-1].get_text()
        assert note.count("\n") < 5
        for word in ("Blank: share of", "tuned: at the", "Ref. adds no"):
            assert word in " ".join(note.split())


def test_supervised_row_is_a_line_across_all_counts():
    sweep = usual()
    ax = panel(degeneration.draw(SampleCount.of(sweep)), sweep, "f1", "URMP/validation")
    across = [x for x in ax.lines if list(np.asarray(x.get_xdata())) == [0, 1]]
    mean = np.mean([t.final("URMP/validation", "f1") for t in sweep.of_row("supervised")])
    assert [np.asarray(x.get_ydata())[0] for x in across] == [pytest.approx(mean)]


def test_failed_run_is_shown_but_not_counted():
    sweep = large()
    comparison = SampleCount.of(sweep)
    assert comparison.correlation("MusicNet/train", "MusicNet/test").n == 14
    assert comparison.correlation("FMA/all", "MusicNet/test").n == 15
    ax = panel(degeneration.draw(comparison), sweep, "f1", "MusicNet/test")
    assert len(points(ax, style.UNCOUNTED_MARKER)) == 1


def test_set_without_annotation_is_said_to_be_so():
    sweep = large()
    assert sweep.sets[:3] == ("URMP/validation", "FMA/eval", "MusicNet/test")
    figure = degeneration.draw(SampleCount.of(sweep))
    noted = [i for i, ax in enumerate(figure.axes) if "not annotated" in texts_of(ax)]
    assert noted == [4, 6, 7]  # all but the blank rate, of the second row
    noted = [i for i, ax in enumerate(curves.draw(sweep).axes) if "not annotated" in texts_of(ax)]
    assert noted == [1, 6]


def texts_of(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.texts]


def test_panels_carry_their_rank_correlation():
    sweep = usual()
    comparison = SampleCount.of(sweep)
    figure = degeneration.draw(comparison)
    for set_name in ("URMP/validation", "MusicNet/test"):
        for measure in degeneration.measures(sweep):
            rho = comparison.correlation("MusicNet/train", set_name, measure).rho
            shown = texts_of(panel(figure, sweep, measure, set_name))
            assert shown == [f"ρ = {rho:+.2f} (n = 15)"]


def test_curves_reach_the_end_and_mark_what_was_stopped():
    ax = curves.draw(usual()).axes[1]
    stops = [x.get_xdata() for x in ax.lines if x.get_marker() == style.STOPPED_MARKER]
    assert np.concatenate([np.asarray(x) for x in stops]).tolist() == [300, 300, 300]
    assert max(np.asarray(x.get_xdata())[-1] for x in ax.lines) == 400


def remedies() -> StoredSweep:
    """More rows than there are colours; two seeds, one row stopped, one with a long name."""
    trials = []
    for seed in (0, 1):
        trials.append(Invented("Ref.", seed))
        for i, name in enumerate(("", "+stop", "+EG", "+KL", "+additivity", "+feature_dropout")):
            ended = "collapsed" if not i else "completed"
            weights = {"supervised": 1.0, "timbre": 1.0, f"term{i}": 1.0}
            one = Invented(f"+MN-8{name}", seed, "MusicNet/train", 8, ended, weights=weights)
            trials.append(one)
        more = "supervised+MN-8+contrastive+adversarial-regen"
        trials.append(Invented(more, seed, "MusicNet/train", 8))
    return sweep_of(trials)


def test_rows_that_are_more_than_colours_have_a_panel_each():
    sweep = remedies()
    figure = curves.draw(sweep)
    assert len(sweep.rows) == 8
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == [*sweep.rows[:7], "supervised+MN-8+contrastive\n  +adversarial-regen"]
    labels = [str(t.get_text()) for t in figure.legends[0].get_texts()]
    sets = ("MusicNet/test", "URMP/validation")
    measures = {"f1_tuned": "tuned F1", "average_precision": "AP", "blank_rate": "blank at ½"}
    named = [f"{label}, {name}" for name in sets for label in measures.values()]
    assert labels == [*named, "stopped as collapsed"]
    drawn = [x for x in figure.axes[2].lines if x.get_linewidth() == 1.6]
    means = [
        np.mean([t.final(name, m) for t in sweep.of_row("+MN-8+stop")])
        for name in sets
        for m in measures
    ]
    assert [np.asarray(x.get_ydata())[-1] for x in drawn] == pytest.approx(means)
    assert len({(x.get_color(), x.get_linestyle()) for x in drawn}) == 6


def test_unfinished_sweep_says_so():
    figure = curves.draw(sweep_of([Invented("Ref.", 0), Invented("+MN-2", 0, end_reason=None)]))
    assert any("NOT FINISHED" in t.get_text() for t in figure.texts)


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        *((kind, make) for kind in ("degeneration", "curves") for make in (small, usual, large)),
        ("curves", remedies),
    ],
)
def test_no_text_overlaps_or_leaves_the_page(make, kind):
    sweep = make()
    with style.look():
        figure = (
            curves.draw(sweep) if kind == "curves" else degeneration.draw(SampleCount.of(sweep))
        )
        boxes = list(text_boxes(figure))
    page = figure.bbox
    assert len(boxes) > 15
    outside = [(text, box) for text, box in boxes if text != "not annotated"]
    assert not [t for t, box in outside for ax in figure.axes if box.padded(-1).overlaps(ax.bbox)]
    for i, (text, box) in enumerate(boxes):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
        # a pixel of leeway: a box is as high as the font's highest glyph
        assert not [(text, t) for t, b in boxes[:i] if box.padded(-1).overlaps(b)]


def check_texts(figure: Figure) -> None:
    """Check that no text of a figure overlaps another, or leaves the page."""
    boxes, page = list(text_boxes(figure)), figure.bbox
    assert len(boxes) > 15
    for i, (text, box) in enumerate(boxes):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
        assert not [(text, t) for t, b in boxes[:i] if box.padded(-1).overlaps(b)]


def text_boxes(figure: Figure) -> Iterator[tuple[str, Bbox]]:
    """Texts that are seen, with their places in pixels."""
    figure.draw_without_rendering()
    ticks = [
        t for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for t in axis.get_major_ticks()
    ]
    hidden = {label for t in ticks for label in (t.label1, t.label2) if not in_view(t)}
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text() and text not in hidden:
            yield text.get_text(), text.get_window_extent()


def in_view(tick) -> bool:
    limits = tick.axes.viewLim
    low, high = sorted(limits.intervalx if "X" in type(tick).__name__ else limits.intervaly)
    return low <= tick.get_loc() <= high


def test_every_row_has_a_look_of_its_own():
    remedies = [Invented("+stop", 0), Invented("+teacher", 0)]
    counts = [Invented(f"+MN-{n}", 0, "MusicNet/train", n) for n in (1, 4)]
    other = [Invented("+FMA-8", 0, "FMA/all", 8)]
    for invented in (counts + remedies, [*counts, *other, *remedies]):
        sweep = sweep_of([Invented("Ref.", 0), *invented])
        looks = [rows.look(sweep, row) for row in sweep.rows]
        assert len(set(looks)) == len(looks)
