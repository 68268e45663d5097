"""Drawings of what was measured in training: conflicts of gradients, and how the output moves."""

from collections.abc import Callable
from functools import partial

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from analysis import curves
from analysis.drawing import labels, page, style
from analysis.numbers.diagnosed import Measured
from analysis.reading.records import MetricCurve, StoredSweep, StoredTrial

NOTE = (
    "Means of the batches measured since the last validation, and over seeds; thin lines: single "
    "runs. Cosine below 0: the term undoes what the supervised one does. "
)
CONFLICT_NOTE = (
    NOTE + "Norm: of the weighted term's gradient, as a multiple of the supervised one's."
)
OUTPUT_NOTE = (
    NOTE + "Pull: minus the gradient by the logits of a frame, summed over bins and terms; below "
    "0, the output is asked for less. Y: salience of the excerpts; its entropy and peak in a "
    "frame; change: of its mean by one batch, all terms together, in % of that mean."
)
_SET_LINES: tuple[style.LineStyle, ...] = ("-", (0, (3, 1.2)), (0, (1, 1.2)), (0, (5, 1, 1, 1)))
_PULL_LINES: dict[str, style.LineStyle] = {
    "target": "-",
    "view": (0, (1, 1.2)),
    "output": (0, (5, 1.5)),
}
_PULL_LABELS = {
    "target": "pull through Y",
    "view": "pull at the views",
    "output": "pull by other terms",
}


def draw_conflicts(found: Measured) -> Figure:
    """Cosines, norms and losses; one column per self-supervised term, one line per row."""
    sweep = found.sweep
    sets = dict(zip(found.sets, _SET_LINES, strict=False))
    handles = [
        Line2D([], [], color="#777777", ls=line, lw=1.4, label=f"loss on {name}")
        for name, line in sets.items()
    ]
    text = _page("Do the terms agree? Gradients and losses over batches", sweep, handles)
    figure, axes = page.panels(5, len(found.terms), text(CONFLICT_NOTE), share_y="row")
    for column, term in enumerate(found.terms):
        axes[0][column].set_title(term)
        for index, part in enumerate(("encoder", "decoder")):
            cosines, norms = axes[index][column], axes[2 + index][column]
            _lines(cosines, sweep, partial(found.cosine, part=part, term=term))
            _lines(norms, sweep, partial(found.relative_norm, part=part, term=term))
            cosines.axhline(0, color="#999999", lw=0.8, zorder=1)
        for name, line in sets.items():
            _lines(axes[4][column], sweep, partial(found.loss, term=term, set_name=name), line)
    # below the last of their lines, as panels share it
    for index in (2, 3):
        axes[index][0].set_ylim(bottom=0)
    names = [f"{what}, {part}" for what in ("cosine", "norm") for part in ("encoder", "decoder")]
    _name_rows(axes, (*names, "loss per frame"))
    return figure


def draw_output(found: Measured) -> Figure:
    """What pulls the output up or down, and where it goes; one column per set of the batches."""
    sweep = found.sweep
    handles = [
        Line2D([], [], color="#777777", ls=line, lw=1.4, label=_PULL_LABELS[where])
        for where, line in _PULL_LINES.items()
    ]
    text = _page("What moves the output? Pulls and salience in training", sweep, handles)
    figure, axes = page.panels(4, len(found.sets), text(OUTPUT_NOTE), share_y="row")
    for column, name in enumerate(found.sets):
        axes[0][column].set_title(f"{name}\n{labels.kind(sweep, name)}", linespacing=1.3)
        for where, line in _PULL_LINES.items():
            _lines(axes[0][column], sweep, partial(found.pull, where=where, set_name=name), line)
        axes[0][column].axhline(0, color="#999999", lw=0.8, zorder=1)
        for index, measure in enumerate(("entropy", "peak"), start=1):
            _lines(
                axes[index][column], sweep, partial(found.salience, measure=measure, set_name=name)
            )
        _lines(axes[3][column], sweep, partial(found.relative_change, set_name=name))
        axes[2][column].set_ylim(0, 1)
        axes[3][column].axhline(0, color="#999999", lw=0.8, zorder=1)
    _name_rows(axes, ("pull per frame", "entropy of Y (bits)", "peak of Y", "change of Y (%)"))
    return figure


def _page(title: str, sweep: StoredSweep, handles: list[Line2D]) -> Callable[[str], page.Page]:
    """The page, as soon as its note is known."""
    legend: list[Artist] = [*curves.legend(sweep), *handles]
    columns = page.legend_columns([str(h.get_label()) for h in legend])

    def noted(note: str) -> page.Page:
        return page.Page(title, labels.subtitle(sweep), "batches", legend, columns, note)

    return noted


def _name_rows(axes: list[list[Axes]], names: tuple[str, ...]) -> None:
    for panels, name in zip(axes, names, strict=True):
        panels[0].set_ylabel(name, size=8, labelpad=2)
        for ax in panels:
            ax.set_xlim(left=0)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
            ax.xaxis.set_major_formatter(EngFormatter(sep=""))
            ax.tick_params(length=0)


def _lines(
    ax: Axes,
    sweep: StoredSweep,
    curve_of: Callable[[StoredTrial], MetricCurve | None],
    line: style.LineStyle | None = None,
) -> None:
    """A line per row of the sweep; in ``line``, if lines tell other things than rows."""
    for row in sweep.rows:
        colour, own = curves.look(sweep, row)
        trials = [(t, c) for t in sweep.of_row(row) if (c := curve_of(t))]
        counted = [curve for trial, curve in trials if trial.has_result]
        if len(trials) > 1 or not counted:
            for _, curve in trials:
                ax.plot(curve.steps, curve.values, color=colour, lw=0.5, alpha=0.45, ls=line or "-")
        if counted:
            mean = curves.mean_curve(counted)
            ax.plot(mean.steps, mean.values, color=colour, ls=line or own, lw=1.4)
        for trial, curve in trials:
            curves.mark_end(ax, trial, curve, colour)
