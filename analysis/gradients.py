"""Do the self-supervised terms work against the supervised one, and what pulls the output down?

python -m analysis.gradients --sweep NAME
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.drawing import labels, page, rows, style, tables
from analysis.figure import SweepFigure, allows
from analysis.numbers.diagnosed import Measured
from analysis.numbers.statistics import Spread
from ssmpe.tracking.stored.records import MetricCurve, StoredTrial

NOTE = (
    "Means of the batches measured since the last validation, and over seeds; thin lines: single "
    "runs. "
)
CONFLICT_NOTE = (
    NOTE + "Cosine below 0: the term undoes what the supervised one does. Norm: of the weighted "
    "term's gradient, as a multiple of the supervised one's."
)
OUTPUT_NOTE = (
    NOTE + "Pull: minus the gradient by the logits of a frame, summed over bins and terms; below "
    "0, the output is asked for less. Y: salience of the excerpts; its entropy and peak in a "
    "frame; change: of its mean by one batch, all terms together, in % of that mean."
)
_SET_LINES: tuple[style.LineStyle, ...] = ("-", (0, (3, 1.2)), (0, (1, 1.2)), (0, (5, 1, 1, 1)))
_PULLS: dict[str, tuple[str, style.LineStyle]] = {
    "target": ("pull through Y", "-"),
    "view": ("pull at the views", (0, (1, 1.2))),
    "output": ("pull by other terms", (0, (5, 1.5))),
}


def draw(found: Measured) -> dict[str, Figure]:
    """Draw conflicts of gradients, and how the output moves."""
    return {"gradients": draw_conflicts(found), "output_movement": draw_output(found)}


def draw_conflicts(found: Measured) -> Figure:
    """Draw cosines, norms and losses: a column per self-supervised term, a line per row."""
    title = "Do the terms agree? Gradients and losses over batches"
    sets = dict(zip(found.sets, _SET_LINES, strict=False))
    looks = {f"loss on {name}": line for name, line in sets.items()}
    text = _page(found, title, looks, CONFLICT_NOTE)
    figure, axes = page.panels(5, len(found.terms), text, share_y="row")
    lines = partial(rows.draw_rows, sweep=found.sweep, single=True)
    for column, term in enumerate(found.terms):
        axes[0][column].set_title(term)
        for index, part in enumerate(("encoder", "decoder")):
            cosines, norms = axes[index][column], axes[2 + index][column]
            lines(cosines, curve_of=partial(found.cosine, part=part, term=term))
            lines(norms, curve_of=partial(found.relative_norm, part=part, term=term))
            _mark_zero(cosines)
        for name, line in sets.items():
            loss = partial(found.loss, term=term, set_name=name)
            lines(axes[4][column], curve_of=loss, line=line)
    # below the last of their lines, as panels share it
    for index in (2, 3):
        axes[index][0].set_ylim(bottom=0)
    names = [f"{what}, {part}" for what in ("cosine", "norm") for part in ("encoder", "decoder")]
    _name_rows(axes, (*names, "loss per frame"))
    return figure


def draw_output(found: Measured) -> Figure:
    """Draw what pulls the output up or down, and where it goes: a column per set of the batches."""
    title = "What moves the output? Pulls and salience in training"
    text = _page(found, title, dict(_PULLS.values()), OUTPUT_NOTE)
    figure, axes = page.panels(4, len(found.sets), text, share_y="row")
    labels.name_sets(axes[0], found.sweep, found.sets)
    lines = partial(rows.draw_rows, sweep=found.sweep, single=True)
    for name, (pulls, entropy, peak, change) in zip(
        found.sets, zip(*axes, strict=True), strict=True
    ):
        for where, (_, line) in _PULLS.items():
            lines(pulls, curve_of=partial(found.pull, where=where, set_name=name), line=line)
        lines(entropy, curve_of=partial(found.salience, measure="entropy", set_name=name))
        lines(peak, curve_of=partial(found.salience, measure="peak", set_name=name))
        lines(change, curve_of=partial(found.relative_change, set_name=name))
        peak.set_ylim(0, 1)
        _mark_zero(pulls)
        _mark_zero(change)
    _name_rows(axes, ("pull per frame", "entropy of Y (bits)", "peak of Y", "change of Y (%)"))
    return figure


def _mark_zero(ax: Axes) -> None:
    ax.axhline(0, color="#999999", lw=0.8, zorder=1)


def _page(found: Measured, title: str, looks: dict[str, style.LineStyle], note: str) -> page.Page:
    handles: list[Artist] = [
        Line2D([], [], color="#777777", ls=line, lw=1.4, label=label)
        for label, line in looks.items()
    ]
    legend = [*rows.legend(found.sweep), *handles]
    columns = page.legend_columns([str(h.get_label()) for h in legend])
    return page.Page(title, labels.subtitle(found.sweep), "batches", legend, columns, note)


def _name_rows(axes: list[list[Axes]], names: tuple[str, ...]) -> None:
    for panels, name in zip(axes, names, strict=True):
        panels[0].set_ylabel(name, size=8, labelpad=2)
        for ax in panels:
            rows.label_batches(ax)
            ax.tick_params(length=0)


def numbers(found: Measured) -> tables.Frame:
    """Return every number that was measured: row, seed, metric, batch, value."""
    return tables.frame(
        {"row": t.row, "seed": t.seed, "metric": metric, "batch": step, "value": value}
        for t in found.sweep.trials
        for metric in found.metrics()
        if (curve := t.curves.get(metric))
        for step, value in zip(curve.steps, curve.values, strict=True)
    )


def findings(found: Measured) -> list[str]:
    """Say per row how terms agree, what pulls, and where the output ended.

    Means are over batches, then over seeds.
    """
    lines = []
    for row in found.sweep.rows:
        trials = [t for t in found.sweep.of_row(row) if t.has_result]
        if any(found.cosine(t, "encoder", term) for t in trials for term in found.terms):
            lines += [_agreement(found, row, trials), *_output(found, row, trials)]
    return lines


def _agreement(found: Measured, row: str, trials: Sequence[StoredTrial]) -> str:
    parts = []
    for part in ("encoder", "decoder"):
        texts = [
            f"{term} {_mean([found.cosine(t, part, term) for t in trials])}"
            f" ({_below_zero([found.cosine(t, part, term) for t in trials])} below 0)"
            for term in found.terms
        ]
        parts.append(f"{part}: {', '.join(texts)}")
    return f"{row}, cosine with the supervised gradient, {'; '.join(parts)}."


def _output(found: Measured, row: str, trials: Sequence[StoredTrial]) -> list[str]:
    """Return a line per set that the row trains on."""
    lines = []
    for name in found.sets:
        salience = {
            measure: [found.salience(t, measure, name) for t in trials]
            for measure in ("entropy", "peak")
        }
        if not any(salience["entropy"]):
            continue
        pulls = {w: [found.pull(t, w, name) for t in trials] for w in ("target", "view", "output")}
        texts = [f"{where} {_mean(c)}" for where, c in pulls.items() if any(c)]
        ends = [f"{m} {_ends(c)}" for m, c in salience.items()]
        lines.append(
            f"{row} on {name}, pull per frame: {', '.join(texts)}; Y at the first and the last "
            f"validation: {', '.join(ends)}."
        )
    return lines


def _mean(curves: Sequence[MetricCurve | None]) -> str:
    """Return the mean over batches, then over seeds."""
    return Spread.of(float(c.values.mean()) for c in curves if c).text(signed=True)


def _below_zero(curves: Sequence[MetricCurve | None]) -> str:
    """Return the share of the measured intervals with a negative value."""
    values = np.concatenate([c.values for c in curves if c] or [np.array([np.nan])])
    return f"{(values < 0).mean():.0%}"


def _ends(curves: Sequence[MetricCurve | None]) -> str:
    first, last = (Spread.of(float(c.values[i]) for c in curves if c).text(2) for i in (0, -1))
    return f"{first} -> {last}"


FIGURE = SweepFigure(
    "gradients", __doc__, Measured.of, draw, numbers, findings, applies=allows(Measured.of)
)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
