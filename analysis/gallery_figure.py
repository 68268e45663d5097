"""The figure of a gallery: truth and saliences under each other, checkpoints beside each other."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.drawing import labels, page
from analysis.drawing.axes import Grid
from analysis.reading.pictures import Picture, Pictures
from analysis.reading.records import StoredTrial

if TYPE_CHECKING:
    from analysis.gallery import Gallery

MAP = "magma"
NOTE = (
    "The same excerpt, the beginning of the set's first track, at several validations. In the "
    "corner: F1 and blank rate of the whole set then. Pitches are estimated where the salience "
    "has a peak of at least 0.5; a frame without one is blank."
)


def scores(trial: StoredTrial, set_name: str, batch: int) -> tuple[float, float]:
    """F1 and blank rate of the whole set at a validation; NaN if not scored."""
    curves = [trial.curve(set_name, m) for m in ("f1", "blank_rate")]
    f1, blank = (c.at(batch) if c else float("nan") for c in curves)
    return f1, blank


def draw(gallery: "Gallery", set_name: str) -> Figure:
    """Rows: the truth, if known, then one per run; columns: batches."""
    shown = {t.run_id: _of_set(gallery.pictures[t.run_id], set_name) for t in gallery.trials}
    truth = next((p.truth for of_run in shown.values() for p in of_run.values()), None)
    grid = Grid.of(
        gallery.trials[0].params, [p for of_run in shown.values() for p in of_run.values()]
    )
    names = ["truth"] * (truth is not None) + [f"{t.row}, seed {t.seed}" for t in gallery.trials]
    text = page.Page(
        title=f"Salience on {set_name} ({labels.kind(gallery.sweep, set_name)})",
        subtitle=labels.subtitle(gallery.sweep),
        x_label="seconds" if grid.seconds else "",
        legend=_legend(),
        legend_columns=3,
        note=NOTE,
        panel=(1.6, 1.35),
        left=1.15,
    )
    look: Any = {"cmap": MAP, "vmin": 0, "vmax": 1, "origin": "lower", "aspect": "auto"}
    figure, axes = page.panels(len(names), len(gallery.batches), text)
    for name, panels in zip(names, axes, strict=True):
        panels[0].set_ylabel(name)
        for ax in panels:
            grid.label(ax)
    for batch, ax in zip(gallery.batches, axes[0], strict=True):
        ax.set_title(f"batch {batch}")
    if truth is not None:
        for ax in axes[0]:
            ax.imshow(truth, extent=grid.extent, **look)
    for trial, panels in zip(gallery.trials, axes[-len(gallery.trials) :], strict=True):
        for batch, ax in zip(gallery.batches, panels, strict=True):
            if picture := shown[trial.run_id].get(batch):
                ax.imshow(picture.salience, extent=grid.extent, **look)
                _write_scores(ax, *scores(trial, set_name, batch))
            else:
                _say_why_empty(ax, trial, batch)
    return figure


def _of_set(pictures: Pictures, set_name: str) -> dict[int, Picture]:
    return {batch: picture for (s, batch), picture in pictures.items() if s == set_name}


def _legend() -> list[Artist]:
    colours = colormaps[MAP]
    names = {0.0: "salience 0", 0.5: "0.5", 1.0: "1"}
    return [Patch(color=colours(value), label=name) for value, name in names.items()]


def _write_scores(ax: Axes, f1: float, blank: float) -> None:
    known = {"F1": f1, "blank": blank}
    parts = [f"{name} {value:.2f}" for name, value in known.items() if np.isfinite(value)]
    where: Any = {"transform": ax.transAxes, "ha": "right", "va": "top"}
    ax.text(0.98, 0.97, ", ".join(parts), color="white", size=7, **where)


def _say_why_empty(ax: Axes, trial: StoredTrial, batch: int) -> None:
    ended = trial.stopped and batch > trial.last_step
    why = f"stopped as collapsed\nat batch {trial.last_step}" if ended else "no picture"
    ax.text(
        0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", color="#777777", size=8
    )
