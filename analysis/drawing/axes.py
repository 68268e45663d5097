"""Axes of salience-grams: seconds and pitch, as far as the settings and the pictures tell them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from analysis.reading.pictures import Picture, frame_width

_GEOMETRY = ("sample_rate", "hop_length", "fmin", "bins_per_octave")
_LEAST = 0.25
"""Value from which a bin is taken to be in use"""
_ROOM = (0.15, 0.3)
"""Share of the pitches in use that is added below and, where scores are written, above them"""
_OCTAVES = range(12, 132, 12)


@dataclass(frozen=True)
class Grid:
    """Where pictures of a set lie.

    Attributes:
        seconds: length of the excerpt; None if it cannot be told.
        edges: MIDI pitches of the lowest bin's lower edge and the highest's upper; bins if
            ``midi`` is false.
        view: likewise, of what is to be seen.
    """

    seconds: float | None
    edges: tuple[float, float]
    view: tuple[float, float]
    midi: bool

    @classmethod
    def of(cls, params: Mapping[str, str], pictures: Sequence[Picture]) -> "Grid":
        """Find the axes of pictures of one size; settings may lack the geometry."""
        n_bins, n_columns = pictures[0].salience.shape
        panels = [p for pic in pictures for p in (pic.salience, pic.truth) if p is not None]
        used = np.flatnonzero(np.max([p.max(axis=1) for p in panels], axis=0) >= _LEAST)
        low, high = (used[0], used[-1] + 1) if len(used) else (0, n_bins)
        view = max(0.0, low - _ROOM[0] * (high - low)), min(n_bins, high + _ROOM[1] * (high - low))
        if any(f"geometry.{name}" not in params for name in _GEOMETRY):
            return cls(None, (0.0, float(n_bins)), view, midi=False)
        rate, hop, fmin, per_octave = (float(params[f"geometry.{name}"]) for name in _GEOMETRY)
        step, width = 12 / per_octave, frame_width(pictures)
        lowest = 69 + 12 * np.log2(fmin / 440) - step / 2
        return cls(
            seconds=n_columns / width * hop / rate if width else None,
            edges=(lowest, lowest + n_bins * step),
            view=(lowest + view[0] * step, lowest + view[1] * step),
            midi=True,
        )

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top, for ``imshow``."""
        return (0.0, self.seconds or 1.0, *self.edges)

    def label(self, ax: Axes) -> None:
        """Set limits and ticks of a panel: whole seconds, octaves of C as MIDI pitch and in Hz."""
        ax.set_xlim(0, self.seconds or 1.0)
        ax.set_xticks(np.arange(int(self.seconds) + 1) if self.seconds else [])
        ax.set_ylim(self.view)
        octaves = [m for m in _OCTAVES if self.midi and self.view[0] <= m <= self.view[1]]
        ax.set_yticks(octaves, [f"{m} · {440 * 2 ** ((m - 69) / 12):.0f} Hz" for m in octaves])
        ax.tick_params(length=2)
        ax.grid(visible=False)
