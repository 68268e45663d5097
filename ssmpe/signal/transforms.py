"""Random changes of an excerpt: what pitch should not care about, and what it should follow.

Paper section 2.3.1. Draws are made on the CPU from a generator, so that they do not depend on the
device, and are applied to a whole batch at once.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.signal.features import amplitudes, rescaled
from ssmpe.signal.kernels import harmonic_positions

MAX_SHIFT_OCTAVES = 1
"""Largest shift in frequency, up or down."""
MAX_TIME_SHIFT = 0.25
"""Largest shift in time, as a share of the excerpt's frames."""
MAX_STRETCH = 2.0
"""Largest factor by which time is stretched; its inverse is the smallest."""
HARMONIC_DROPOUT = 0.5
"""Probability with which a harmonic's channel is dropped."""
SHORTEST_ROOM, LONGEST_ROOM = 0.2, 2.0
"""Bounds of the reverberation time T60 in seconds: of a damped room, of a concert hall"""
DRIEST_ROOM, WETTEST_ROOM = 15.0, -3.0
"""Bounds of the direct-to-reverberant ratio in dB: before close microphones, and far away"""


def curve_bins(g: GeometryConfig) -> int:
    """Return the bins of an equalisation curve: whole octaves that hold all harmonics' bins."""
    positions = harmonic_positions(g)
    octaves = math.ceil((positions.max() - positions.min()) / g.bins_per_octave)
    return octaves * g.bins_per_octave


def equalization_curves(alpha: Tensor, beta: Tensor, n_bins: int) -> Tensor:
    """Draw parabolas (B, n_bins) over log-frequency, at most 1, from alpha and beta (B, 1).

    Both lie in [0, 1): alpha is how deep a curve falls, beta where it is highest.
    """
    last = n_bins - 1
    i = torch.arange(n_bins, device=alpha.device)
    return 1.0 - 2.0 * (alpha / last**2) * (i - beta * last) ** 2


def equalize(features: Tensor, curves: Tensor, g: GeometryConfig) -> Tensor:
    """Multiply features (B, H, F, T) by curves (B, N), read at every bin's place above the lowest.

    The product is clamped to [0, 1].
    """
    positions = torch.from_numpy(harmonic_positions(g))
    index = (positions - positions.min()).round().long().to(features.device, non_blocking=True)
    return (features * curves[:, index].unsqueeze(-1)).clamp(0.0, 1.0)


def random_equalization(
    features: Tensor, g: GeometryConfig, rng: torch.Generator, strength: float = 1.0
) -> Tensor:
    """Return features (B, H, F, T) with a random equalisation for every excerpt.

    Excerpt i draws the same whatever B is.

    Args:
        strength: how deep curves fall, 1 as in the paper.
    """
    draws = torch.rand(features.shape[0], 2, generator=rng).to(features.device, non_blocking=True)
    curves = equalization_curves(strength * draws[:, :1], draws[:, 1:], curve_bins(g))
    return equalize(features, curves, g)


def dropped_harmonics(features: Tensor, rng: torch.Generator, strength: float = 1.0) -> Tensor:
    """Return features (B, H, F, T) in which each harmonic's channel is zero with probability 1/2.

    One channel of each excerpt always stays. Values that stay are not scaled up: they are decibels.
    Excerpt i draws the same whatever B is.

    Args:
        strength: factor of the probability.
    """
    draws = torch.rand(*features.shape[:2], generator=rng)
    stays = (draws >= strength * HARMONIC_DROPOUT) | (draws == draws.amax(dim=1, keepdim=True))
    return features * stays.to(features, non_blocking=True)[..., None, None]


def reverberated(
    features: Tensor, g: GeometryConfig, rng: torch.Generator, strength: float = 1.0
) -> Tensor:
    """Return features (B, H, F, T) of every excerpt as if played in a random room.

    Of late reverberation, the power of every frame decays exponentially, by 60 dB in the
    reverberation time T60, whatever its phase (Polack's model; Lebart et al. 2001, "A new method
    based on spectral subtraction for speech dereverberation"). Frame t so has, in a room of
    the direct-to-reverberant ratio D, the power p_t + w (a p_{t-1} + a**2 p_{t-2} + ...), with
    a = 10**(-6 hop / T60) and w a / (1 - a) = 10**(-D / 10). What rang before the excerpt is
    left out. Excerpt i draws the same whatever B is.

    Args:
        strength: factor of the power that comes back from the room.
    """
    draws = torch.rand(features.shape[0], 2, generator=rng)
    seconds = SHORTEST_ROOM + draws[:, 0] * (LONGEST_ROOM - SHORTEST_ROOM)
    ratio = DRIEST_ROOM + draws[:, 1] * (WETTEST_ROOM - DRIEST_ROOM)
    decay = -6.0 * math.log(10.0) / (seconds * g.frame_rate)
    frames = torch.arange(features.shape[-1])
    later = frames[None, :] - frames[:, None]  # (T, T): of a frame after that which rings
    tails = torch.exp(decay[:, None, None] * later.clamp_min(0)) * (later > 0)
    total = torch.exp(decay) / (1.0 - torch.exp(decay))
    share = strength * 10.0 ** (-ratio / 10.0) / total
    response = tails * share[:, None, None] + (later == 0)
    power = amplitudes(features).square()
    heard = power @ response.to(features, non_blocking=True)[:, None]
    # the loudest of all stays as loud as it was
    loudest = power.flatten(1).amax(dim=1).clamp_min(torch.finfo(power.dtype).tiny)
    return rescaled(heard, heard.flatten(1).amax(dim=1) / loudest)


def shift_bins(x: Tensor, bins: Tensor) -> Tensor:
    """Move features (B, H, F, T) upwards by ``bins`` (B,) int64 each; zeros come in.

    Salience (B, F, T) is moved alike.
    """
    channels = x if x.ndim == 4 else x.unsqueeze(1)
    n_bins = channels.shape[2]
    source = torch.arange(n_bins) - bins[:, None]
    inside = (source >= 0) & (source < n_bins)
    index = (
        source.clamp(0, n_bins - 1)
        .to(x.device, non_blocking=True)[:, None, :, None]
        .expand_as(channels)
    )
    moved = channels.gather(2, index) * inside.to(x, non_blocking=True)[:, None, :, None]
    return moved if x.ndim == 4 else moved.squeeze(1)


@dataclass(frozen=True)
class Transposition:
    """Shift in frequency alone, one per excerpt.

    Attributes:
        shift_bins: (B,) int64, upwards if positive.
    """

    shift_bins: Tensor

    @classmethod
    def draw(cls, n: int, largest: int, rng: torch.Generator) -> "Transposition":
        """Draw the shifts of n excerpts, uniform over -largest..largest bins.

        Excerpt i draws the same whatever n is.
        """
        u = torch.rand(n, generator=rng, dtype=torch.float64)
        return cls(_symmetric_integers(u, largest))

    def __call__(self, x: Tensor) -> Tensor:
        """Move features (B, H, F, T) or salience (B, F, T); zeros come in at the edges."""
        return shift_bins(x, self.shift_bins)


@dataclass(frozen=True)
class GeometricTransform:
    """Shift in frequency, then in time, then a stretch of time about the middle; one per excerpt.

    Attributes:
        shift_bins: (B,) int64, upwards if positive.
        shift_frames: (B,) int64, later if positive.
        stretch: (B,) float64, longer above 1.
    """

    shift_bins: Tensor
    shift_frames: Tensor
    stretch: Tensor

    @classmethod
    def draw(
        cls,
        n: int,
        n_frames: int,
        g: GeometryConfig,
        rng: torch.Generator,
        strength: float = 1.0,
    ) -> "GeometricTransform":
        """Draw transforms of n excerpts: an octave, a quarter of the time, a factor of 2 at most.

        Excerpt i draws the same whatever n is.

        Args:
            strength: factor of the largest shifts, and exponent of the largest stretch.
        """
        u = torch.rand(n, 3, generator=rng, dtype=torch.float64)
        largest = round(strength * MAX_SHIFT_OCTAVES * g.bins_per_octave)
        bins = _symmetric_integers(u[:, 0], largest)
        frames = _symmetric_integers(u[:, 1], int(n_frames * strength * MAX_TIME_SHIFT))
        stretch = MAX_STRETCH**strength
        # half of the draws shorten, half lengthen, each uniformly
        shorter = 1.0 / stretch + 2.0 * u[:, 2] * (1.0 - 1.0 / stretch)
        longer = 1.0 + (2.0 * u[:, 2] - 1.0) * (stretch - 1.0)
        return cls(bins, frames, torch.where(u[:, 2] < 0.5, shorter, longer))

    def __call__(self, x: Tensor) -> Tensor:
        """Move features (B, H, F, T) or salience (B, F, T); zeros come in at the edges."""
        channels = x if x.ndim == 4 else x.unsqueeze(1)
        moved = self._stretch_time(shift_bins(channels, self.shift_bins))
        return moved if x.ndim == 4 else moved.squeeze(1)

    def _stretch_time(self, x: Tensor) -> Tensor:
        n_frames = x.shape[3]
        lower, upper, fraction, inside = self._time_sources(n_frames)
        out: Tensor | float = 0.0
        for source, weight in ((lower, 1.0 - fraction), (upper, fraction)):
            shifted = source - self.shift_frames[:, None]
            valid = inside & (shifted >= 0) & (shifted < n_frames)
            index = (
                shifted.clamp(0, n_frames - 1)
                .to(x.device, non_blocking=True)[:, None, None]
                .expand_as(x)
            )
            out = (
                out + x.gather(3, index) * (weight * valid).to(x, non_blocking=True)[:, None, None]
            )
        assert isinstance(out, Tensor)
        return out

    def _time_sources(self, n_frames: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return each output frame's (B, T) two sources, the second's share, and if it exists."""
        length = (n_frames * self.stretch).floor().long()[:, None]
        # centred: cut evenly if longer, padded evenly if shorter
        excess = length - n_frames
        start = torch.where(excess > 0, excess // 2, -((-excess) // 2))
        place = torch.arange(n_frames) + start
        position = ((place + 0.5) / self.stretch[:, None] - 0.5).clamp(min=0)
        lower = position.floor().long().clamp(max=n_frames - 1)
        upper = (lower + 1).clamp(max=n_frames - 1)
        fraction = (position - lower).clamp(0, 1)
        return lower, upper, fraction, (place >= 0) & (place < length)


def _symmetric_integers(u: Tensor, largest: int) -> Tensor:
    """Turn draws from [0, 1) into whole numbers from -largest to largest, all equally likely."""
    return (u * (2 * largest + 1)).floor().long() - largest
