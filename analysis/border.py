"""Where lies the border of the collapse between self-supervised weights and added excerpts?

python -m analysis.border --sweep NAME
"""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from analysis.drawing import labels, page, style, tables
from analysis.figure import SweepFigure, allows
from analysis.numbers.plane import BLANK, Plane

_MAPS = {"blank_rate": "Greys", "f1": "Blues", "f1_tuned": "Blues"}
_BORDER = style.colour(1)
_CELL = (0.58, 0.5)
"""Width and height of a cell in inches"""
NOTE = (
    f"{labels.LAST} Collapsed: of how many runs the blank rate at ½ on the added kind was at or "
    f"above {BLANK:g} to the end. The border is that value of its mean over seeds, interpolated "
    "between cells. "
)


def draw(plane: Plane) -> Figure:
    """Draw a panel per set and measure: factors upwards, counts to the right."""
    labelled = plane.sweep.trials[0].params["data.labelled_excerpts"]
    shown = plane.shown
    text = page.Page(
        title="The border of the collapse",
        subtitle=labels.subtitle(plane.sweep),
        x_label=f"excerpts of {plane.added_set} added to the {labelled} labelled ones of a batch",
        legend=_legend(plane),
        legend_columns=3,
        note=f"{NOTE}{labels.terms(plane.sweep)}",
        panel=(len(plane.counts) * _CELL[0], len(plane.factors) * _CELL[1]),
    )
    figure, (axes,) = page.panels(1, len(shown), text)
    axes[0].set_ylabel("self-supervised weights" + ", factor" * plane.relative)
    for (set_name, measure), ax in zip(shown, axes, strict=True):
        _panel(ax, plane, set_name, measure)
        head = f"{style.MEASURE_LABELS[measure]}, {set_name}"
        ax.set_title(f"{head}\n{labels.kind(plane.sweep, set_name)}", linespacing=1.3)
    return figure


def _panel(ax: Axes, plane: Plane, set_name: str, measure: str) -> None:
    n_columns, n_rows = len(plane.counts), len(plane.factors)
    ax.imshow(
        plane.means(set_name, measure),
        cmap=_MAPS[measure], vmin=0, vmax=1, origin="lower", aspect="auto",
    )  # fmt: skip
    for y in range(n_rows):
        for x in range(n_columns):
            _cell(ax, plane, (x, y), (set_name, measure))
    if n_columns > 1 and n_rows > 1:
        _border(ax, plane)
    ax.set_xticks(range(n_columns), [str(c) for c in plane.counts])
    ax.set_yticks(range(n_rows), [f"{f:g}" for f in plane.factors])
    ax.set_xlim(-0.5, n_columns - 0.5)
    ax.set_ylim(-0.5, n_rows - 0.5)
    ax.tick_params(length=0)
    ax.grid(visible=False)


def _cell(ax: Axes, plane: Plane, at: tuple[int, int], what: tuple[str, str]) -> None:
    x, y = at
    place = (plane.factors[y], plane.counts[x])
    found = plane.spread(place, *what)
    if not found.n:
        corner: Any = {"fill": False, "hatch": "////", "ec": "#cccccc", "lw": 0}
        ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, **corner))
        return
    ink = "white" if found.mean > 0.55 else "black"
    lines = [found.mean_text(2)]
    if found.n > 1:
        lines.append(f"±{found.std:.2f}")
    if n := plane.collapsed(place):
        lines.append("collapsed" if found.n == 1 else f"{n}/{found.n} coll.")
    ax.text(x, y, "\n".join(lines), ha="center", va="center", size=6.5, color=ink, linespacing=1.2)
    if plane.stopped(place):
        mark: Any = {"marker": style.STOPPED_MARKER, "ms": 5, "mec": "black", "mew": 0.6}
        ax.plot(x + 0.36, y + 0.34, color="white", **mark)


def _border(ax: Axes, plane: Plane) -> None:
    """Draw where the mean blank rate on the added kind crosses the threshold."""
    blank = np.ma.masked_invalid(plane.means(plane.own_set, "blank_rate"))
    if blank.count() and blank.min() < BLANK < blank.max():
        ax.contour(blank, levels=[BLANK], colors=[_BORDER], linewidths=2.2)


def _legend(plane: Plane) -> list[Artist]:
    border = f"border: blank at ½ of {BLANK:g} on {plane.own_set}"
    handles: list[Artist] = [Line2D([], [], color=_BORDER, lw=2.2, label=border)]
    if any(map(plane.stopped, plane.cells)):
        handles.append(style.stopped_handle())
    if not np.isfinite(plane.means(plane.own_set, "blank_rate")).all():
        handles.append(Patch(fill=False, hatch="////", ec="#cccccc", lw=0, label="no result"))
    return handles


def numbers(plane: Plane) -> tables.Frame:
    """Return a line per cell, set and measure drawn."""
    return tables.frame(
        {
            "factor": place[0],
            "added_set": plane.added_set,
            "added_excerpts": place[1],
            "rows": " ".join(dict.fromkeys(t.row for t in trials)),
            "set": set_name,
            "measure": measure,
            **plane.spread(place, set_name, measure).numbers(),
            "stopped": plane.stopped(place),
            "collapsed": plane.collapsed(place),
        }
        for place, trials in plane.cells.items()
        for set_name, measure in plane.shown
    )


def findings(plane: Plane) -> list[str]:
    """Say for each factor the least count at which the mean is beyond the border."""
    lines = []
    for factor in plane.factors:
        counts = [c for c in plane.counts if (factor, c) in plane.cells]
        blank = {c: plane.spread((factor, c), plane.own_set, "blank_rate") for c in counts}
        known = {c: s for c, s in blank.items() if s.n}
        if not known:
            continue
        beyond = [c for c, s in known.items() if s.mean >= BLANK]
        name = f"{'Factor' if plane.relative else 'Weight'} {factor:g}"
        lowest, highest = (f"{c} added {known[c].text()}" for c in (min(known), max(known)))
        said = f"collapse from {min(beyond)} added on" if beyond else "no collapse"
        lines.append(f"{name}: {said} (blank at ½ on {plane.own_set}: {lowest}, {highest}).")
    if plane.left_out:
        lines.append(f"Not on the plane: {', '.join(plane.left_out)}.")
    return lines


FIGURE = SweepFigure("border", __doc__, Plane.of, draw, numbers, findings, applies=allows(Plane.of))
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
