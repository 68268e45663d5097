"""How much time did a sweep take, row by row, and what did stopping collapsed runs save?

python -m analysis.spending --sweep NAME
"""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich.table import Table

from analysis.drawing import labels, page, style, tables
from analysis.figure import SweepFigure
from analysis.numbers.costs import Spending

_BAR = 0.24
"""Inches of a bar and the gap under it"""
NOTE = (
    "Sums over seeds. Training and evaluation as the runs have recorded them; other: the time "
    "from a run's begin to its end less both – start of the process, loading, checkpoints, and, "
    "of a run that was interrupted or restarted, the pause and the batches trained twice. Saved "
    "is an estimate: batches not trained, at the run's own mean time per batch."
)
_SAVED: Any = {"fill": False, "hatch": "/////", "ec": "#777777", "lw": 0}
PARTS = (
    ("training", style.colour(0)),
    ("evaluation", style.colour(5)),
    ("other", "#b9b9b9"),
    ("saved", "none"),
)


def draw(spending: Spending) -> Figure:
    """Draw a bar per row: its hours by what they were spent on, and those saved."""
    rows, names = spending.rows, [c.row for c in spending.rows]
    unit, seconds = _unit(max(c.spent + c.saved for c in rows))
    text = page.Page(
        title="Time spent and saved",
        subtitle=labels.subtitle(spending.sweep),
        x_label=f"{unit} of all runs of a row, one after another",
        legend=_legend(spending),
        legend_columns=4,
        note=NOTE,
        panel=(4.0, len(names) * _BAR),
        left=page.margin(names),
    )
    figure, ((ax,),) = page.panels(1, 1, text)
    places = np.arange(len(names))
    begin = np.zeros(len(names))
    for part, colour in PARTS:
        widths = np.array([getattr(c, part) for c in rows]) / seconds
        look: Any = _SAVED if part == "saved" else {"color": colour, "lw": 0}
        ax.barh(places, widths, left=begin, height=0.68, **look)
        begin = begin + widths
    ax.set_yticks(places, names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(length=0)
    ax.grid(axis="y", visible=False)
    return figure


def _unit(seconds: float) -> tuple[str, float]:
    """Return the name of a unit that suits a time, and its seconds."""
    return ("hours", 3600.0) if seconds >= 2 * 3600 else ("minutes", 60.0)


def _legend(spending: Spending) -> list[Artist]:
    handles: list[Artist] = [Patch(color=c, lw=0, label=n) for n, c in PARTS if n != "saved"]
    if any(c.saved for c in spending.rows):
        handles.append(Patch(label="saved by stopping (estimate)", **_SAVED))
    return handles


def findings(spending: Spending) -> list[str]:
    """Say what was spent and saved in all."""
    sweep, whole = spending.sweep, spending.total
    shares = [f"{part} {getattr(whole, part) / whole.spent:.0%}" for part, _ in PARTS[:2]]
    spent = (
        f"{whole.runs} runs took {_time(whole.spent)} in all: {', '.join(shares)}, the rest start, "
        f"loading, checkpoints and pauses ({_time(whole.other)}, {whole.other / whole.runs:.1f} s "
        "per run)."
    )
    lines = [spent]
    if np.isfinite(sweep.seconds):
        lines.append(
            f"The sweep took {_time(sweep.seconds)} from begin to end: on average "
            f"{whole.spent / sweep.seconds:.2f} runs at a time."
        )
    gpu = f"{whole.gpu_hours:.2f} GPU-hours" if whole.gpu_hours else "No GPU was used"
    lines.append(f"{gpu}; {whole.trained} of {whole.configured} configured batches were trained.")
    if whole.stopped:
        share = whole.saved / (whole.spent + whole.saved)
        saved_gpu = f", {whole.saved_gpu_hours:.2f} GPU-hours" if whole.gpu_hours else ""
        lines.append(
            f"Stopping {whole.stopped} collapsed runs saved {whole.saved_batches} batches, by "
            f"estimate {_time(whole.saved)}{saved_gpu}: {share:.0%} of what the sweep would have "
            "taken."
        )
    else:
        lines.append("No run was stopped as collapsed: nothing was saved.")
    if copied := [t.row for t in sweep.trials if t.copied]:
        rows = ", ".join(dict.fromkeys(copied))
        lines.append(f"Left out here: {len(copied)} runs taken from earlier sweeps, of {rows}.")
    return lines


def _time(seconds: float) -> str:
    unit, length = _unit(seconds)
    return f"{seconds / length:.1f} {unit}"


_COLUMNS = (
    "runs", "stopped", "trained", "configured", "training", "evaluation", "other", "spent",
    "gpu_hours", "saved_batches", "saved", "saved_gpu_hours",
)  # fmt: skip


def numbers(spending: Spending) -> tables.Frame:
    """Return a line per row and one for all; times in seconds."""
    times = {"training", "evaluation", "other", "spent", "saved"}
    headings = {c: f"{c}_seconds" if c in times else c for c in _COLUMNS}
    return tables.frame(
        {"row": costs.row, **{headings[c]: getattr(costs, c) for c in _COLUMNS}}
        for costs in (*spending.rows, spending.total)
    )


def table(spending: Spending) -> Table:
    """Return a line per row and one for all, for the terminal; times in minutes."""
    names = ("runs", "batches", "train", "evaluate", "other", "GPU-h", "saved")
    lines = []
    for costs in (*spending.rows, spending.total):
        minutes = (f"{getattr(costs, p) / 60:.1f}" for p in ("training", "evaluation", "other"))
        saved = f"{costs.saved / 60:.1f}" if costs.stopped else "–"
        batches = f"{costs.trained}/{costs.configured}"
        lines.append(
            (
                tables.RowName(costs.row),
                str(costs.runs),
                batches,
                *minutes,
                f"{costs.gpu_hours:.2f}",
                saved,
            )
        )
    columns = {"row": {}, **dict.fromkeys(names, tables.NUMBER)}
    return tables.terminal(f"{spending.sweep.name}: minutes", columns, [lines])


FIGURE = SweepFigure("spending", __doc__, Spending.of, draw, numbers, findings, table=table)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
