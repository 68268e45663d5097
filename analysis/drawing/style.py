"""One look for all figures, in colours that colour-blind readers can tell apart."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.numbers.comparison import MEASURES
from analysis.numbers.kinds import BLANK
from ssmpe.evaluation.collapse import Kind
from ssmpe.tracking.stored.records import StoredTrial

Colour = str | tuple[float, float, float]
LineStyle = str | tuple[float, tuple[float, ...]]

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette without yellow, which is too faint on white, and black"""
MARKERS = ("o", "^", "s", "D", "h", "P")
LINES: tuple[LineStyle, ...] = ("-", (0, (5, 1.5)), (0, (3, 1.2, 1, 1.2)), (0, (1, 1.2)))
REFERENCE_COLOUR, REFERENCE_LINE = "#555555", (0, (4, 2))
SIGNAL_COLOUR, SIGNAL_LINE = "black", (0.0, (1.0, 1.6))
"""of what is known without a network"""
STOPPED_MARKER = "X"
UNCOUNTED_MARKER = "+"
KIND_MARKERS: Mapping[str, str] = {
    Kind.LEVEL_SUNK: "v",
    Kind.CONTENT_LOST: "d",
    Kind.CONSTANT_PATTERN: "H",
    Kind.ALL_ON: "*",
    BLANK: "v",
}
"""Shapes of trials that have degenerated; hollow where the kind is not known"""
MEASURE_LABELS = MEASURES

DPI = 200
# Any, for matplotlib types every key of this mapping by name
_RC: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    # names of rows are text, whatever is between their dollar signs
    "text.parse_math": False,
    # the same figure gives the same file
    "svg.hashsalt": "ssmpe",
}


def stopped_handle() -> Line2D:
    """Return the legend entry of a trial that was stopped for its collapse."""
    look: Any = {"ls": "none", "marker": STOPPED_MARKER, "ms": 7, "mec": "black", "mew": 0.8}
    return Line2D([], [], color="white", label="stopped as collapsed", **look)


def end_handles(trials: Iterable[StoredTrial]) -> list[Artist]:
    """Return legend entries of the marks at the ends of trials, as far as these have any."""
    trials = list(trials)
    handles: list[Artist] = []
    if any(t.stopped for t in trials):
        handles.append(stopped_handle())
    return handles + uncounted_handles(trials)


def uncounted_handles(trials: Iterable[StoredTrial]) -> list[Artist]:
    """Return the legend entry of trials without a result, if there are any."""
    handles: list[Artist] = []
    if not all(t.has_result for t in trials):
        label = "no result (failed, interrupted): not in means"
        look: Any = {"ls": "none", "marker": UNCOUNTED_MARKER, "ms": 6, "mew": 1.2}
        handles.append(Line2D([], [], color="black", label=label, **look))
    return handles


def unit_axis(ax: Axes) -> None:
    """Make the vertical axis that of a share, 0 to 1."""
    ax.set_ylim(-0.05, 1.05)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])
    ax.tick_params(length=0)


def say_unannotated(ax: Axes) -> None:
    """Say in a panel that the set cannot have such scores."""
    ax.text(0.5, 0.5, "not annotated", transform=ax.transAxes, ha="center", color="#777777")


def colour(index: int) -> str:
    """Return the colour of the index-th category."""
    return OKABE_ITO[index % len(OKABE_ITO)]


def shade(colour: str, position: float) -> tuple[float, float, float]:
    """Return a colour between its light (0), itself (0.5) and its dark (1)."""
    rgb = np.array(to_rgb(colour))
    mixed = (
        rgb + (1 - rgb) * (1 - 2 * position) * 0.6
        if position < 0.5
        else rgb * (1 - (2 * position - 1) * 0.45)
    )
    return (float(mixed[0]), float(mixed[1]), float(mixed[2]))


def look() -> AbstractContextManager[None]:
    """Return the context in which figures are drawn and saved; nothing outside it changes."""
    return mpl.rc_context(_RC)


def save(figure: Figure, folder: Path, stem: str) -> tuple[Path, Path]:
    """Write a picture as PNG and SVG; returns their paths."""
    png, svg = folder / f"{stem}.png", folder / f"{stem}.svg"
    figure.savefig(png, dpi=DPI)
    figure.savefig(svg, metadata={"Date": None})
    return png, svg
