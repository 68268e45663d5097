"""The figures of a replay: what each setting saves at what price, and which runs it stops."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.drawing import labels, page, style
from analysis.reading.records import StoredSweep
from analysis.replaying.collapse import DEFAULT, VALUES, Verdict
from analysis.replaying.replayed import Rule

PANEL_TITLES = {
    "patience": "patience (validations)",
    "certain": "certain (blank rate)",
    "blank": "blank (blank rate)",
    "grace": "grace (share of batches)",
}
SETTINGS_NOTE = (
    "Every point is a setting; the four panels show the same ones, coloured by one of the four "
    "thresholds each. Points that coincide are set apart by colour. Collapsed, by the definition "
    "and not by the setting: blank rate of the added kind at or above 0.7 to the end of a complete "
    "curve. Wrongly stopped: not so at the end. Runs with incomplete curves are left out."
)
STOPS_NOTE = (
    "Every bar is a run (seeds of a row from top to bottom), as far as it would have been trained. "
    "ASHA is simulated asynchronously with the recorded times and as many runs at a time as there "
    "were; it goes by F1 on the validation set and cuts a run that reaches a rung below the share "
    "of those there before it."
)
_TRAINED, _UNTRAINED = "#8fa8b8", "#f1f1f1"
_RIGHT, _WRONG, _UNJUDGED, _CUT = (style.colour(i) for i in (0, 1, 3, 4))
_BAR = 0.09
"""Height of a bar in inches"""


def draw_settings(sweep: StoredSweep, verdicts: Sequence[Verdict]) -> Figure:
    """Draw wrongly stopped runs over the share of batches saved, a panel per threshold."""
    text = page.Page(
        title="What other collapse settings would have saved, and wrongly stopped",
        subtitle=labels.subtitle(sweep),
        x_label="share of the collapsed runs' batches saved",
        legend=_settings_legend(),
        legend_columns=3,
        note=SETTINGS_NOTE,
        panel=(1.95, 2.1),
    )
    figure, (axes,) = page.panels(1, len(VALUES), text)
    axes[0].set_ylabel("runs wrongly stopped")
    for name, ax in zip(VALUES, axes, strict=True):
        _settings_panel(ax, name, verdicts)
    return figure


def _settings_panel(ax: Axes, name: str, verdicts: Sequence[Verdict]) -> None:
    values = VALUES[name]
    for place, value in enumerate(values):
        of_value = [v for v in verdicts if getattr(v.setting, name) == value]
        offset = 0.6 * ((place + 0.5) / len(values) - 0.5)
        points: Any = {"ls": "none", "marker": "o", "ms": 4, "mec": "white", "mew": 0.3}
        xs, ys = [v.share for v in of_value], [len(v.wrong) + offset for v in of_value]
        ax.plot(xs, ys, color=_value_colour(place, len(values)), clip_on=False, **points)
        if value == getattr(DEFAULT, name):
            (default,) = [v for v in of_value if v.setting == DEFAULT]
            star: Any = {"marker": "*", "ms": 12, "mec": "black", "mew": 0.8, "zorder": 5}
            y = len(default.wrong) + offset
            ax.plot(default.share, y, color=style.colour(4), clip_on=False, **star)
    listed = ", ".join(f"{v:g}" for v in values)
    ax.set_title(f"{PANEL_TITLES[name]}\n{listed}", linespacing=1.3)
    ax.set_xlim(left=0)
    ax.set_ylim(-0.5, max(len(v.wrong) for v in verdicts) + 0.5)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.tick_params(length=0)


def _value_colour(place: int, n: int) -> tuple[float, float, float]:
    return style.shade(style.colour(0), place / (n - 1))


def _settings_legend() -> list[Artist]:
    star: Any = {"marker": "*", "ms": 11, "mec": "black", "mew": 0.8, "ls": "none"}
    handles: list[Artist] = [Line2D([], [], color=style.colour(4), label="default", **star)]
    for place, name in enumerate(("lowest value of the panel", "highest")):
        point: Any = {"ls": "none", "marker": "o", "ms": 5, "label": name}
        handles.append(Line2D([], [], color=_value_colour(place, 2), **point))
    return handles


def draw_stops(sweep: StoredSweep, rules: Sequence[Rule]) -> Figure:
    """Draw how far every run would have been trained, a panel per rule."""
    trials = [t for row in sweep.rows for t in sweep.of_row(row)]
    text = page.Page(
        title="Which runs each rule would have stopped",
        subtitle=labels.subtitle(sweep),
        x_label="batches",
        legend=_stops_legend(rules),
        legend_columns=4,
        note=STOPS_NOTE,
        panel=(1.5, len(trials) * _BAR + len(sweep.rows) * 0.12 + 0.1),
        left=page.margin(sweep.rows),
    )
    figure, (axes,) = page.panels(1, len(rules), text)
    for rule, ax in zip(rules, axes, strict=True):
        ax.set_title(rule.title, linespacing=1.3)
        _stops_panel(ax, sweep, rule)
    return figure


def _stops_panel(ax: Axes, sweep: StoredSweep, rule: Rule) -> None:
    top, centres = 0.0, []
    for row in sweep.rows:
        trials = sweep.of_row(row)
        ys = top + _BAR * (np.arange(len(trials)) + 0.5)
        for y, trial in zip(ys, trials, strict=True):
            stop = rule.stops.get(trial.run_id)
            bar: Any = {"height": _BAR * 0.8, "lw": 0}
            ax.barh(y, trial.n_batches, color=_UNTRAINED, **bar)
            ax.barh(y, stop or trial.last_step, color=_bar_colour(rule, trial.run_id), **bar)
        centres.append(float(ys.mean()))
        top = float(ys[-1]) + _BAR / 2 + 0.12
    ax.set_yticks(centres, sweep.rows)
    ax.set_ylim(top, -0.12)
    ax.set_xlim(0, max(t.n_batches for t in sweep.trials))
    ax.xaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
    ax.tick_params(length=0)
    ax.grid(axis="y", visible=False)


def _bar_colour(rule: Rule, run: str) -> str:
    if run not in rule.stops:
        return _TRAINED
    if rule.judgement is None:
        return _CUT
    if run not in rule.judgement:
        return _UNJUDGED
    return _RIGHT if rule.judgement[run] else _WRONG


def _stops_legend(rules: Sequence[Rule]) -> list[Artist]:
    shown = {_bar_colour(rule, run) for rule in rules for run in rule.stops}
    names = {
        _RIGHT: "stopped; blank at the end",
        _WRONG: "wrongly stopped",
        _UNJUDGED: "stopped; not recorded to the end",
        _CUT: "cut by ASHA",
    }
    handles: list[Artist] = [
        Patch(color=_TRAINED, lw=0, label="as far as recorded"),
        Patch(color=_UNTRAINED, lw=0, label="not trained"),
    ]
    return handles + [Patch(color=c, lw=0, label=n) for c, n in names.items() if c in shown]
