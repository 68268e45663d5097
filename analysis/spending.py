"""How much time did a sweep take, row by row, and what did stopping collapsed runs save?

python -m analysis.spending --sweep NAME
"""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich import box
from rich.table import Table

from analysis import figure as command
from analysis.drawing import labels, page, style
from analysis.figure import Drawing
from analysis.numbers.costs import Costs, of_sweep, total
from analysis.reading.records import StoredSweep
from analysis.reading.store import read_sweep

_BAR = 0.24
"""inches of a bar and the gap under it"""
NOTE = (
    "Sums over seeds. Training and evaluation as the runs have recorded them; other: the time "
    "from a run's begin to its end less both – start of the process, loading, checkpoints, and, "
    "of a run that was interrupted or restarted, the pause and the batches trained twice. Saved "
    "is an estimate: batches not trained, at the run's own mean time per batch."
)
PARTS = (
    ("training", style.colour(0)),
    ("evaluation", style.colour(5)),
    ("other", "#b9b9b9"),
    ("saved", "none"),
)


def render(uri: str, name: str, out: Path, partial: bool = False) -> Drawing:
    """Draw what a sweep has spent and saved into a folder.

    Arguments and errors as ``degeneration.render``; besides UserError: the store has no times.
    """
    sweep = read_sweep(uri, name, partial)
    rows = of_sweep(sweep)
    out = style.output_folder(out)
    with style.look():
        figures = style.save(draw(sweep, rows), out, "spending")
    table = out / "spending.csv"
    table.write_text(comma_separated(rows), encoding="utf-8")
    return Drawing(sweep.run_id, (*figures, table), summary(sweep, rows), _table(sweep, rows))


def draw(sweep: StoredSweep, rows: Sequence[Costs]) -> Figure:
    """A bar per row: its hours by what they were spent on, and those saved."""
    names = [c.row for c in rows]
    unit, seconds = _unit(max(c.spent + c.saved for c in rows))
    text = page.Page(
        title="Time spent and saved",
        subtitle=labels.subtitle(sweep),
        x_label=f"{unit} of all runs of a row, one after another",
        legend=_legend(rows),
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
        look: Any = {"color": colour, "lw": 0}
        if part == "saved":
            look = {"fill": False, "hatch": "/////", "ec": "#777777", "lw": 0}
        ax.barh(places, widths, left=begin, height=0.68, **look)
        begin = begin + widths
    ax.set_yticks(places, names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(length=0)
    ax.grid(axis="y", visible=False)
    return figure


def _unit(seconds: float) -> tuple[str, float]:
    """Name of a unit that suits a time, and its seconds."""
    return ("hours", 3600.0) if seconds >= 2 * 3600 else ("minutes", 60.0)


def _legend(rows: Sequence[Costs]) -> list[Artist]:
    handles: list[Artist] = [Patch(color=c, lw=0, label=n) for n, c in PARTS if n != "saved"]
    if any(c.saved for c in rows):
        look: Any = {"fill": False, "hatch": "/////", "ec": "#777777", "lw": 0}
        handles.append(Patch(label="saved by stopping (estimate)", **look))
    return handles


def summary(sweep: StoredSweep, rows: Sequence[Costs]) -> str:
    """What was spent and saved in all, in sentences."""
    whole = total(rows)
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
        lines.append(
            f"Taken from earlier sweeps, and left out here: {', '.join(dict.fromkeys(copied))}."
        )
    return "\n".join(lines)


def _time(seconds: float) -> str:
    unit, length = _unit(seconds)
    return f"{seconds / length:.1f} {unit}"


_COLUMNS = (
    "runs", "stopped", "trained", "configured", "training", "evaluation", "other", "spent",
    "gpu_hours", "saved_batches", "saved", "saved_gpu_hours",
)  # fmt: skip


def comma_separated(rows: Sequence[Costs]) -> str:
    """A line per row and one for all; times in seconds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    times = {"training", "evaluation", "other", "spent", "saved"}
    writer.writerow(("row", *(f"{c}_seconds" if c in times else c for c in _COLUMNS)))
    for costs in (*rows, total(rows)):
        writer.writerow((costs.row, *(getattr(costs, c) for c in _COLUMNS)))
    return buffer.getvalue()


def _table(sweep: StoredSweep, rows: Sequence[Costs]) -> Table:
    """For rich's console; times in minutes."""
    table = Table(
        title=f"{sweep.name}: minutes", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1)
    )
    table.add_column("row", max_width=14)
    for heading in ("runs", "batches", "train", "evaluate", "other", "GPU-h", "saved"):
        table.add_column(heading, justify="right", no_wrap=True)
    for costs in (*rows, total(rows)):
        minutes = (f"{getattr(costs, p) / 60:.1f}" for p in ("training", "evaluation", "other"))
        saved = f"{costs.saved / 60:.1f}" if costs.stopped else "–"
        cells = (f"{costs.trained}/{costs.configured}", *minutes, f"{costs.gpu_hours:.2f}", saved)
        table.add_row(costs.row, str(costs.runs), *cells)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    return command.run("spending", __doc__.partition("\n")[0], render, arguments)


if __name__ == "__main__":
    sys.exit(main())
