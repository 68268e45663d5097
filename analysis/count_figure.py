"""The degeneration-vs-sample-count figure: measures by sets, over added excerpts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from analysis.drawing import labels, page, style
from analysis.numbers.counts import SEVERITY, SampleCount
from analysis.numbers.statistics import Spread
from analysis.reading.records import StoredTrial

MEASURES = ("f1", "recall", SEVERITY)
_DODGE, _CLUSTER = 0.1, 0.6
"""offset between the points of one count and the most they take up, in steps of the axis"""

NOTE = (
    "Every value is that of a trial's last validation, not of its best checkpoint; runs stopped as "
    "collapsed count with the state in which they were stopped. Lines: mean over seeds; bands: "
    "lowest to highest seed. ρ: Spearman's rank correlation of blank rate and count over all "
    "trials, the closed condition (0 added) included."
)


def draw(comparison: SampleCount) -> Figure:
    """One row of panels per measure, one column per set."""
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
    for set_name, ax in zip(sweep.sets, axes[0], strict=True):
        ax.set_title(f"{set_name}\n{labels.kind(sweep, set_name)}", linespacing=1.3)
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
    """Mean, band and single trials of one added set."""
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
    """Offset of each seed's point from its count, so that points of one count lie side by side."""
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
    """ρ of every added set above the panel, each in its line's colour."""
    n = len(comparison.added)
    for index, added_set in enumerate(comparison.added):
        correlation = comparison.correlation(added_set, set_name)
        text = f"{correlation} (n = {correlation.n})" if n == 1 else correlation.short
        ax.text(
            (index + 0.5) / n,
            1.04,
            text,
            transform=ax.transAxes,
            ha="center",
            va="bottom",
            size=8.5,
            color=_look(comparison, added_set)[0],
        )


def _legend(comparison: SampleCount) -> list[Artist]:
    handles: list[Artist] = []
    for added_set in comparison.added:
        colour, marker = _look(comparison, added_set)
        label = f"added from {added_set}"
        handles.append(Line2D([], [], color=colour, marker=marker, ms=5, lw=1.6, label=label))
    shown = [t for s in comparison.added for t in comparison.series(s)]
    if any(t.stopped for t in shown):
        handles.append(style.stopped_handle())
    if not all(t.has_result for t in shown):
        handles.append(style.uncounted_handle())
    if any(t.has_result for t in comparison.supervised):
        colour = style.REFERENCE_COLOUR
        handles.append(
            Line2D([], [], color=colour, ls=style.REFERENCE_LINE, lw=1.2, label="supervised only")
        )
    if len(comparison.sweep.seeds) > 1:
        handles.append(Patch(color="#888888", alpha=0.3, lw=0, label="lowest to highest seed"))
    return handles
