"""Why does output on added music go blank: what pulls it down, and what becomes of it?

python -m analysis.explanation --sweep NAME
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from analysis.drawing import labels, page, rows, style, tables
from analysis.figure import SweepFigure, allows
from analysis.numbers.diagnosed import Measured
from analysis.numbers.statistics import Spread
from ssmpe.errors import UserError
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial

START, CONTINUED = "from random weights", "continued from another row"
COMPARED = ("objectives.consistency", "objectives.stop_gradient")
"""Parameters by which rows differ in how views are compared with their targets"""
PLACES: dict[str, tuple[str, style.LineStyle]] = {
    "target": ("pull through Y", "-"),
    "view": ("pull at the views", (0, (1, 1.2))),
}
SIDES = {"below": "pull, below ½", "above": "pull, above ½"}
OUTCOMES = {
    "blank_rate": "blank rate",
    "average_precision": "average precision",
    "f1_tuned": "F1, tuned",
}
NOTE = (
    "Pull: minus the gradient of all terms by the logits of a frame, summed over the bins in which "
    "the output is below one half, or above; below 0, it is asked for less. Blank rate: at a "
    "salience of one half. Average precision: over all thresholds. F1: at the threshold that is "
    "best on the labelled validation set. Thick lines: mean over seeds; thin ones: single runs."
)
THEORY_NOTE = (
    "Y: salience of the excerpt, the target; q: that of its view. BCE(Y, q) = H(Y) + KL(Y || q). "
    "Above 0, Y is asked to rise, below 0 to fall. KL and squared error vanish where Y is q, the "
    "dashed line; the cross-entropy nowhere, and the entropy drives Y to 0 or to 1. Without "
    "gradient through Y (+stop), nothing is asked of it. At the logits, all of it is multiplied by "
    "Y (1 \N{MINUS SIGN} Y), the slope of the sigmoid."
)
VIEWS = (0.1, 0.3, 0.7)
"""Saliences of views for which the theory is drawn"""
PANEL = (2.6, 1.25)
"""Width and height of a panel in inches: a figure of two columns is read at 880 pixels"""

Saliences: TypeAlias = NDArray[np.float64]


def _logit(p: Saliences | float) -> Saliences:
    return np.log(p) - np.log1p(-np.asarray(p))


PULL_ON_TARGET: dict[str, Callable[[Saliences, float], Saliences]] = {
    "BCE, as published: logit q": lambda y, q: np.full_like(y, _logit(q)),
    "KL (+KL): logit q \N{MINUS SIGN} logit Y": lambda y, q: _logit(q) - _logit(y),
    "4 \N{MULTIPLICATION SIGN} squared error (+MSE): 8 (q \N{MINUS SIGN} Y)": lambda y, q: (
        8 * (q - y)
    ),
    "entropy alone (+stop+H): logit Y": lambda y, q: _logit(y),
}
"""What each way of comparing asks of a target Y, given its view q: minus the derivative by Y"""


@dataclass(frozen=True)
class Explained:
    """What is drawn of a sweep.

    Attributes:
        added: the set whose excerpts are added, on which pulls are measured.
        scored: the set of its kind, on which outcomes are.
        groups: title -> the trials that begin so; in all, rows have the names of those that
            begin with random weights.
    """

    measured: Measured
    added: str
    scored: str
    groups: dict[str, StoredSweep]

    @classmethod
    def of(cls, sweep: StoredSweep) -> "Explained":
        """Take a sweep; UserError if it compares no ways to compare, or was not measured."""
        measured = Measured.of(sweep)
        if len({tuple(t.params.get(p) for p in COMPARED) for t in sweep.trials}) < 2:
            raise UserError(
                f"sweep {sweep.name!r}: all its rows compare views with their targets in one way; "
                "try one of sweeps/explanation.py"
            )
        added = next((s for s in sweep.added_sets if s in measured.sets), None)
        if added is None:
            raise UserError(f"sweep {sweep.name!r}: no added music was measured in it")
        scored = sweep.kind_of(added) or sweep.validation
        return cls(measured, added, scored, _groups(sweep))

    def curves(self) -> dict[str, dict[str, Callable[[StoredTrial], MetricCurve | None]]]:
        """Return what every row of panels shows: label -> place, "" for outcomes -> curve."""
        found: dict[str, dict[str, Callable[[StoredTrial], MetricCurve | None]]] = {}
        pull = partial(self.measured.pull, set_name=self.added)
        for side, label in SIDES.items():
            found[label] = {where: partial(pull, where=where, measure=side) for where in PLACES}
        for measure, label in OUTCOMES.items():
            found[label] = {"": partial(_outcome, set_name=self.scored, measure=measure)}
        return found


def _outcome(trial: StoredTrial, set_name: str, measure: str) -> MetricCurve | None:
    return trial.curve(set_name, measure)


def _groups(sweep: StoredSweep) -> dict[str, StoredSweep]:
    """Part trials by how they begin, and name alike what is trained alike."""
    fresh = {_trained(t): t.row for t in sweep.trials if not t.params.get("training.parent")}
    parted: dict[str, list[StoredTrial]] = {}
    for trial in sweep.trials:
        begin = CONTINUED if trial.params.get("training.parent") else START
        named = replace(trial, row=fresh.get(_trained(trial), trial.row))
        parted.setdefault(begin, []).append(named)
    return {title: replace(sweep, trials=tuple(found)) for title, found in parted.items()}


def _trained(trial: StoredTrial) -> tuple[tuple[str, str], ...]:
    """Return what a trial is trained for, and with what added: it and rows alike have it alike."""
    parts = ("objectives.", "data.added.")
    return tuple(sorted((p, v) for p, v in trial.params.items() if p.startswith(parts)))


def draw(found: Explained) -> dict[str, Figure]:
    """Draw pulls and outcomes as measured, and the derivatives that are to explain them."""
    return {"explanation": draw_measured(found), "explanation_theory": draw_theory(found)}


def draw_measured(found: Explained) -> Figure:
    """Draw a column per begin, and a row of panels per pull or outcome."""
    rows_of_panels = found.curves()
    first = next(iter(found.groups.values()))
    handles = [
        Line2D([], [], color="#777777", ls=line, lw=1.4, label=label)
        for label, line in PLACES.values()
    ]
    legend = [*rows.legend(first), *handles]
    text = page.Page(
        title="What pulls the output down, and what becomes of it",
        subtitle=labels.subtitle(found.measured.sweep),
        x_label="batches",
        legend=legend,
        legend_columns=page.legend_columns([str(h.get_label()) for h in legend]),
        note=f"Pulls: on {found.added}; outcomes: on {found.scored}. {NOTE}",
        panel=PANEL,
    )
    figure, axes = page.panels(len(rows_of_panels), len(found.groups), text, share_y="row")
    for panels, (label, curves) in zip(axes, rows_of_panels.items(), strict=True):
        panels[0].set_ylabel(label, size=8.5)
        for ax, sweep in zip(panels, found.groups.values(), strict=True):
            for place, curve_of in curves.items():
                rows.draw_rows(ax, sweep, curve_of, PLACES[place][1] if place else None)
            rows.label_batches(ax)
            if label in OUTCOMES.values():
                style.unit_axis(ax)
            else:
                ax.axhline(0, color="#999999", lw=0.8, zorder=1)
    for ax, title in zip(axes[0], found.groups, strict=True):
        ax.set_title(title)
    return figure


def draw_theory(found: Explained) -> Figure:
    """Draw what each way asks of Y, over Y: a panel per salience of the view."""
    looks = zip(PULL_ON_TARGET, (*style.OKABE_ITO[:3], "black"), ("-", "-", "-", ":"), strict=True)
    lines = {way: (colour, line) for way, colour, line in looks}
    handles = [
        Line2D([], [], color=colour, ls=line, lw=1.8, label=way)
        for way, (colour, line) in lines.items()
    ]
    text = page.Page(
        title="What a comparison of view and target asks of the target",
        subtitle=("minus the derivative of the loss of a bin by Y",),
        x_label="salience Y of the target",
        legend=handles,
        legend_columns=2,
        note=THEORY_NOTE,
    )
    figure, (panels,) = page.panels(1, len(VIEWS), text)
    y = np.linspace(0.005, 0.995, 199)
    for q, ax in zip(VIEWS, panels, strict=True):
        for way, (colour, line) in lines.items():
            ax.plot(y, PULL_ON_TARGET[way](y, q), color=colour, ls=line, lw=1.6)
        ax.axhline(0, color="#999999", lw=0.8, zorder=1)
        ax.axvline(q, color="#999999", lw=0.8, ls=(0, (2, 2)), zorder=1)
        ax.set_title(f"view at q = {q:g}")
        ax.set_xlim(0, 1)
        ax.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        ax.set_ylim(-5, 5)
    panels[0].set_ylabel("pull on Y", size=8.5, labelpad=1)
    return figure


def numbers(found: Explained) -> tables.Frame:
    """Return every number that is drawn: begin, row, seed, what, place, batch, value."""
    return tables.frame(
        {
            "begin": begin,
            "row": trial.row,
            "seed": trial.seed,
            "what": label,
            "place": place,
            "batch": step,
            "value": value,
        }
        for begin, sweep in found.groups.items()
        for trial in sweep.trials
        for label, curves in found.curves().items()
        for place, curve_of in curves.items()
        if (curve := curve_of(trial))
        for step, value in zip(curve.steps, curve.values, strict=True)
    )


def findings(found: Explained) -> list[str]:
    """Say per row what pulls on the added music, as a mean over batches, and how it ends."""
    return [
        f"{row}, {begin}: {'; '.join(said)}."
        for begin, sweep in found.groups.items()
        for row in sweep.rows
        if (said := _said(found, [t for t in sweep.of_row(row) if t.has_result]))
    ]


def _said(found: Explained, trials: list[StoredTrial]) -> list[str]:
    parts = []
    for label, curves in found.curves().items():
        texts = []
        for place, curve_of in curves.items():
            values = [c.values for t in trials if (c := curve_of(t))]
            of_trial = np.mean if place else _last
            value = Spread.of(float(of_trial(v)) for v in values)
            texts += [f"{place} {value.text(2, signed=bool(place))}".strip()] if value.n else []
        parts += [f"{label} {', '.join(texts)}"] if texts else []
    return parts


def _last(values: NDArray[np.float64]) -> float:
    return float(values[-1])


FIGURE = SweepFigure(
    "explanation", __doc__, Explained.of, draw, numbers, findings, applies=allows(Explained.of)
)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
