"""Which hyperparameters matter, and what is there to choose from? The figure of a search.

python -m analysis.hyperparameters --sweep NAME
"""

import json
import math
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.drawing import labels, style, tables
from analysis.figure import SweepFigure
from analysis.numbers.search import StoredSearch, number_of
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

NOTE = (
    f"{labels.LAST} Importances: fANOVA over the trials that "
    "completed or collapsed. Lines: dark is a high score (what is maximised minus what is "
    "minimised, by which trials were pruned). "
)
_SIZE = (8.4, 7.2)
"""Width and height in inches"""


def applies(sweep: StoredSweep) -> bool:
    """Tell whether rows were suggested by a search."""
    return sweep.is_search


def draw(search: StoredSearch) -> Figure:
    """Draw front and history above importances and parallel coordinates."""
    figure = Figure(figsize=_SIZE)
    grid = figure.add_gridspec(
        2, 2, left=0.09, right=0.97, top=0.86, bottom=0.15, wspace=0.3, hspace=0.42
    )
    _front(figure.add_subplot(grid[0, 0]), search)
    _history(figure.add_subplot(grid[0, 1]), search)
    below = grid[1, :].subgridspec(1, 2, width_ratios=(1, 2.4), wspace=0.12)
    names = list(search.space)
    _importances(figure.add_subplot(below[0]), search, names)
    _parallel(figure.add_subplot(below[1]), search, names)
    head = "\n".join(labels.subtitle(search.sweep))
    figure.text(0.012, 0.985, "A search over hyperparameters", va="top", weight="bold", size=10.5)
    figure.text(0.012, 0.955, head, va="top", linespacing=1.25)
    figure.text(
        0.012,
        0.012,
        f"{NOTE}{labels.terms(search.sweep)}",
        va="bottom",
        size=8,
        color="#444444",
        wrap=True,
    )
    return figure


_NO_RESULT = (style.UNCOUNTED_MARKER, "no result")
_LOOKS = {
    EndReason.COLLAPSED: (style.STOPPED_MARKER, "stopped as collapsed"),
    EndReason.PRUNED: ("v", "pruned"),
    EndReason.COMPLETED: ("o", "completed"),
}


def _look(trial: StoredTrial) -> tuple[str, str, float]:
    """Return marker, name and opacity of how a trial ended."""
    ended = trial.end_reason
    marker, name = _LOOKS.get(ended, _NO_RESULT) if ended else _NO_RESULT
    return marker, name, 0.5 if ended is EndReason.PRUNED else 1.0


def _front(ax: Axes, search: StoredSearch) -> None:
    front = {t.run_id for t in search.front}
    shown: dict[str, Line2D] = {}
    for trial in search.trials:
        x, y = search.values(trial)[::-1]
        if math.isnan(x + y):
            continue
        marker, name, alpha = _look(trial)
        on = trial.run_id in front
        colour = style.colour(0) if on else "#999999"
        ax.plot(x, y, ls="none", marker=marker, color=colour, ms=6, alpha=alpha)
        shown.setdefault(name, Line2D([], [], ls="none", marker=marker, color="#999999"))
        if on:
            ax.annotate(trial.row, (x, y), (4, 3), textcoords="offset points", size=8)
    steps = sorted(search.values(t)[::-1] for t in search.front)
    if steps:
        ax.plot(*zip(*steps, strict=True), color=style.colour(0), lw=1, drawstyle="steps-post")
        shown["front"] = Line2D([], [], color=style.colour(0), lw=1)
    ax.set_ylabel(search.goals[0].label)
    ax.set_xlabel(search.goals[1].label)
    ax.legend(shown.values(), shown.keys(), frameon=False, fontsize=7.5, loc="best")
    ax.margins(0.08)


def _history(ax: Axes, search: StoredSearch) -> None:
    """Draw scores by number, and the best so far among the results."""
    best, heights, numbers = -math.inf, [], []
    for trial in search.trials:
        number, score = number_of(trial), search.score(trial)
        if math.isnan(score):
            continue
        marker, _, alpha = _look(trial)
        ax.plot(number, score, ls="none", marker=marker, color="#777777", ms=5, alpha=alpha)
        if trial.has_result:
            best = max(best, score)
        if best > -math.inf:
            numbers.append(number)
            heights.append(best)
    ax.plot(numbers, heights, color=style.colour(1), lw=1.4, drawstyle="steps-post")
    ax.set_xlabel("trial (line: best so far)")
    signs = [("" if i == 0 else " + ") if g.maximise else " − " for i, g in enumerate(search.goals)]
    short = [g.label.partition(",")[0] for g in search.goals]
    ax.set_ylabel("".join(s + n for s, n in zip(signs, short, strict=True)))


def _importances(ax: Axes, search: StoredSearch, names: list[str]) -> None:
    found = search.importances()
    positions = np.arange(len(names))
    for i, (goal, shares) in enumerate(zip(search.goals, found, strict=True)):
        values = [shares.get(name, 0.0) for name in names]
        short = goal.label.partition(",")[0]
        ax.barh(
            positions + (i - 0.5) * 0.26 + 0.16, values, 0.25, color=style.colour(i), label=short
        )
    ax.set_yticks(positions, names)
    ax.yaxis.tick_right()
    ax.tick_params(axis="y", labelright=False, labelleft=False, length=0)
    for position, name in zip(positions, names, strict=True):
        ax.text(0.0, position - 0.4, name.replace("_", " "), size=7.5, va="top", color="#333333")
    ax.invert_yaxis()
    ax.set_xlabel("importance")
    if any(found):
        ax.legend(frameon=False, fontsize=7.5, loc="lower right")
    else:
        ax.text(0.5, 0.5, "fewer than four results", transform=ax.transAxes, ha="center")


def _parallel(ax: Axes, search: StoredSearch, names: list[str]) -> None:
    scores = {t.run_id: search.score(t) for t in search.trials}
    finite = [s for s in scores.values() if not math.isnan(s)]
    low, span = min(finite), (max(finite) - min(finite)) or 1.0
    shades = mpl.colormaps["Blues"]
    for trial in sorted(search.trials, key=lambda t: scores[t.run_id]):
        values = search.suggested(trial)
        if math.isnan(scores[trial.run_id]) or set(values) != set(names):
            continue
        heights = [_height(search.space[name], values[name]) for name in names]
        shade = shades(0.15 + 0.85 * (scores[trial.run_id] - low) / span)
        ax.plot(range(len(names)), heights, color=shade, lw=1.2)
    for x, name in enumerate(names):
        ax.axvline(x, color="#bbbbbb", lw=0.7, zorder=0)
        bottom, top = _ends(search.space[name])
        ax.text(x, -0.04, bottom, ha="center", va="top", size=7.5)
        ax.text(x, 1.04, top, ha="center", va="bottom", size=7.5)
    ax.set_xticks(range(len(names)), [n.replace("_", "\n") for n in names], size=7.5)
    ax.tick_params(axis="x", length=0, pad=14)
    ax.set_yticks([])
    ax.set_ylim(0, 1)
    ax.grid(False)
    ax.spines[:].set_visible(False)


def _ends(text: str) -> tuple[str, str]:
    """Return the ends of a parameter's range."""
    values = json.loads(text)["attributes"]
    if "choices" in values:
        return str(values["choices"][0]), str(values["choices"][-1])
    return f"{values['low']:g}", f"{values['high']:g}"


def _height(text: str, value: Any) -> float:
    """Return where a value lies between the ends of its parameter's range, 0 to 1."""
    values = json.loads(text)["attributes"]
    if "choices" in values:
        return float(values["choices"].index(value) / max(len(values["choices"]) - 1, 1))
    low, high = values["low"], values["high"]
    if values["log"]:
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))


def numbers(search: StoredSearch) -> tables.Frame:
    """Return a line per trial: how it ended, its goals, whether on the front, its settings."""
    front = {t.run_id for t in search.front}
    metrics = [goal.metric for goal in search.goals]
    lines = []
    for trial in search.trials:
        values, settings = search.values(trial), search.suggested(trial)
        lines.append(
            {
                "trial": trial.row,
                "end": trial.end_reason or "running",
                "batch": trial.last_step,
                **dict(zip(metrics, values, strict=True)),
                "front": trial.run_id in front,
                **{name: settings.get(name, "") for name in search.space},
            }
        )
    return tables.frame(lines)


def findings(search: StoredSearch) -> list[str]:
    """Say how trials ended, which are on the front, and what mattered most."""
    ends = [str(t.end_reason) for t in search.trials]
    counts = ", ".join(f"{ends.count(end)} {end}" for end in dict.fromkeys(ends))
    lines = [f"{len(search.trials)} trials: {counts}."]
    labels = [goal.label for goal in search.goals]
    for trial in search.front:
        values = ", ".join(
            f"{label} {v:.2f}" for label, v in zip(labels, search.values(trial), strict=True)
        )
        settings = ", ".join(f"{k} {_said(v)}" for k, v in search.suggested(trial).items())
        lines.append(f"On the front: {trial.row} ({values}) with {settings}.")
    for label, found in zip(labels, search.importances(), strict=True):
        if found:
            most = ", ".join(f"{name} {share:.2f}" for name, share in list(found.items())[:3])
            lines.append(f"Most important for {label}: {most}.")
    return lines


def _said(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


FIGURE = SweepFigure(
    "hyperparameters", __doc__, StoredSearch.of, draw, numbers, findings, applies=applies
)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
