"""How the rows of a sweep look as lines over batches."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from analysis.drawing import style
from analysis.numbers.statistics import Spread
from ssmpe.tracking.stored.records import REFERENCE_ROW, MetricCurve, StoredSweep, StoredTrial


def draw_rows(
    ax: Axes,
    sweep: StoredSweep,
    curve_of: Callable[[StoredTrial], MetricCurve | None],
    line: style.LineStyle | None = None,
    single: bool = False,
) -> None:
    """Draw a thick line per row, the mean over seeds, and thin ones of single runs.

    A row without a network is a level, across the panel: nothing moves there.

    Args:
        curve_of: what is drawn of a trial; None if it has nothing of the kind.
        line: of all rows, if lines tell other things than rows.
        single: draw the only run of a row, too, if it does not count.
    """
    for row in sweep.rows:
        colour, own = look(sweep, row)
        if line is not None and row not in sweep.signal_rows:
            own = line
        draw_row(ax, sweep, row, curve_of, colour, own, thin=line or "-", single=single)


def draw_row(
    ax: Axes,
    sweep: StoredSweep,
    row: str,
    curve_of: Callable[[StoredTrial], MetricCurve | None],
    colour: style.Colour,
    line: style.LineStyle,
    *,
    thin: style.LineStyle = "-",
    single: bool = False,
) -> None:
    """Draw one row as ``draw_rows`` does, in this colour and line.

    Args:
        thin: line of single runs.
    """
    trials = [(t, c) for t in sweep.of_row(row) if (c := curve_of(t))]
    counted = [curve for trial, curve in trials if trial.has_result]
    if row in sweep.signal_rows:
        if counted:
            ax.axhline(mean_curve(counted).values[-1], color=colour, ls=line, lw=1.4)
        return
    if len(trials) > 1 or (single and not counted):
        for _, curve in trials:
            ax.plot(curve.steps, curve.values, color=colour, lw=0.5, alpha=0.45, ls=thin)
    if counted:
        mean = mean_curve(counted)
        ax.plot(mean.steps, mean.values, color=colour, ls=line, lw=1.6)
    for trial, curve in trials:
        _mark_end(ax, trial, curve, colour)


def label_batches(ax: Axes) -> None:
    """Count batches from 0 along the horizontal axis."""
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.set_xlim(left=0)


def mean_curve(curves: Sequence[MetricCurve]) -> MetricCurve:
    """Return the mean over runs at every step at which any of them was validated.

    Each run is held at its last value.
    """
    steps = np.unique(np.concatenate([c.steps for c in curves]))
    means = [Spread.of(c.at(int(step)) for c in curves).mean for step in steps]
    return MetricCurve(steps, np.array(means))


def _mark_end(ax: Axes, trial: StoredTrial, curve: MetricCurve, colour: style.Colour) -> None:
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
    """Return a row's colour and line.

    Every added set has its own, darker the more is added; so has a row that adds nothing. Where
    rows differ in more than the set and the count, each has its own.
    """
    trial = sweep.of_row(row)[0]
    if row in sweep.signal_rows:
        first = row == sweep.signal_rows[0]
        return style.SIGNAL_COLOUR if first else "#999999", style.SIGNAL_LINE
    if trial.supervised_only:
        return style.REFERENCE_COLOUR, style.REFERENCE_LINE
    if row == REFERENCE_ROW:
        return "black", "-"
    named = _named(sweep)
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


def are_more_than_colours(sweep: StoredSweep) -> bool:
    """Tell whether lines would have to tell rows of one colour from each other."""
    return len(_named(sweep)) > len(style.OKABE_ITO)


def _named(sweep: StoredSweep) -> list[str]:
    return [row for row in sweep.rows if _has_own_look(sweep, row)]


def _has_own_look(sweep: StoredSweep, row: str) -> bool:
    """Tell whether neither what a row adds nor its standing as a reference gives it its look."""
    trial = sweep.of_row(row)[0]
    if row == REFERENCE_ROW or trial.supervised_only or not trial.learns:
        return False
    firsts = [sweep.of_row(r)[0] for r in sweep.rows]
    added = [(t.added_set, t.added_excerpts) for t in firsts if t.added_set]
    return not _adds(sweep, row) or len(set(added)) < len(added)


def _adds(sweep: StoredSweep, row: str) -> bool:
    return bool(sweep.of_row(row)[0].added_set)


def legend(sweep: StoredSweep) -> list[Artist]:
    """Return an entry per row, and those of the marks at the ends of runs."""
    looks = {row: look(sweep, row) for row in sweep.rows}
    handles: list[Artist] = [
        Line2D([], [], color=colour, ls=line, lw=1.8, label=row)
        for row, (colour, line) in looks.items()
    ]
    return handles + style.end_handles(sweep.trials)
