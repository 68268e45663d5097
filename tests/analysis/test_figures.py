"""What is drawn: every trial, its end, and text that can be read."""

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from analysis import curves, degeneration
from analysis.drawing import rows, style
from analysis.numbers.counts import SampleCount
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


def panel(figure: Figure, sweep: StoredSweep, row: int, set_name: str) -> Axes:
    return figure.axes[row * len(sweep.sets) + sweep.sets.index(set_name)]


def points(ax: Axes, marker: str) -> list[float]:
    """Heights of the points of a kind, in the order in which they were drawn."""
    return [float(np.asarray(x.get_ydata())[0]) for x in ax.lines if x.get_marker() == marker]


def test_stopped_runs_keep_their_last_state_and_are_marked():
    sweep = usual()
    ax = panel(degeneration.draw(SampleCount.of(sweep)), sweep, 2, "MusicNet/test")
    metric = "MusicNet/test/blank_rate"
    last = [t.curves(SETS)[metric][300] for t in sample_count_trials(3) if t.row == "+MN-8"]
    assert points(ax, style.STOPPED_MARKER) == last
    (mean,) = [x for x in ax.lines if len(np.asarray(x.get_xdata())) == 5]
    assert np.asarray(mean.get_ydata())[-1] == pytest.approx(np.mean(last))


def test_every_trial_is_a_point():
    sweep = usual()
    ax = panel(degeneration.draw(SampleCount.of(sweep)), sweep, 0, "URMP/validation")
    assert len(points(ax, style.MARKERS[0])) == 4 * 3
    assert len(points(ax, style.STOPPED_MARKER)) == 3


def test_supervised_row_is_a_line_across_all_counts():
    sweep = usual()
    ax = panel(degeneration.draw(SampleCount.of(sweep)), sweep, 0, "URMP/validation")
    across = [x for x in ax.lines if list(np.asarray(x.get_xdata())) == [0, 1]]
    mean = np.mean([t.final("URMP/validation", "f1") for t in sweep.of_row("supervised")])
    assert [np.asarray(x.get_ydata())[0] for x in across] == [pytest.approx(mean)]


def test_failed_run_is_shown_but_not_counted():
    sweep = large()
    comparison = SampleCount.of(sweep)
    assert comparison.correlation("MusicNet/train", "MusicNet/test").n == 14
    assert comparison.correlation("FMA/all", "MusicNet/test").n == 15
    ax = panel(degeneration.draw(comparison), sweep, 0, "MusicNet/test")
    assert len(points(ax, style.UNCOUNTED_MARKER)) == 1


def test_set_without_annotation_is_said_to_be_so():
    sweep = large()
    assert sweep.sets[:3] == ("URMP/validation", "FMA/eval", "MusicNet/test")
    figure = degeneration.draw(SampleCount.of(sweep))
    noted = [i for i, ax in enumerate(figure.axes) if "not annotated" in texts_of(ax)]
    assert noted == [1, 6]
    noted = [i for i, ax in enumerate(curves.draw(sweep).axes) if "not annotated" in texts_of(ax)]
    assert noted == [1]


def texts_of(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.texts]


def test_blank_rate_panels_carry_the_rank_correlation():
    sweep = usual()
    comparison = SampleCount.of(sweep)
    figure = degeneration.draw(comparison)
    for set_name in sweep.sets:
        rho = comparison.correlation("MusicNet/train", set_name).rho
        assert texts_of(panel(figure, sweep, 2, set_name)) == [f"ρ = {rho:+.2f} (n = 15)"]


def test_curves_reach_the_end_and_mark_what_was_stopped():
    ax = curves.draw(usual()).axes[1]
    stops = [x.get_xdata() for x in ax.lines if x.get_marker() == style.STOPPED_MARKER]
    assert np.concatenate([np.asarray(x) for x in stops]).tolist() == [300, 300, 300]
    assert max(np.asarray(x.get_xdata())[-1] for x in ax.lines) == 400


def test_unfinished_sweep_says_so():
    figure = curves.draw(sweep_of([Invented("Ref.", 0), Invented("+MN-2", 0, end_reason=None)]))
    assert any("NOT FINISHED" in t.get_text() for t in figure.texts)


@pytest.mark.parametrize("make", [small, usual, large])
@pytest.mark.parametrize("kind", ["degeneration", "curves"])
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
