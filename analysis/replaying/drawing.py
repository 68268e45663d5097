"""The figures of a replay: what each setting saves at what price, and which runs it stops."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.drawing import labels, page, style
from analysis.replaying import effects
from analysis.replaying.checkpoints import CHOICES, Choices
from analysis.replaying.collapse import DEFAULT, VALUES, Verdict
from analysis.replaying.replayed import Rule
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

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
    "By default, the collapse rule goes by the blank rate at a salience of 0.5. Content, which is "
    "average precision over all thresholds, is lost below three quarters of what the run has had, "
    "or at its end the reference. Wrongly stopped: not so at the end. ASHA (its factor, and the "
    "share of batches from which it judges) is simulated asynchronously with the recorded times "
    "and as many runs at a time as there were; it goes by F1 at 0.5 on the validation set and cuts "
    "a run that reaches a rung below the share of those there before it."
)
CHECKPOINTS_NOTE = (
    "Means over seeds. A trial's best checkpoint is the validation at which the labelled "
    "validation set scores highest, by F1 at a salience of 0.5, by F1 at the threshold that is "
    "best there, or by average precision (AP) over all thresholds."
)
_TRAINED, _UNTRAINED = "#8fa8b8", "#f1f1f1"
_RIGHT, _WRONG, _UNJUDGED, _CUT, _KEPT = (style.colour(i) for i in (0, 1, 3, 4, 2))
_ACROSS = 5
"""Most panels of rules beside each other"""
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
    n_rows = 1 + (len(rules) > _ACROSS)
    figure, panels = page.panels(n_rows, -(-len(rules) // n_rows), text)
    axes = [ax for row in panels for ax in row]
    for ax in axes[len(rules) :]:
        ax.set_visible(False)
    for rule, ax in zip(rules, axes, strict=False):
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
    if rule.verdict is None:
        return _CUT
    for colour, trials in _judged(rule.verdict):
        if any(t.run_id == run for t in trials):
            return colour
    return _UNJUDGED


def _judged(verdict: Verdict) -> Iterable[tuple[str, Iterable[StoredTrial]]]:
    return (_WRONG, verdict.wrong), (_KEPT, verdict.kept), (_RIGHT, verdict.right)


def _stops_legend(rules: Sequence[Rule]) -> list[Artist]:
    shown = {_bar_colour(rule, run) for rule in rules for run in rule.stops}
    names = {
        _RIGHT: "stopped; so at the end",
        _KEPT: "so, but content is left",
        _WRONG: "wrongly stopped",
        _UNJUDGED: "stopped; not recorded to the end",
        _CUT: "cut by ASHA",
    }
    handles: list[Artist] = [
        Patch(color=_TRAINED, lw=0, label="as far as recorded"),
        Patch(color=_UNTRAINED, lw=0, label="not trained"),
    ]
    return handles + [Patch(color=c, lw=0, label=n) for c, n in names.items() if c in shown]


def draw_checkpoints(choices: Choices) -> Figure:
    """Draw what rows score at the checkpoints that each measure chooses, a column per set."""
    sweep = choices.sweep
    rows = [r for r in sweep.rows if any(c.trial.row == r for c in choices.by[CHOICES[0]])]
    offsets = (-0.28, 0.0, 0.28)
    looks: list[tuple[str, Any]] = [
        (m, {"marker": style.MARKERS[i], "color": style.colour(i), "ms": 5, "ls": "none"})
        for i, m in enumerate(CHOICES)
    ]
    text = page.Page(
        title="What the best checkpoint scores, chosen by other measures",
        subtitle=labels.subtitle(sweep),
        x_label="score at the chosen checkpoint",
        legend=[Line2D([], [], label=f"by {style.MEASURE_LABELS[m]}", **k) for m, k in looks],
        legend_columns=3,
        note=CHECKPOINTS_NOTE,
        panel=(1.5, len(rows) * 0.32 + 0.2),
        left=page.margin(rows),
    )
    figure, panels = page.panels(len(effects.FREE_MEASURES), len(sweep.sets), text)
    for score, axes in zip(effects.FREE_MEASURES, panels, strict=True):
        for set_name, ax in zip(sweep.sets, axes, strict=True):
            for (measure, look), offset in zip(looks, offsets, strict=True):
                values = [choices.row(measure, r, set_name, score).mean for r in rows]
                ax.plot(values, np.arange(len(rows)) + offset, **look)
            name = f"{set_name}\n" if axes is panels[0] else ""
            ax.set_title(f"{name}{style.MEASURE_LABELS[score]}", linespacing=1.3)
            ax.set_yticks(range(len(rows)), rows)
            ax.set_ylim(len(rows) - 0.5, -0.5)
            ax.xaxis.set_major_locator(MaxNLocator(3))
            ax.tick_params(length=0)
    return figure
