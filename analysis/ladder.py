"""How far up does each row lead, from the signal alone to all labels? Points with intervals.

python -m analysis.ladder --sweep NAME
"""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.drawing import labels, page, style, tables
from analysis.figure import SweepFigure
from analysis.numbers.comparison import Comparison, Result
from analysis.numbers.ladder import MEASURES, foot, gaps
from ssmpe.errors import UserError
from ssmpe.tracking.stored.records import CEILING_ROW, StoredSweep

_STEP = 0.2
"""Height of a row in inches"""
_CEILING: style.LineStyle = (0, (5, 1.5, 1, 1.5))
_PAD = 0.04
NOTE = (
    "Large points: mean over seeds, each at its last validation; small ones: single seeds. Bars: "
    "95 % intervals of the difference to {}, set at the row's mean: one that leaves out the {} "
    "line is a difference that is not by chance, if it is looked at alone. "
)


def applies(sweep: StoredSweep) -> bool:
    """Tell whether there is a line to compare rows with, and rows that have come to a result."""
    return bool(sweep.tuned and not sweep.is_search and len(sweep.rows) > 1 and _lines(sweep))


def _lines(sweep: StoredSweep) -> tuple[str, ...]:
    """Return the rows that are lines for all others."""
    known = {t.row for t in sweep.trials if t.has_result}
    return tuple(r for r in (*sweep.signal_rows, CEILING_ROW) if r in known)


def of(sweep: StoredSweep) -> Comparison:
    """Compare the rows; UserError if the sweep has neither foot nor top."""
    if not applies(sweep):
        raise UserError(
            f"sweep {sweep.name!r}: no row without a network and no ceiling that tuned scores "
            "could be compared with: draw one of remedies.py or sample_count.py"
        )
    return Comparison.of(sweep)


def shown(sweep: StoredSweep) -> tuple[str, ...]:
    """Return the sets that are drawn: the labelled kind and those added."""
    kinds = [g for s in sweep.trials for g in s.joined]
    added = [k for name in dict.fromkeys(kinds) if (k := sweep.kind_of(name))]
    return tuple(dict.fromkeys((sweep.validation, *added)))


def draw(comparison: Comparison) -> Figure:
    """Draw a row of panels per set, a column per measure; rows of the sweep hang downwards."""
    sweep, rows = comparison.sweep, comparison.sweep.rows
    sets = shown(sweep)
    text = page.Page(
        title="The ladder: from the signal alone to all labels",
        subtitle=labels.subtitle(sweep),
        x_label="score",
        legend=_legend(comparison),
        legend_columns=3,
        note=_note(comparison),
        panel=(2.9, len(rows) * _STEP + 0.1),
        left=page.margin(rows) + 0.3,
        heading=1,
    )
    figure, axes = page.panels(len(sets), len(MEASURES), text)
    for set_name, panels in zip(sets, axes, strict=True):
        panels[0].set_ylabel(f"{set_name}\n{labels.kind(sweep, set_name)}", linespacing=1.3)
        for measure, ax in zip(MEASURES, panels, strict=True):
            _panel(ax, comparison, set_name, measure)
    for measure, ax in zip(MEASURES, axes[0], strict=True):
        ax.set_title(style.MEASURE_LABELS[measure])
    axes[0][0].set_yticks(range(len(rows)), rows)
    axes[0][0].set_ylim(len(rows) - 0.4, -0.6)
    axes[0][0].set_xlim(*_limits(comparison))
    return figure


def _note(comparison: Comparison) -> str:
    baseline = comparison.baseline
    said = NOTE.format(baseline, baseline) if comparison.has_intervals else ""
    return f"{said}AP: average precision over all thresholds. {labels.terms(comparison.sweep)}"


def _limits(comparison: Comparison) -> tuple[float, float]:
    """Return the least and the greatest score, with some room."""
    trials = [t for t in comparison.sweep.trials if t.has_result]
    values = [t.final(s, m) for t in trials for s in shown(comparison.sweep) for m in MEASURES]
    known = [v for v in values if np.isfinite(v)] or [0.0, 1.0]
    return max(0.0, min(known) - _PAD), min(1.0, max(known) + _PAD)


def _panel(ax: Axes, comparison: Comparison, set_name: str, measure: str) -> None:
    sweep = comparison.sweep
    lines = {comparison.baseline: (style.REFERENCE_COLOUR, "-"), CEILING_ROW: ("black", _CEILING)}
    for row, (colour, line) in lines.items():
        if row in sweep.rows and (spread := comparison.result(row, set_name).spreads[measure]).n:
            ax.axvline(spread.mean, color=colour, ls=line, lw=1.0, zorder=1)
    if signal := foot(sweep, set_name, measure):
        look: Any = {"color": style.SIGNAL_COLOUR, "ls": style.SIGNAL_LINE, "lw": 1.4}
        ax.axvline(signal.score, zorder=1, **look)
    for place, row in enumerate(sweep.rows):
        _point(ax, comparison.result(row, set_name), measure, (place, _colour(sweep, row)))
        for trial in sweep.of_row(row) if len(sweep.seeds) > 1 else ():
            if trial.has_result:
                small: Any = {"marker": "o", "ms": 2.6, "mew": 0, "alpha": 0.55, "ls": "none"}
                ax.plot(trial.final(set_name, measure), place, color=_colour(sweep, row), **small)
    ax.tick_params(length=0)
    if not any(comparison.result(r, set_name).spreads[measure].n for r in sweep.rows):
        style.say_unannotated(ax)


def _point(ax: Axes, result: Result, measure: str, look: tuple[int, style.Colour]) -> None:
    """Draw the mean of a row, at its place and in its colour, with its interval."""
    (place, colour), spread = look, result.spreads[measure]
    difference = result.differences.get(measure)
    if not spread.n:
        return
    if difference and (effect := difference.effect):
        ends = [spread.mean + bound - effect.mean for bound in (effect.low, effect.high)]
        ax.plot(ends, [place, place], color=colour, lw=1.6, solid_capstyle="butt", zorder=2)
    ax.plot(spread.mean, place, marker="o", color=colour, ms=5.5, mec="white", mew=0.6, zorder=3)


def _colour(sweep: StoredSweep, row: str) -> style.Colour:
    """Return the colour of what a row adds without labels; black of what is a line."""
    if row in _lines(sweep):
        return "black"
    added = sweep.of_row(row)[0].added_set
    return style.colour(sweep.added_sets.index(added)) if added else style.REFERENCE_COLOUR


def _legend(comparison: Comparison) -> list[Artist]:
    sweep, handles = comparison.sweep, list[Artist]()
    if signals := [r for r in _lines(sweep) if r != CEILING_ROW]:
        name = signals[0] if len(signals) == 1 else "the best without a network"
        look: Any = {"color": style.SIGNAL_COLOUR, "ls": style.SIGNAL_LINE, "lw": 1.4}
        handles.append(Line2D([], [], label=name, **look))
    label = comparison.baseline
    handles.append(Line2D([], [], color=style.REFERENCE_COLOUR, lw=1.0, label=label))
    if CEILING_ROW in _lines(sweep):
        label = "ceiling: added tracks labelled"
        handles.append(Line2D([], [], color="black", lw=1.0, ls=_CEILING, label=label))
    looks = {f"adds {s}, unlabelled": style.colour(i) for i, s in enumerate(sweep.added_sets)}
    for label, colour in {**looks, "adds nothing": style.REFERENCE_COLOUR}.items():
        handles.append(Line2D([], [], color=colour, marker="o", ms=5, lw=1.6, label=label))
    return handles


def numbers(comparison: Comparison) -> tables.Frame:
    """Return a line per set, measure and row: its mean, difference, interval, and share."""
    shares = {(g.set_name, g.measure): g.shares for g in gaps(comparison)}
    lines = []
    for set_name in shown(comparison.sweep):
        for measure in MEASURES:
            for result in comparison.on(set_name):
                difference = result.differences.get(measure)
                effect = difference.effect if difference else None
                share = shares.get((set_name, measure), {}).get(result.row)
                line: dict[str, object] = {"set": set_name, "measure": measure, "row": result.row}
                line |= result.spreads[measure].numbers()
                line |= {
                    "difference": difference.spread.mean if difference else "",
                    "difference_low": effect.low if effect else "",
                    "difference_high": effect.high if effect else "",
                    "share_of_gap": share.value if share else "",
                }
                lines.append(line)
    return tables.frame(lines)


def findings(comparison: Comparison) -> list[str]:
    """Say of each set and measure which row without labels is the best, and what lies about it."""
    sweep, lines = comparison.sweep, []
    for set_name in shown(sweep):
        for measure in MEASURES:
            known = {r.row: r.spreads[measure] for r in comparison.on(set_name)}
            climbing = [r for r, s in known.items() if s.n and r not in _lines(sweep)]
            if not climbing:
                continue
            best = max(climbing, key=lambda r: known[r].mean)
            about = [f"{r} {known[r].mean_text()}" for r in _lines(sweep) if known[r].n]
            said = f"{style.MEASURE_LABELS[measure]} on {set_name}: highest with {best}"
            lines.append(f"{said} ({known[best].mean_text()}); {', '.join(about)}.")
    return lines


FIGURE = SweepFigure("ladder", __doc__, of, draw, numbers, findings, applies=applies)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
