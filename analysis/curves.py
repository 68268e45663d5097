"""How do F1, content and blank rate move over batches, row by row? Curves per evaluated set.

Of many rows, a panel for each: lines of more rows than there are colours cannot be told apart.

python -m analysis.curves --sweep NAME
"""

from functools import partial

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.drawing import labels, page, rows, style, tables
from analysis.figure import SweepFigure
from analysis.numbers.comparison import PUBLISHED
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial

MOST_APART = 48
"""Rows that have a panel each, on twelve lines"""
ACROSS, NAME_WIDTH = 4, 30
"""Panels beside each other where every row has its own, and characters of a name over one"""
MEASURE_COLOURS = {"f1_tuned": 0, "f1": 0, "average_precision": 2, "blank_rate": 1}
SET_LINES: tuple[style.LineStyle, ...] = ("-", (0, (3, 1.2)))
NOTE = (
    "Thick lines: mean over seeds, to the end of a row's longest run, stopped runs held at their "
    "last values. Thin lines: single runs. "
)


def measures(sweep: StoredSweep) -> tuple[str, ...]:
    """Return the measures that are drawn; of a store of 0.3.0, the published ones."""
    return ("f1_tuned", "average_precision", "blank_rate") if sweep.tuned else ("f1", "blank_rate")


def draw(sweep: StoredSweep) -> Figure:
    """Draw lines of all rows in the same panels; of many rows, a panel for each."""
    apart = rows.are_more_than_colours(sweep) and len(sweep.rows) <= MOST_APART
    return _draw_apart(sweep) if apart else _draw_together(sweep)


def _draw_apart(sweep: StoredSweep) -> Figure:
    """Draw a panel per row: all measures on the set that the question is about, and one other."""
    drawn, sets = measures(sweep), asked_of(sweep)
    looks = [(name, line, m) for name, line in zip(sets, SET_LINES, strict=False) for m in drawn]
    legend: list[Artist] = [
        Line2D([], [], color=_colour(m), ls=line, label=f"{style.MEASURE_LABELS[m]}, {name}")
        for name, line, m in looks
    ]
    names = ["\n".join(tables.RowName(row).folded(NAME_WIDTH)) for row in sweep.rows]
    precision = "AP: average precision over all thresholds. " if sweep.tuned else ""
    text = page.Page(
        title="Scores over batches, row by row",
        subtitle=labels.subtitle(sweep),
        x_label="batches",
        legend=[*legend, *style.end_handles(sweep.trials)],
        legend_columns=len(drawn),
        note=f"{NOTE}{precision}{labels.terms(sweep)}",
        heading=max(name.count("\n") + 1 for name in names),
        headed=True,
    )
    figure, grid = page.panels(-(-len(sweep.rows) // ACROSS), ACROSS, text)
    panels = [ax for axes in grid for ax in axes]
    for ax in panels[len(sweep.rows) :]:
        ax.set_axis_off()
    for row, heading, ax in zip(sweep.rows, names, panels, strict=False):
        for name, line, measure in looks:
            curve_of = partial(_curve, set_name=name, measure=measure)
            rows.draw_row(ax, sweep, row, curve_of, _colour(measure), line)
        ax.set_title(heading, size=8)
        style.unit_axis(ax)
        rows.label_batches(ax)
    return figure


def asked_of(sweep: StoredSweep) -> tuple[str, ...]:
    """Return two sets: the first of an added set's kind, or a test set; and the validation set."""
    others = [name for name in sweep.sets if name != sweep.validation]
    return (*others[:1], sweep.validation)


def _colour(measure: str) -> str:
    return style.colour(MEASURE_COLOURS[measure])


def _draw_together(sweep: StoredSweep) -> Figure:
    """Draw a row of panels per measure, a column per set, a line per row of the sweep."""
    drawn = measures(sweep)
    precision = "AP: average precision over all thresholds. " if sweep.tuned else ""
    text = page.Page(
        title="Scores over batches",
        subtitle=labels.subtitle(sweep),
        x_label="batches",
        legend=rows.legend(sweep),
        legend_columns=page.legend_columns(sweep.rows),
        note=f"{NOTE}{precision}{labels.terms(sweep)}",
    )
    figure, axes = page.panels(len(drawn), len(sweep.sets), text)
    for measure, panels in zip(drawn, axes, strict=True):
        panels[0].set_ylabel(style.MEASURE_LABELS[measure])
        for set_name, ax in zip(sweep.sets, panels, strict=True):
            curve_of = partial(_curve, set_name=set_name, measure=measure)
            rows.draw_rows(ax, sweep, curve_of)
            style.unit_axis(ax)
            rows.label_batches(ax)
            if not any(map(curve_of, sweep.trials)):
                style.say_unannotated(ax)
    labels.name_sets(axes[0], sweep)
    return figure


def _curve(trial: StoredTrial, set_name: str, measure: str) -> MetricCurve | None:
    """Return what is drawn of a trial: without a network, nothing that is measured at one half."""
    return trial.curve(set_name, measure) if trial.learns or measure not in PUBLISHED else None


def findings(sweep: StoredSweep) -> list[str]:
    """Say how much is drawn."""
    stopped = sum(t.stopped for t in sweep.trials)
    return [f"{len(sweep.trials)} runs of {len(sweep.rows)} rows, {stopped} stopped as collapsed."]


FIGURE = SweepFigure("curves", __doc__, lambda sweep: sweep, draw, findings=findings)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
