"""How do F1, content and blank rate move over batches, row by row? Curves per evaluated set.

python -m analysis.curves --sweep NAME
"""

from functools import partial

from matplotlib.figure import Figure

from analysis.drawing import labels, page, rows, style
from analysis.figure import SweepFigure
from analysis.numbers.comparison import PUBLISHED
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial

NOTE = (
    "Thick lines: mean over seeds, to the end of a row's longest run, stopped runs held at their "
    "last values. Thin lines: single runs. "
)


def measures(sweep: StoredSweep) -> tuple[str, ...]:
    """Return the measures that are drawn; of a store of 0.3.0, the published ones."""
    return ("f1_tuned", "average_precision", "blank_rate") if sweep.tuned else ("f1", "blank_rate")


def draw(sweep: StoredSweep) -> Figure:
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
