"""Kernels of the variable-Q transform, one for each distinct frequency of an HCQT.

Paper section 2.1; bandwidths grow with frequency by the equivalent rectangular bandwidth's law.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ssmpe.config import GeometryConfig
from ssmpe.config.geometry import ERB_OFFSET


@dataclass(frozen=True)
class Kernels:
    """Kernels in time, one for each distinct bin of an HCQT that lies below Nyquist.

    Attributes:
        taps: complex64 (K, L), a Hann-windowed exponential each, phase 0 at column L // 2, not
            normalised: a unit sinusoid at the centre gives a magnitude of length / 4.
        frequencies: (K,) Hz, ascending.
        lengths: (K,) samples.
        index: int64 (H, F), the kernel of every bin of every harmonic; -1 above Nyquist.
    """

    taps: np.ndarray
    frequencies: np.ndarray
    lengths: np.ndarray
    index: np.ndarray


def make_kernels(geometry: GeometryConfig) -> Kernels:
    """Make the kernels of a geometry; harmonics whose grids coincide share them."""
    positions = harmonic_positions(geometry)
    lowest = positions.min()
    nyquist = geometry.bins_per_octave * np.log2(geometry.sample_rate / 2 / geometry.fmin)
    audible = positions <= nyquist
    # bins of one grid differ by whole bins: a grid is told by its fractional part
    fraction = np.round((positions[:, 0] - lowest) % 1.0, 6) % 1.0
    parts = []
    for grid in np.unique(fraction):
        own = positions[fraction == grid]
        own = own[own <= nyquist]
        first, count = own.min(), round(own.max() - own.min()) + 1
        parts.append((first + np.arange(count), *_grid_kernels(geometry, first, count)))
    width = max(taps.shape[1] for _, taps, _ in parts)
    all_positions = np.concatenate([p for p, _, _ in parts])
    order = np.argsort(all_positions)
    taps = np.concatenate([_centre(taps, width) for _, taps, _ in parts])[order]
    lengths = np.concatenate([lengths for _, _, lengths in parts])[order]
    nearest = np.abs(positions[..., None] - all_positions[order]).argmin(axis=-1)
    used, index = np.unique(nearest[audible], return_inverse=True)
    full_index = np.full(positions.shape, -1, dtype=np.int64)
    full_index[audible] = index
    frequencies = geometry.fmin * 2.0 ** (all_positions[order][used] / geometry.bins_per_octave)
    return Kernels(taps[used], frequencies, lengths[used], full_index)


def harmonic_positions(geometry: GeometryConfig) -> np.ndarray:
    """Return the places (H, F) of all bins, in bins above ``geometry.fmin``; below it, negative."""
    offsets = geometry.bins_per_octave * np.log2(np.asarray(geometry.harmonics))
    return np.asarray(offsets[:, None] + np.arange(geometry.n_bins))


def _grid_kernels(g: GeometryConfig, first: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Make taps (count, L) and lengths (count,) of a run of neighbouring bins."""
    from nnAudio.utils import create_cqt_kernels  # a second, which only who makes kernels needs

    fmin = g.fmin * 2.0 ** (first / g.bins_per_octave)
    taps, _, lengths, _ = create_cqt_kernels(
        Q=g.quality,
        fs=g.sample_rate,
        fmin=fmin,
        n_bins=count,
        bins_per_octave=g.bins_per_octave,
        norm=0,
        gamma=ERB_OFFSET * (2.0 ** (1.0 / g.bins_per_octave) - 1.0),
    )
    samples = torch.as_tensor(lengths).numpy().astype(np.float64)
    # nnAudio divides by the length, the published transform does not
    return (taps * samples[:, None]).astype(np.complex64), samples


def _centre(taps: np.ndarray, width: int) -> np.ndarray:
    """Pad rows with zeros to ``width`` columns; their middle column stays the middle."""
    missing = width - taps.shape[1]
    return np.pad(taps, ((0, 0), (missing // 2, missing - missing // 2)))
