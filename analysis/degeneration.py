"""Does the network degenerate the more, the more unlabelled excerpts are added? Figure and table.

python -m analysis.degeneration --sweep NAME
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from rich.table import Table

from analysis.drawing import labels, page, style, tables
from analysis.figure import SweepFigure
from analysis.numbers.counts import SEVERITY, SampleCount
from analysis.numbers.statistics import Spread, saved_batches
from ssmpe.errors import UserError
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

MEASURES = ("f1", "recall", SEVERITY)
"""Measures that are drawn"""
SCORES = {"f1": "F1", "recall": "recall", "precision": "precision", "blank_rate": "blank rate"}
"""Measures of the tables, and their headings"""
_DODGE, _CLUSTER = 0.1, 0.6
"""Offset between the points of one count and the most they take up, in steps of the axis"""

NOTE = (
    "Every value is that of a trial's last validation, not of its best checkpoint; runs stopped as "
    "collapsed count with the state in which they were stopped. Lines: mean over seeds; bands: "
    "lowest to highest seed. ρ: Spearman's rank correlation of blank rate and count over all "
    "trials, the closed condition (0 added) included."
)


def applies(sweep: StoredSweep) -> bool:
    """Tell whether there are several counts of a set, or none and one and nothing else differs."""
    if sweep.is_search:
        return False  # a search varies everything at once
    added = {(t.added_set, t.added_excerpts) for t in sweep.trials if t.added_set}
    if len(added) > len(sweep.added_sets):
        return True
    try:
        comparison = SampleCount.of(sweep)
    except UserError:
        return False
    return not comparison.left_out and len(comparison.counts) > 1


def draw(comparison: SampleCount) -> Figure:
    """Draw a row of panels per measure, a column per set."""
    sweep = comparison.sweep
    text = page.Page(
        title="Degeneration against added unlabelled excerpts",
        subtitle=labels.subtitle(sweep),
        x_label=_x_label(comparison),
        legend=_legend(comparison),
        legend_columns=3,
        note=NOTE,
    )
    figure, axes = page.panels(len(MEASURES), len(sweep.sets), text)
    for measure, row in zip(MEASURES, axes, strict=True):
        row[0].set_ylabel(style.MEASURE_LABELS[measure])
        for set_name, ax in zip(sweep.sets, row, strict=True):
            _panel(ax, comparison, set_name, measure)
    labels.name_sets(axes[0], sweep)
    for set_name, ax in zip(sweep.sets, axes[MEASURES.index(SEVERITY)], strict=True):
        _write_correlations(ax, comparison, set_name)
    return figure


def _x_label(comparison: SampleCount) -> str:
    labelled = comparison.sweep.trials[0].params["data.labelled_excerpts"]
    return f"unlabelled excerpts added to the {labelled} labelled ones of a batch"


def _panel(ax: Axes, comparison: SampleCount, set_name: str, measure: str) -> None:
    def score(trial: StoredTrial) -> float:
        return trial.final(set_name, measure)

    counts = comparison.counts
    _reference(ax, [score(t) for t in comparison.supervised if t.has_result])
    for added_set in comparison.added:
        _line(ax, comparison, added_set, score)
    ax.set_xticks(range(len(counts)), [str(c) for c in counts])
    ax.set_xlim(-0.4, len(counts) - 0.6)
    style.unit_axis(ax)
    if not any(np.isfinite(score(t)) for t in comparison.sweep.trials):
        style.say_unannotated(ax)


def _reference(ax: Axes, values: Sequence[float]) -> None:
    spread = Spread.of(values)
    if not spread.n:
        return
    ax.axhspan(spread.low, spread.high, color=style.REFERENCE_COLOUR, alpha=0.15, lw=0)
    ax.axhline(spread.mean, color=style.REFERENCE_COLOUR, ls=style.REFERENCE_LINE, lw=1.2)


def _line(
    ax: Axes, comparison: SampleCount, added_set: str, score: Callable[[StoredTrial], float]
) -> None:
    """Draw mean, band and single trials of one added set."""
    colour, marker = _look(comparison, added_set)
    trials = comparison.series(added_set)
    counts = sorted({t.added_excerpts for t in trials})
    spreads = [
        Spread.of(score(t) for t in trials if t.has_result and t.added_excerpts == c)
        for c in counts
    ]
    offsets = _offsets(comparison, added_set)
    xs = np.array([comparison.counts.index(c) for c in counts]) + offsets.mean()
    ax.plot(xs, [s.mean for s in spreads], color=colour, lw=1.5)
    low, high = [s.low for s in spreads], [s.high for s in spreads]
    ax.fill_between(xs, low, high, color=colour, alpha=0.16, lw=0)
    for trial in trials:
        offset = offsets[comparison.sweep.seeds.index(trial.seed)]
        x = comparison.counts.index(trial.added_excerpts) + offset
        ax.plot(x, score(trial), **_point(trial, colour, marker))


def _offsets(comparison: SampleCount, added_set: str) -> NDArray[np.float64]:
    """Return offsets of the seeds' points, so that those of one count lie side by side."""
    n_seeds, n_sets = len(comparison.sweep.seeds), len(comparison.added)
    n = n_seeds * n_sets
    places = (np.arange(n) - (n - 1) / 2) * min(_DODGE, _CLUSTER / n)
    first = list(comparison.added).index(added_set) * n_seeds
    return np.asarray(places[first : first + n_seeds], dtype=np.float64)


def _point(trial: StoredTrial, colour: str, marker: str) -> dict[str, Any]:
    look: dict[str, Any]
    if trial.stopped:
        look = {"marker": style.STOPPED_MARKER, "ms": 6.5, "mec": "black", "mew": 0.8, "zorder": 4}
    elif trial.has_result:
        look = {"marker": marker, "ms": 4.5, "mec": "white", "mew": 0.5, "zorder": 3}
    else:
        look = {"marker": style.UNCOUNTED_MARKER, "ms": 6, "mec": colour, "mew": 1.2, "zorder": 3}
    return {"color": colour, "ls": "none", "clip_on": False, **look}


def _look(comparison: SampleCount, added_set: str) -> tuple[str, str]:
    index = list(comparison.added).index(added_set)
    return style.colour(index), style.MARKERS[index % len(style.MARKERS)]


def _write_correlations(ax: Axes, comparison: SampleCount, set_name: str) -> None:
    """Write ρ of every added set above the panel, each in its line's colour."""
    n = len(comparison.added)
    for index, added_set in enumerate(comparison.added):
        correlation = comparison.correlation(added_set, set_name)
        text = f"{correlation} (n = {correlation.n})" if n == 1 else correlation.short
        where: Any = {"transform": ax.transAxes, "ha": "center", "va": "bottom", "size": 8.5}
        ax.text((index + 0.5) / n, 1.04, text, color=_look(comparison, added_set)[0], **where)


def _legend(comparison: SampleCount) -> list[Artist]:
    handles: list[Artist] = []
    for added_set in comparison.added:
        colour, marker = _look(comparison, added_set)
        label = f"added from {added_set}"
        handles.append(Line2D([], [], color=colour, marker=marker, ms=5, lw=1.6, label=label))
    shown = [t for s in comparison.added for t in comparison.series(s)]
    handles += style.end_handles(shown)
    if any(t.has_result for t in comparison.supervised):
        colour = style.REFERENCE_COLOUR
        handles.append(
            Line2D([], [], color=colour, ls=style.REFERENCE_LINE, lw=1.2, label="supervised only")
        )
    if len(comparison.sweep.seeds) > 1:
        handles.append(Patch(color="#888888", alpha=0.3, lw=0, label="lowest to highest seed"))
    return handles


@dataclass(frozen=True)
class Line:
    """Scores of a row on a set at its trials' last validations.

    Attributes:
        spreads: by measure, over the trials that count.
        collapsed_at: seed -> batch from which the set was blank to the end, or None.
    """

    trials: tuple[StoredTrial, ...]
    set_name: str
    spreads: Mapping[str, Spread]
    collapsed_at: Mapping[int, int | None]

    @property
    def ended(self) -> str:
        """How many trials ended for which reason."""
        reasons = Counter(str(t.end_reason or "running") for t in self.trials)
        return ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))

    @property
    def collapses(self) -> str:
        """Batches in the order of the seeds, "–" for those that did not collapse."""
        at = self.collapsed_at.values()
        return ", ".join("–" if b is None else str(b) for b in at) if any(at) else "–"


def _lines(sweep: StoredSweep, row: str) -> list[Line]:
    trials = sweep.of_row(row)
    counted = [t for t in trials if t.has_result]
    return [
        Line(
            trials,
            name,
            {m: Spread.of(t.final(name, m) for t in counted) for m in SCORES},
            {t.seed: t.collapsed_at.get(name) for t in counted},
        )
        for name in sweep.sets
    ]


def numbers(comparison: SampleCount) -> tables.Frame:
    """Return a line per row and set: n, mean, std, low and high over seeds of each measure."""
    lines = []
    for row in comparison.sweep.rows:
        for line in _lines(comparison.sweep, row):
            at = {seed: batch for seed, batch in line.collapsed_at.items() if batch is not None}
            first = line.trials[0]
            cells: dict[str, object] = {"row": row, "added_set": first.added_set}
            cells |= {"added_excerpts": first.added_excerpts, "set": line.set_name}
            for measure, spread in line.spreads.items():
                cells |= spread.numbers(f"{measure}_")
            known = "; ".join(f"seed {seed}: {batch}" for seed, batch in at.items())
            lines.append({**cells, "ended": line.ended, "collapsed_at": known})
    return tables.frame(lines)


def table(comparison: SampleCount) -> Table:
    """Return scores for the terminal; why trials ended stands under the name of their row."""
    sweep, groups = comparison.sweep, []
    for row in sweep.rows:
        lines = _lines(sweep, row)
        names = [row, lines[0].ended] + [""] * len(lines)
        if len(lines) == 1:
            names = ["\n".join(names[:2])]
        group = []
        for name, line in zip(names, lines, strict=False):
            spreads = (line.spreads[m] for m in ("f1", "recall", "blank_rate"))
            scores = [s.text(decimals=2).replace(" ", "") for s in spreads]
            group.append([name, line.set_name, *scores, line.collapses])
        groups.append(group)
    columns: dict[str, Mapping[str, Any]] = {"row": {"max_width": 12}, "set": {"no_wrap": True}}
    columns |= dict.fromkeys(("F1", "recall", "blank"), tables.NUMBER)
    columns |= {"blank from batch": {}}
    return tables.terminal(f"{sweep.name}: {sweep.question}", columns, groups, gap=0)


def texts(comparison: SampleCount) -> dict[str, str]:
    """Return the table in Markdown, with the findings and how to read both."""
    sweep = comparison.sweep
    lines = tables.frame(
        {
            "row": row,
            "set": line.set_name,
            **{SCORES[m]: spread.text() for m, spread in line.spreads.items()},
            "ended": line.ended,
            "collapsed at": line.collapses,
        }
        for row in sweep.rows
        for line in _lines(sweep, row)
    )
    reading = (
        "Scores at a trial's last validation, not at its best checkpoint: mean ± sample standard "
        "deviation over seeds. Runs stopped as collapsed count with the state in which they were "
        "stopped; failed and interrupted ones do not count. Collapsed at: batch from which the "
        "set was blank to the end, per seed."
    )
    parts = [
        " — ".join(labels.subtitle(sweep)),
        tables.markdown(lines, ("row", "set", "ended", "collapsed at")),
        reading,
        "\n".join(f"- {s}" for s in findings(comparison)),
        "Rank correlation of blank rate and count:",
        "\n".join(f"- {c}" for c in _correlations(comparison)),
    ]
    return {"degeneration.md": "\n\n".join(parts) + "\n"}


def findings(comparison: SampleCount) -> list[str]:
    """Say how scores move with the count, what closed training gains, and what stopping saved."""
    lines = [_degeneration(comparison, added_set) for added_set in comparison.added]
    lines += [_closed_gain(comparison), _savings(comparison)]
    if comparison.left_out:
        rows = ", ".join(comparison.left_out)
        lines.append(f"Not compared, for they differ in more than added excerpts: {rows}.")
    return lines


def _correlations(comparison: SampleCount) -> list[str]:
    """Return rank correlations of blank rate and count per added set and scored set."""
    lines = []
    for added_set in comparison.added:
        found = {s: comparison.correlation(added_set, s) for s in comparison.sweep.sets}
        said = ", ".join(f"{s} {c} (n = {c.n})" for s, c in found.items())
        lines.append(f"{added_set} added: {said}")
    return lines


def _degeneration(comparison: SampleCount, added_set: str) -> str:
    """Say how scores go from the lowest count to the highest, on the set of the added kind."""
    scored = comparison.own_set(added_set)
    (fewest, low), (most, high) = comparison.ends(added_set)
    correlation = comparison.correlation(added_set, scored)
    moves = {
        m: " -> ".join(Spread.of(t.final(scored, m) for t in end).text() for end in (low, high))
        for m in ("f1", SEVERITY)
    }
    return (
        f"{scored}, from {fewest} to {most} excerpts of {added_set} added: F1 {moves['f1']}, "
        f"blank rate {moves[SEVERITY]} ({correlation} over {correlation.n} trials)."
    )


def _closed_gain(comparison: SampleCount) -> str:
    gain = comparison.closed_gain()
    scored = comparison.sweep.validation
    if not gain.differences:
        return f"Closed minus supervised only on {scored}: no seed has finished both."
    by_seed = "; ".join(
        f"seed {seed}: {difference:+.3f} at batch {gain.batches[seed]}"
        for seed, difference in gain.differences.items()
    )
    return (
        f"Closed minus supervised only, F1 on {scored} at equal batches, paired by seed: "
        f"{gain.spread.text(signed=True)} ({by_seed})."
    )


def _savings(comparison: SampleCount) -> str:
    saved = saved_batches(comparison.sweep)
    if not saved.runs:
        return "No run was stopped as collapsed."
    return (
        f"Stopping collapsed runs early saved {saved.share:.0%} of their batches "
        f"({saved.saved} of {saved.configured}; runs stopped: {saved.runs})."
    )


FIGURE = SweepFigure(
    "degeneration", __doc__, SampleCount.of, draw, numbers, findings, texts, table, applies
)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
