"""A picture of a whole recording: its salience above its HCQT, downsampled where it is long."""

import math
import warnings
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ssmpe import units
from ssmpe.config import GeometryConfig
from ssmpe.signal.features import DYNAMIC_RANGE
from ssmpe.transcription.streaming import Piece

MAX_COLUMNS = 1200
"""Columns of a picture; where there are more frames, each column shows the largest of several"""
_DPI = 120
_INCHES = 12.0, 9.6  # at least a pixel for every bin of the paper, and for every column


class Overview:
    """A picture that takes the pieces of a recording one after the other.

    Args:
        n_frames: of the whole recording.
    """

    def __init__(self, n_frames: int, geometry: GeometryConfig) -> None:
        self._g, self._n_frames = geometry, n_frames
        self._frames = math.ceil(n_frames / MAX_COLUMNS)
        """Frames that share a column"""
        n_columns = math.ceil(n_frames / self._frames)
        self.salience = np.zeros((geometry.n_bins, n_columns), np.float32)
        self.features = np.zeros_like(self.salience)

    def add(self, piece: Piece) -> None:
        """Enter the frames of a piece."""
        n = piece.salience.shape[-1]
        columns = (piece.start + np.arange(n)) // self._frames
        bounds = np.flatnonzero(np.diff(columns, prepend=-1))
        for image, values in ((self.salience, piece.salience), (self.features, piece.features)):
            largest = np.maximum.reduceat(values.numpy(), bounds, axis=1)
            shown = columns[bounds]
            image[:, shown] = np.maximum(image[:, shown], largest)

    def save(self, path: Path, title: str) -> None:
        """Write the PNG."""
        with warnings.catch_warnings():
            # names of files may be of any script
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            self.draw(title).savefig(path, dpi=_DPI, format="png", metadata={"Software": None})

    def draw(self, title: str) -> Figure:
        """Draw the salience above the HCQT's first harmonic."""
        figure = Figure(figsize=_INCHES, layout="constrained")
        FigureCanvasAgg(figure)
        upper, lower = figure.subplots(2, 1, sharex=True)
        self._panel(upper, self.salience, (0.0, 1.0), "salience")
        decibels = (self.features - 1.0) * DYNAMIC_RANGE
        self._panel(lower, decibels, (-DYNAMIC_RANGE, 0.0), "HCQT, h = 1 (dB below the maximum)")
        # names of files are no formulas
        upper.set_title(title, loc="left", parse_math=False)
        lower.set_xlabel("time (s)")
        return figure

    def _panel(
        self, axes: Axes, values: NDArray[np.float32], limits: tuple[float, float], what: str
    ) -> None:
        g = self._g
        n_bins, n_columns = values.shape
        half = 0.5 / g.frame_rate  # frames are centred on their times
        right = n_columns * self._frames / g.frame_rate - half
        image = axes.imshow(
            values,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=limits[0],
            vmax=limits[1],
            extent=(-half, right, -0.5, n_bins - 0.5),
            interpolation="nearest",
        )
        axes.set_xlim(-half, self._n_frames / g.frame_rate - half)
        octaves = range(0, n_bins, g.bins_per_octave)
        axes.set_yticks(list(octaves), [_label(g.bin_frequencies[k]) for k in octaves])
        axes.set_ylabel("frequency (Hz)")
        axes.figure.colorbar(image, ax=axes, label=what, pad=0.01)


def _label(hz: float) -> str:
    """Return a tick's label: the nearest note, and the frequency in Hz."""
    return f"{units.note_name(hz)}  {hz:g}"
