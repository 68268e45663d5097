"""From pitches to blurred targets, and from salience back to pitches (paper section 2.4)."""

import logging
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from ssmpe import units
from ssmpe.config import GeometryConfig

THRESHOLD = 0.5
"""Least salience of an estimated pitch."""
BLUR_SEMITONES = 0.2
"""Standard deviation of the targets' blur: one bin of the paper's grid."""

logger = logging.getLogger(__name__)


def blurred_target(f0s: Sequence[NDArray[np.floating]], g: GeometryConfig) -> NDArray[np.float32]:
    """Draw the pitches of T frames as a target (F, T) in [0, 1].

    F0s outside the grid are dropped with a warning.

    Args:
        f0s: for every frame its F0s in Hz, any number of them.
    """
    active = np.zeros((g.n_bins, len(f0s)), dtype=np.float64)
    counts = [len(frame) for frame in f0s]
    if sum(counts) == 0:
        return active.astype(np.float32)
    frames = np.repeat(np.arange(len(f0s)), counts)
    bins = np.rint(units.hz_to_bin(np.concatenate(f0s), g.fmin, g.bins_per_octave)).astype(int)
    inside = (bins >= 0) & (bins < g.n_bins)
    if not inside.all():
        logger.warning("dropped %d F0s outside the grid of %d bins", (~inside).sum(), g.n_bins)
    active[bins[inside], frames[inside]] = 1.0
    if not inside.any():
        return active.astype(np.float32)
    blurred = gaussian_filter1d(active, BLUR_SEMITONES * g.bins_per_semitone, axis=0)
    blurred /= blurred[bins[inside], frames[inside]].min()
    return blurred.clip(0.0, 1.0).astype(np.float32)


def blurred(active: Tensor, g: GeometryConfig) -> Tensor:
    """Draw the bins marked in (B, F, T) as ``blurred_target`` draws pitches: one, falling off."""
    sigma = BLUR_SEMITONES * g.bins_per_semitone
    reach = int(4.0 * sigma + 0.5)  # where scipy's filter ends
    distance = torch.arange(-reach, reach + 1, device=active.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (distance / sigma).square())
    drawn = torch.nn.functional.conv2d(
        active.float()[:, None], kernel[None, None, :, None], padding=(reach, 0)
    )
    return drawn[:, 0].clamp(0.0, 1.0)


def peaks(salience: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """Mark strict local maxima of a salience (..., F, T) along frequency, edges included.

    Logits have the same, above a threshold of theirs.
    """
    below = torch.nn.functional.pad(salience, (0, 0, 1, 1), value=-math.inf)
    middle = below[..., 1:-1, :]
    is_peak = (middle > below[..., :-2, :]) & (middle > below[..., 2:, :])
    return is_peak & (middle >= threshold)


def decode(
    salience: Tensor, g: GeometryConfig, threshold: float = THRESHOLD
) -> list[NDArray[np.float64]]:
    """Return the pitches in Hz that a salience (F, T) has in every frame."""
    frames, bins = peaks(salience.detach().cpu(), threshold).T.nonzero(as_tuple=True)
    counts = torch.bincount(frames, minlength=salience.shape[-1])
    frequencies = g.bin_frequencies[bins.numpy()]
    return np.split(frequencies, counts.cumsum(0)[:-1].numpy())
