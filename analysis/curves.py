"""How do F1 and blank rate move over batches, row by row? Curves per evaluated set.

python -m analysis.curves --sweep NAME
"""

from functools import partial

from matplotlib.figure import Figure

from analysis.drawing import labels, page, rows, style
from analysis.figure import SweepFigure
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial

MEASURES = ("f1", "blank_rate")
NOTE = (
    "Thick lines: mean over seeds, to the end of a row's longest run; a run that was stopped as "
    "collapsed stays in the mean with its last value, so that a mean is never that of survivors "
    "alone. Thin lines: single runs."
)


def draw(sweep: StoredSweep) -> Figure:
    """Draw a row of panels per measure, a column per set, a line per row of the sweep."""
    text = page.Page(
        title="F1 and blank rate over batches",
        subtitle=labels.subtitle(sweep),
        x_label="batches",
        legend=rows.legend(sweep),
        legend_columns=page.legend_columns(sweep.rows),
        note=NOTE,
    )
    figure, axes = page.panels(len(MEASURES), len(sweep.sets), text)
    for measure, panels in zip(MEASURES, axes, strict=True):
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
    return trial.curve(set_name, measure)


def findings(sweep: StoredSweep) -> list[str]:
    """Say how much is drawn."""
    stopped = sum(t.stopped for t in sweep.trials)
    return [f"{len(sweep.trials)} runs of {len(sweep.rows)} rows, {stopped} stopped as collapsed."]


FIGURE = SweepFigure("curves", __doc__, lambda sweep: sweep, draw, findings=findings)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
