"""Does the network degenerate the more, the more unlabelled excerpts are added? Figure and table.

python -m analysis.degeneration --sweep NAME
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table

from analysis.drawing import labels, page, style, tables
from analysis.figure import SweepFigure
from analysis.numbers.counts import SEVERITY, SampleCount
from analysis.numbers.kinds import BLANK, Kinds, kind
from analysis.numbers.ladder import foot
from analysis.numbers.statistics import Spread, saved_batches
from ssmpe.errors import UserError
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

PUBLISHED, LOST = ("f1", SEVERITY), ("f1_tuned", "average_precision")
"""Measures that are drawn: what the paper sees, and what is really lost"""
SCORES = (*LOST, "f1_best", "top_n", "f1", "recall", "precision", "blank_rate_tuned", SEVERITY)
"""Measures of the tables"""
_DODGE, _CLUSTER = 0.1, 0.6
"""Offset between the points of one count and the most they take up, in steps of the axis"""
_GREY = "#f4f4f4"
"""Behind the panels of published scores"""
_CEILING: style.LineStyle = (0, (3, 1.5))
_SMALL = 0.02
"""Loss of F1 below which no share of it is told"""


def note(sweep: StoredSweep) -> str:
    """Say how the figure is to be read."""
    sides = (
        "Grey, left: what the paper sees, at a salience of one half; white, right: what is really "
        "lost, whatever the level. AP: average precision over all thresholds. "
    )
    return (
        f"{sides if sweep.tuned else ''}{labels.LAST} Lines: mean over seeds; bands: lowest to "
        f"highest seed. ρ: Spearman's rank correlation with the count over all trials, 0 added "
        f"included. {labels.terms(sweep)}"
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


def measures(sweep: StoredSweep) -> tuple[str, ...]:
    """Return the measures that are drawn; of a store of 0.3.0, the published ones."""
    return (*PUBLISHED, *LOST) if sweep.tuned else ("f1", "recall", SEVERITY)


def shown(sweep: StoredSweep) -> tuple[str, ...]:
    """Return the sets that are drawn: the labelled kind and those added; the tables have all."""
    return tuple(dict.fromkeys((sweep.validation, *sweep.added_kinds)))


def draw(comparison: SampleCount) -> Figure:
    """Draw a row of panels per set, a column per measure."""
    sweep = comparison.sweep
    drawn, sets = measures(sweep), shown(sweep)
    text = page.Page(
        title="Degeneration against added unlabelled excerpts",
        subtitle=labels.subtitle(sweep),
        x_label=_x_label(comparison),
        legend=_legend(comparison),
        legend_columns=3,
        note=note(sweep),
        panel=(1.95, 1.6),
        left=0.85,
        heading=3 if sweep.tuned else 2,
    )
    figure, axes = page.panels(len(sets), len(drawn), text)
    for set_name, row in zip(sets, axes, strict=True):
        row[0].set_ylabel(f"{set_name}\n{labels.kind(sweep, set_name)}", linespacing=1.3)
        for measure, ax in zip(drawn, row, strict=True):
            _panel(ax, comparison, set_name, measure)
            _write_correlations(ax, comparison, set_name, measure)
            if sweep.tuned and measure in PUBLISHED:
                ax.set_facecolor(_GREY)
    for measure, ax in zip(drawn, axes[0], strict=True):
        seen = "what the paper sees" if measure in PUBLISHED else "what is really lost"
        head = f"{seen}\n" if sweep.tuned else ""
        ax.set_title(f"{head}{style.MEASURE_LABELS[measure]}", pad=19, linespacing=1.3)
    return figure


def _x_label(comparison: SampleCount) -> str:
    labelled = comparison.sweep.trials[0].params["data.labelled_excerpts"]
    return f"unlabelled excerpts added to the {labelled} labelled ones of a batch"


def _panel(ax: Axes, comparison: SampleCount, set_name: str, measure: str) -> None:
    counts, sweep = comparison.counts, comparison.sweep
    known = [t.final(set_name, measure) for t in comparison.supervised if t.has_result]
    _reference(ax, known)
    if measure in LOST and (line := foot(sweep, set_name, measure)):
        ax.axhline(line.score, color=style.SIGNAL_COLOUR, ls=style.SIGNAL_LINE, lw=1.4)
    for added_set in comparison.added:
        if measure == "f1_tuned":
            _ceiling(ax, comparison, added_set, set_name)
        _line(ax, comparison, added_set, (set_name, measure))
    ax.set_xticks(range(len(counts)), [str(c) for c in counts])
    ax.set_xlim(-0.4, len(counts) - 0.6)
    style.unit_axis(ax)
    if not any(np.isfinite(t.final(set_name, measure)) for t in sweep.trials):
        style.say_unannotated(ax)


def _reference(ax: Axes, values: Sequence[float]) -> None:
    spread = Spread.of(values)
    if not spread.n:
        return
    ax.axhspan(spread.low, spread.high, color=style.REFERENCE_COLOUR, alpha=0.15, lw=0)
    ax.axhline(spread.mean, color=style.REFERENCE_COLOUR, ls=style.REFERENCE_LINE, lw=1.2)


def _spreads(
    comparison: SampleCount, added_set: str, what: tuple[str, str]
) -> tuple[NDArray[np.float64], list[Spread]]:
    """Return the places of an added set's counts on the axis, and a measure's spread at each."""
    trials = comparison.series(added_set)
    counts = sorted({t.added_excerpts for t in trials})
    spreads = [
        Spread.of(t.final(*what) for t in trials if t.has_result and t.added_excerpts == c)
        for c in counts
    ]
    return np.array([comparison.counts.index(c) for c in counts], dtype=np.float64), spreads


def _ceiling(ax: Axes, comparison: SampleCount, added_set: str, set_name: str) -> None:
    """Draw the best F1 that any threshold would have reached, lightly."""
    xs, spreads = _spreads(comparison, added_set, (set_name, "f1_best"))
    colour = style.shade(_look(comparison, added_set)[0], 0.15)
    means = [s.mean for s in spreads]
    ax.plot(xs + _offsets(comparison, added_set).mean(), means, color=colour, lw=1.0, ls=_CEILING)


def _line(ax: Axes, comparison: SampleCount, added_set: str, what: tuple[str, str]) -> None:
    """Draw mean, band and single trials of one added set."""
    colour = _look(comparison, added_set)[0]
    offsets = _offsets(comparison, added_set)
    places, spreads = _spreads(comparison, added_set, what)
    xs = places + offsets.mean()
    ax.plot(xs, [s.mean for s in spreads], color=colour, lw=1.5)
    low, high = [s.low for s in spreads], [s.high for s in spreads]
    ax.fill_between(xs, low, high, color=colour, alpha=0.16, lw=0)
    for trial in comparison.series(added_set):
        offset = offsets[comparison.sweep.seeds.index(trial.seed)]
        x = comparison.counts.index(trial.added_excerpts) + offset
        ax.plot(x, trial.final(*what), **_point(comparison, trial, added_set, what[0]))


def _offsets(comparison: SampleCount, added_set: str) -> NDArray[np.float64]:
    """Return offsets of the seeds' points, so that those of one count lie side by side."""
    n_seeds, n_sets = len(comparison.sweep.seeds), len(comparison.added)
    n = n_seeds * n_sets
    places = (np.arange(n) - (n - 1) / 2) * min(_DODGE, _CLUSTER / n)
    first = list(comparison.added).index(added_set) * n_seeds
    return np.asarray(places[first : first + n_seeds], dtype=np.float64)


def _point(
    comparison: SampleCount, trial: StoredTrial, added_set: str, set_name: str
) -> dict[str, Any]:
    """Return how a trial looks on a set: its shape tells the kind of collapse, its edge a stop."""
    colour, marker = _look(comparison, added_set)
    look: dict[str, Any] = {"color": colour, "ls": "none", "clip_on": False}
    if not trial.has_result:
        return {**look, "marker": style.UNCOUNTED_MARKER, "ms": 6, "mew": 1.2, "zorder": 3}
    found = kind(comparison.sweep, trial, set_name)
    look |= {"marker": style.KIND_MARKERS.get(found, marker), "ms": 6.5 if found else 4.5}
    look |= {"mec": "white", "mew": 0.5, "zorder": 3}
    if found == BLANK:
        look |= {"mfc": "white", "mec": colour, "mew": 1.0}
    return {**look, "mec": "black", "mew": 0.8, "zorder": 4} if trial.stopped else look


def _look(comparison: SampleCount, added_set: str) -> tuple[str, str]:
    index = list(comparison.added).index(added_set)
    return style.colour(index), style.MARKERS[index % len(style.MARKERS)]


def _write_correlations(ax: Axes, comparison: SampleCount, set_name: str, measure: str) -> None:
    """Write ρ of every added set above the panel, each in its line's colour."""
    n = len(comparison.added)
    for index, added_set in enumerate(comparison.added):
        found = comparison.correlation(added_set, set_name, measure)
        if not found.n:
            continue
        text = f"{found} (n = {found.n})" if n == 1 else found.short
        where: Any = {"transform": ax.transAxes, "ha": "center", "va": "bottom", "size": 8.5}
        ax.text((index + 0.5) / n, 1.04, text, color=_look(comparison, added_set)[0], **where)


def _legend(comparison: SampleCount) -> list[Artist]:
    sweep, handles = comparison.sweep, list[Artist]()
    for added_set in comparison.added:
        colour, marker = _look(comparison, added_set)
        label = f"added from {added_set}"
        handles.append(Line2D([], [], color=colour, marker=marker, ms=5, lw=1.6, label=label))
    if any(t.has_result for t in comparison.supervised):
        look: Any = {"color": style.REFERENCE_COLOUR, "ls": style.REFERENCE_LINE, "lw": 1.2}
        handles.append(Line2D([], [], label="supervised only", **look))
    if rows := [r for r in sweep.signal_rows if any(t.has_result for t in sweep.of_row(r))]:
        look = {"color": style.SIGNAL_COLOUR, "ls": style.SIGNAL_LINE, "lw": 1.4}
        label = rows[0] if len(rows) == 1 else f"the best of {', '.join(rows)}"
        handles.append(Line2D([], [], label=label, **look))
    if sweep.tuned:
        look = {"color": "#aaaaaa", "lw": 1.0, "ls": _CEILING}
        handles.append(Line2D([], [], label="best F1 of any threshold", **look))
    if len(sweep.seeds) > 1:
        handles.append(Patch(color="#888888", alpha=0.3, lw=0, label="lowest to highest seed"))
    trials = [t for s in comparison.added for t in comparison.series(s)]
    found = {word for s in shown(sweep) for word in Kinds.of(sweep, trials, s).counts}
    for word, marker in style.KIND_MARKERS.items():
        if word in found:
            face = "white" if word == BLANK else "#777777"
            look = {"ls": "none", "color": face, "mec": "#777777", "ms": 6.5, "marker": marker}
            label = f"{word}, kind not known" if word == BLANK else word
            handles.append(Line2D([], [], label=label, **look))
    if any(t.stopped for t in trials):
        look = {"ls": "none", "color": "white", "mec": "black", "ms": 5, "marker": "o"}
        handles.append(Line2D([], [], label="black edge: stopped as collapsed", **look))
    return handles + style.uncounted_handles(trials)


@dataclass(frozen=True)
class Line:
    """Scores of a row on a set at its trials' last validations.

    Attributes:
        spreads: by measure, over the trials that count.
        kinds: of collapse.
        collapsed_at: seed -> batch from which the set was blank to the end, or None.
    """

    trials: tuple[StoredTrial, ...]
    set_name: str
    spreads: Mapping[str, Spread]
    kinds: Kinds
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
        known = any(b is not None for b in at)
        return ", ".join("–" if b is None else str(b) for b in at) if known else "–"


def _scores(sweep: StoredSweep) -> tuple[str, ...]:
    """Return the measures of the tables, as far as the store has them."""
    return SCORES if sweep.tuned else ("f1", "recall", "precision", SEVERITY)


def _lines(sweep: StoredSweep, row: str) -> list[Line]:
    trials = sweep.of_row(row)
    counted = [t for t in trials if t.has_result]
    return [
        Line(
            trials,
            name,
            {m: Spread.of(t.final(name, m) for t in counted) for m in _scores(sweep)},
            Kinds.of(sweep, counted, name),
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
            cells |= {"ended": line.ended, "collapse": line.kinds.text(), "collapsed_at": known}
            lines.append(cells)
    return tables.frame(lines)


def table(comparison: SampleCount) -> Table:
    """Return scores for the terminal; why trials ended stands under the name of their row."""
    sweep, groups = comparison.sweep, []
    scores = (*LOST, SEVERITY) if sweep.tuned else ("f1", "recall", SEVERITY)
    for row in sweep.rows:
        lines = _lines(sweep, row)
        ended = lines[0].ended
        names: list[RenderableType] = [tables.RowName(row), ended, *[""] * len(lines)]
        if len(lines) == 1:
            names = [Group(*names[:2])]
        group = []
        for name, line in zip(names, lines, strict=False):
            spreads = (line.spreads[m] for m in scores)
            texts = [s.text(decimals=2).replace(" ", "") for s in spreads]
            group.append([name, line.set_name, *texts, line.kinds.text()])
        groups.append(group)
    columns: dict[str, Mapping[str, Any]] = {"row": {}, "set": {"no_wrap": True}}
    columns |= dict.fromkeys((style.MEASURE_LABELS[m] for m in scores), tables.NUMBER)
    columns |= {"collapse": {}}
    return tables.terminal(f"{sweep.name}: {sweep.question}", columns, groups, gap=0)


def texts(comparison: SampleCount) -> dict[str, str]:
    """Return the table in Markdown, with the findings and how to read both."""
    sweep = comparison.sweep
    lines = tables.frame(
        {
            "row": row,
            "set": line.set_name,
            **{style.MEASURE_LABELS[m]: spread.text() for m, spread in line.spreads.items()},
            "ended": line.ended,
            "collapse": line.kinds.text(),
            "collapsed at": line.collapses,
        }
        for row in sweep.rows
        for line in _lines(sweep, row)
    )
    reading = (
        "Scores at a trial's last validation, not at its best checkpoint: mean ± sample standard "
        "deviation over seeds. Runs stopped as collapsed count with the state in which they were "
        "stopped; failed and interrupted ones do not count. Collapsed at: batch from which the "
        f"set was blank to the end, per seed. {labels.terms(sweep)}"
    )
    parts = [
        " — ".join(labels.subtitle(sweep)),
        tables.markdown(lines, ("row", "set", "ended", "collapse", "collapsed at")),
        reading,
        "\n".join(f"- {s}" for s in findings(comparison)),
        "Rank correlations with the count:",
        "\n".join(f"- {c}" for c in _correlations(comparison)),
    ]
    return {"degeneration.md": "\n\n".join(parts) + "\n"}


def findings(comparison: SampleCount) -> list[str]:
    """Say how scores move with the count, what closed training gains, and what stopping saved."""
    lines = [_degeneration(comparison, added_set) for added_set in comparison.added]
    lines += [*_lines_without_network(comparison), _closed_gain(comparison), _savings(comparison)]
    if comparison.left_out:
        rows = ", ".join(comparison.left_out)
        lines.append(f"Not compared, for they differ in more than added excerpts: {rows}.")
    return lines


def _correlations(comparison: SampleCount) -> list[str]:
    """Return rank correlations of measures and count per added set and scored set."""
    lines = []
    for added_set in comparison.added:
        for measure in measures(comparison.sweep):
            sets = comparison.sweep.sets
            found = {s: comparison.correlation(added_set, s, measure) for s in sets}
            said = ", ".join(f"{s} {c} (n = {c.n})" for s, c in found.items() if c.n)
            lines.append(f"{added_set} added, {style.MEASURE_LABELS[measure]}: {said}")
    return lines


def _degeneration(comparison: SampleCount, added_set: str) -> str:
    """Say how scores go from the lowest count to the highest, on the set of the added kind."""
    sweep, scored = comparison.sweep, comparison.own_set(added_set)
    (fewest, low), (most, high) = comparison.ends(added_set)

    def moves(*measures: str) -> str:
        said = []
        for measure in measures:
            ends = [Spread.of(t.final(scored, measure) for t in end) for end in (low, high)]
            found = comparison.correlation(added_set, scored, measure)
            if found.n:
                move = " -> ".join(end.text() for end in ends)
                said.append(f"{style.MEASURE_LABELS[measure]} {move} ({found})")
        return ", ".join(said)

    n = comparison.correlation(added_set, scored).n
    said = (
        f"{scored}, from {fewest} to {most} excerpts of {added_set} added, over {n} trials: "
        f"{moves(*PUBLISHED)}"
    )
    if not sweep.tuned:
        return f"{said}; {labels.HALF_ALONE}"
    lost = moves(*LOST) or "not known, for the set is not annotated"
    return (
        f"{said}. What is really lost: {lost}{_share(low, high, scored)}. "
        f"Collapse with {most} added: {Kinds.of(sweep, high, scored).text()}."
    )


def _share(low: list[StoredTrial], high: list[StoredTrial], scored: str) -> str:
    """Say how much of the loss of F1 at one half a tuned threshold does not bring back."""
    half, tuned = (
        Spread.of(t.final(scored, m) for t in low).mean
        - Spread.of(t.final(scored, m) for t in high).mean
        for m in ("f1", "f1_tuned")
    )
    if not half > _SMALL:  # nor of a set without annotation
        return ""
    return f"; of F1's loss at ½, a tuned threshold leaves {max(0.0, tuned / half):.0%}"


def _lines_without_network(comparison: SampleCount) -> list[str]:
    """Say what is known without a network, where the sweep has such a row."""
    sweep = comparison.sweep
    found = [(s, m, line) for s in shown(sweep) for m in LOST if (line := foot(sweep, s, m))]
    said = [f"{style.MEASURE_LABELS[m]} {f.score:.3f} ({f.row}, {s})" for s, m, f in found]
    return [f"Without a network: {', '.join(said)}."] if said else []


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
        f"Closed minus supervised only, {style.MEASURE_LABELS[comparison.sweep.f1]} on {scored} at "
        "equal batches, paired by seed: "
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
