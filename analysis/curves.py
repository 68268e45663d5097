"""How do F1 and blank rate move over batches, row by row? Curves per evaluated set.

python -m analysis.curves --sweep NAME
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator
from rich.console import Console

from analysis import figure as command
from analysis.drawing import labels, page, style
from analysis.numbers.statistics import Spread
from analysis.reading.records import REFERENCE_ROW, MetricCurve, StoredSweep, StoredTrial
from analysis.reading.store import read_sweep

MEASURES = ("f1", "blank_rate")
NOTE = (
    "Thick lines: mean over seeds, to the end of a row's longest run; a run that was stopped as "
    "collapsed stays in the mean with its last value, so that a mean is never that of survivors "
    "alone. Thin lines: single runs."
)


@dataclass(frozen=True)
class RenderedCurves:
    """What was written, and what it says."""

    run_id: str
    figure_png: Path
    figure_svg: Path
    summary: str

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.figure_png, self.figure_svg)

    def show(self, console: Console) -> None:
        console.print(self.summary, highlight=False, markup=False)


def render(uri: str, name: str, out: Path, partial: bool = False) -> RenderedCurves:
    """Draw a sweep's curves into a folder; arguments and errors as ``degeneration.render``."""
    sweep = read_sweep(uri, name, partial)
    out = style.output_folder(out)
    with style.look():
        png, svg = style.save(draw(sweep), out, "curves")
    stopped = sum(t.stopped for t in sweep.trials)
    summary = f"{len(sweep.trials)} runs of {len(sweep.rows)} rows, {stopped} stopped as collapsed."
    return RenderedCurves(sweep.run_id, png, svg, summary)


def draw(sweep: StoredSweep) -> Figure:
    """One row of panels per measure, one column per set, one line per row of the sweep."""
    text = page.Page(
        title="F1 and blank rate over batches",
        subtitle=labels.subtitle(sweep),
        x_label="batches",
        legend=legend(sweep),
        legend_columns=page.legend_columns(sweep.rows),
        note=NOTE,
    )
    figure, axes = page.panels(len(MEASURES), len(sweep.sets), text)
    for measure, panels in zip(MEASURES, axes, strict=True):
        panels[0].set_ylabel(style.MEASURE_LABELS[measure])
        for set_name, ax in zip(sweep.sets, panels, strict=True):
            for row in sweep.rows:
                _draw_row(ax, sweep, row, set_name, measure)
            style.unit_axis(ax)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
            ax.xaxis.set_major_formatter(EngFormatter(sep=""))
            ax.set_xlim(left=0)
            if not any(t.curve(set_name, measure) for t in sweep.trials):
                style.say_unannotated(ax)
    for set_name, ax in zip(sweep.sets, axes[0], strict=True):
        ax.set_title(f"{set_name}\n{labels.kind(sweep, set_name)}", linespacing=1.3)
    return figure


def mean_curve(curves: Sequence[MetricCurve]) -> MetricCurve:
    """Mean over runs at every step any of them was validated at, each held at its last value."""
    steps = np.unique(np.concatenate([c.steps for c in curves]))
    means = [Spread.of(c.at(int(step)) for c in curves).mean for step in steps]
    return MetricCurve(steps, np.array(means))


def _draw_row(ax: Axes, sweep: StoredSweep, row: str, set_name: str, measure: str) -> None:
    colour, line = look(sweep, row)
    trials = [(t, c) for t in sweep.of_row(row) if (c := t.curve(set_name, measure))]
    if len(trials) > 1:
        for _, curve in trials:
            ax.plot(curve.steps, curve.values, color=colour, lw=0.5, alpha=0.45)
    counted = [curve for trial, curve in trials if trial.has_result]
    if counted:
        mean = mean_curve(counted)
        ax.plot(mean.steps, mean.values, color=colour, ls=line, lw=1.6)
    for trial, curve in trials:
        mark_end(ax, trial, curve, colour)


def mark_end(ax: Axes, trial: StoredTrial, curve: MetricCurve, colour: style.Colour) -> None:
    """Mark where a run was stopped as collapsed, or ended without a result."""
    x, y = curve.steps[-1], curve.values[-1]
    edge: style.Colour
    if trial.stopped:
        marker, edge = style.STOPPED_MARKER, "black"
    elif not trial.has_result:
        marker, edge = style.UNCOUNTED_MARKER, colour
    else:
        return
    ax.plot(x, y, color=colour, marker=marker, mec=edge, ms=6, mew=0.8, clip_on=False, zorder=4)


def look(sweep: StoredSweep, row: str) -> tuple[style.Colour, style.LineStyle]:
    """Every added set has a colour and a line, darker the more is added; a closed row its own.

    Where rows differ in more than the set and the count, each has its own.
    """
    trial = sweep.of_row(row)[0]
    if trial.supervised_only:
        return style.REFERENCE_COLOUR, style.REFERENCE_LINE
    if row == REFERENCE_ROW:
        return "black", "-"
    named = [r for r in sweep.rows if _has_own_look(sweep, r)]
    if row in named:
        # behind the colours of added sets, if rows are told by these
        by_set = any(_adds(sweep, r) and r not in named for r in sweep.rows)
        place = named.index(row) + (len(sweep.added_sets) if by_set else 0)
        turn, index = divmod(place, len(style.OKABE_ITO))
        return style.colour(index), style.LINES[turn % len(style.LINES)]
    index = sweep.added_sets.index(trial.added_set)
    counts = sorted({t.added_excerpts for t in sweep.trials if t.added_set == trial.added_set})
    last = len(counts) - 1
    position = counts.index(trial.added_excerpts) / last if last else 0.5
    return style.shade(style.colour(index), position), style.LINES[index % len(style.LINES)]


def _has_own_look(sweep: StoredSweep, row: str) -> bool:
    """Whether a row's look is told neither by what it adds nor by its standing as a reference."""
    if row == REFERENCE_ROW or sweep.of_row(row)[0].supervised_only:
        return False
    firsts = [sweep.of_row(r)[0] for r in sweep.rows]
    added = [(t.added_set, t.added_excerpts) for t in firsts if t.added_set]
    return not _adds(sweep, row) or len(set(added)) < len(added)


def _adds(sweep: StoredSweep, row: str) -> bool:
    return bool(sweep.of_row(row)[0].added_set)


def legend(sweep: StoredSweep) -> list[Artist]:
    handles: list[Artist] = []
    for row in sweep.rows:
        colour, line = look(sweep, row)
        handles.append(Line2D([], [], color=colour, ls=line, lw=1.8, label=row))
    if any(t.stopped for t in sweep.trials):
        handles.append(style.stopped_handle())
    if not all(t.has_result for t in sweep.trials):
        handles.append(style.uncounted_handle())
    return handles


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    return command.run("curves", __doc__.partition("\n")[0], render, arguments)


if __name__ == "__main__":
    sys.exit(main())
