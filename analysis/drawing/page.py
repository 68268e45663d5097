"""Figures of many panels with text around them, laid out in inches."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_PANEL = (1.95, 1.4)
_LEFT, _RIGHT, _GAP = 0.62, 0.22, (0.18, 0.3)
"""Margins, and gaps between panels across and down"""
_MIN_WIDTH = 7.0
_LINE = 0.17
"""Height of a line of text"""
_SUBTITLE, _NOTE, _TICK = 9.0, 8.0, 8.5
"""Sizes of text in points"""
_CHARACTERS_PER_INCH = 135.0
"""Average of DejaVu Sans, at a size of one point"""


@dataclass(frozen=True)
class Page:
    """Text around the panels of a figure.

    Attributes:
        title: bold first line.
        subtitle: lines under it.
        x_label: shared by all panels.
        legend: handles with labels.
        legend_columns: entries beside each other.
        note: how to read the figure, wrapped at its foot.
        panel: width and height of a panel.
        left: margin, for the labels of the vertical axes.
        heading: lines of text over the panels of the first row.
        headed: whether there are as many over those of every other row, too.
    """

    title: str
    subtitle: tuple[str, ...]
    x_label: str
    legend: Sequence[Artist]
    legend_columns: int
    note: str
    panel: tuple[float, float] = _PANEL
    left: float = _LEFT
    heading: int = 2
    headed: bool = False

    @property
    def gap(self) -> tuple[float, float]:
        """Inches between panels, across and down."""
        return _GAP[0], _GAP[1] + _LINE * (self.heading - 1) * self.headed


def legend_columns(texts: Sequence[str]) -> int:
    """Return how many entries with such texts fit beside each other in the narrowest figure."""
    return 4 if max(map(len, texts)) <= 16 else 3


def margin(texts: Sequence[str]) -> float:
    """Return the inches that such tick labels take to the left of panels without an axis label."""
    return max(_LEFT, 0.42 + max(map(len, texts)) * _TICK / _CHARACTERS_PER_INCH)


def panels(
    n_rows: int, n_columns: int, page: Page, share_y: Literal["all", "row"] = "all"
) -> tuple[Figure, list[list[Axes]]]:
    """Lay out a figure of n_rows x n_columns panels that share their axes, with the page's text.

    The vertical axis is that of all panels, or of those in a row. Heights are added up in
    inches, so that text never meets text whatever the number of panels.
    """
    gaps = ((n_columns - 1) * page.gap[0], (n_rows - 1) * page.gap[1])
    width = max(_MIN_WIDTH, page.left + _RIGHT + n_columns * page.panel[0] + gaps[0])
    lines = page.heading - 2 + len(_wrap(page.subtitle, width, _SUBTITLE))
    top = 0.86 + _LINE * lines
    bottom = _foot_height(page, width)
    height = top + bottom + n_rows * page.panel[1] + gaps[1]
    panel_width = (width - page.left - _RIGHT - gaps[0]) / n_columns
    figure = Figure(figsize=(width, height))
    grid = figure.add_gridspec(
        n_rows,
        n_columns,
        left=page.left / width,
        right=1 - _RIGHT / width,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=page.gap[0] / panel_width,
        hspace=page.gap[1] / page.panel[1],
    )
    axes = grid.subplots(sharex=True, sharey=share_y, squeeze=False)
    _write(figure, page, width, height)
    return figure, [list(row) for row in axes]


def _foot_height(page: Page, width: float) -> float:
    """Return the inches below the panels: tick and axis labels, legend, note."""
    legend_rows = -(-len(page.legend) // page.legend_columns)
    return 0.72 + 1.15 * _LINE * legend_rows + _LINE * len(_wrap((page.note,), width, _NOTE))


def _write(figure: Figure, page: Page, width: float, height: float) -> None:
    head, note = _wrap(page.subtitle, width, _SUBTITLE), _wrap((page.note,), width, _NOTE)
    bottom, left = _foot_height(page, width), 0.1 / width
    figure.text(left, 1 - 0.1 / height, page.title, va="top", weight="bold", size=10.5)
    figure.text(left, 1 - 0.34 / height, "\n".join(head), va="top", linespacing=1.25)
    figure.text(0.5, (bottom - 0.42) / height, page.x_label, ha="center", va="baseline")
    figure.legend(
        handles=list(page.legend),
        loc="upper center",
        bbox_to_anchor=(0.5, (bottom - 0.55) / height),
        ncols=page.legend_columns,
        frameon=False,
        borderaxespad=0.0,
        handlelength=2.6,
    )
    figure.text(left, 0.08 / height, "\n".join(note), va="bottom", size=_NOTE, color="#444444")


def _wrap(paragraphs: Sequence[str], width: float, size: float) -> list[str]:
    characters = int((width - 0.2) * _CHARACTERS_PER_INCH / size)
    return [line for p in paragraphs for line in textwrap.wrap(p, characters)]
