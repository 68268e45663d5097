"""At what precision does a row keep its recall? Precision over recall, a point per row and set.

python -m analysis.precision_recall --sweep NAME
"""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.drawing import labels, page, style
from analysis.figure import SweepFigure
from analysis.numbers.statistics import Spread
from ssmpe.errors import UserError
from ssmpe.tracking.stored.records import REFERENCE_ROW, StoredSweep

LEVELS = (0.2, 0.4, 0.6, 0.8)
"""Values of F1 along which a line is drawn"""
NOTE = (
    f"{labels.LAST} Large: mean over seeds; small: single runs. Grey lines join equal F1 (0.2, "
    "0.4, 0.6, 0.8). Both are at a salience of one half: a sunk level loses recall that a lower "
    "threshold brings back. "
)
LEFT_OUT = " Rows without a network are left out."


def applies(sweep: StoredSweep) -> bool:
    """Tell whether rows have objectives of content, which trade recall for precision."""
    return any("objectives.weights.energy" in t.params for t in sweep.trials)


def shown(sweep: StoredSweep) -> tuple[str, ...]:
    """Return the rows that are drawn: at one half, those without a network mean nothing."""
    return tuple(r for r in sweep.rows if r not in sweep.signal_rows)


def of(sweep: StoredSweep) -> StoredSweep:
    """Return the sweep; UserError if it has no row that is drawn."""
    if not shown(sweep):
        raise UserError(f"sweep {sweep.name!r}: no row has a network; at one half, none is drawn")
    return sweep


def draw(sweep: StoredSweep) -> Figure:
    """Draw a panel per set."""
    text = page.Page(
        title="Precision against recall, at a salience of one half",
        subtitle=labels.subtitle(sweep),
        x_label=style.MEASURE_LABELS["recall"],
        legend=_legend(sweep),
        legend_columns=page.legend_columns(shown(sweep)),
        note=f"{NOTE}{labels.terms(sweep)}{LEFT_OUT * bool(sweep.signal_rows)}",
        panel=(1.95, 1.95),
    )
    figure, (axes,) = page.panels(1, len(sweep.sets), text)
    axes[0].set_ylabel(style.MEASURE_LABELS["precision"])
    labels.name_sets(axes, sweep)
    for set_name, ax in zip(sweep.sets, axes, strict=True):
        style.unit_axis(ax)
        ax.set_xlim(ax.get_ylim())
        ax.set_xticks(ax.get_yticks(), ["0", "", "0.5", "", "1"])
        _draw_levels(ax)
        drawn = [_draw_row(ax, sweep, row, set_name) for row in shown(sweep)]
        if not any(drawn):
            style.say_unannotated(ax)
    return figure


def _draw_levels(ax: Axes) -> None:
    for level in LEVELS:
        recall = np.linspace(level / (2 - level), 1, 100)
        ax.plot(recall, level * recall / (2 * recall - level), color="#cccccc", lw=0.7, zorder=1)


def _draw_row(ax: Axes, sweep: StoredSweep, row: str, set_name: str) -> bool:
    """Draw the points of a row; tells whether it has any on the set."""
    colour, marker = _look(sweep, row)
    trials = [t for t in sweep.of_row(row) if t.has_result]
    points = [(t.final(set_name, "recall"), t.final(set_name, "precision")) for t in trials]
    recall, precision = (Spread.of(point[i] for point in points) for i in (0, 1))
    if not recall.n:
        return False
    if len(trials) > 1:
        for trial, (x, y) in zip(trials, points, strict=True):
            shape = style.STOPPED_MARKER if trial.stopped else marker
            ax.plot(x, y, marker=shape, color=colour, ms=3, mew=0, alpha=0.6, clip_on=False)
    # of a single run, the large point is the run
    shape = style.STOPPED_MARKER if all(t.stopped for t in trials) else marker
    large: Any = {"ms": 6.5, "mec": "black", "mew": 0.6, "clip_on": False, "zorder": 4}
    ax.plot(recall.mean, precision.mean, marker=shape, color=colour, **large)
    return True


def _look(sweep: StoredSweep, row: str) -> tuple[style.Colour, str]:
    """Return the colour and the marker of a row."""
    if row == REFERENCE_ROW:
        return "black", "*"
    supervised = [r for r in sweep.rows if sweep.of_row(r)[0].supervised_only]
    if row in supervised:
        return style.REFERENCE_COLOUR, "p"
    named = [r for r in shown(sweep) if r != REFERENCE_ROW and r not in supervised]
    turn, place = divmod(named.index(row), len(style.OKABE_ITO))
    return style.colour(place), style.MARKERS[(place + turn) % len(style.MARKERS)]


def _legend(sweep: StoredSweep) -> list[Artist]:
    look: Any = {"ms": 6, "mec": "black", "mew": 0.6, "ls": "none"}
    looks = {row: _look(sweep, row) for row in shown(sweep)}
    handles: list[Artist] = [
        Line2D([], [], color=colour, marker=marker, label=row, **look)
        for row, (colour, marker) in looks.items()
    ]
    return handles + [style.stopped_handle()] * any(t.stopped for t in sweep.trials)


FIGURE = SweepFigure("precision_recall", __doc__, of, draw, applies=applies)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
