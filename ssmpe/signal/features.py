"""Features made of the HCQT: decibels scaled to [0, 1], energy estimate, frame RMS.

Paper sections 2.1 and 2.3.2.
"""

import torch
from torch import Tensor, nn

from ssmpe.config import GeometryConfig

DYNAMIC_RANGE = 80.0
"""Range of the features in dB below the loudest bin."""
AMPLITUDE_FLOOR = 1e-5
"""Smallest magnitude that is told from silence."""
RMS_WINDOW = 2048
"""Length in samples of the window whose RMS a frame has."""
SOUNDING_RMS = 0.01
"""Least RMS of a sounding frame, in a track whose peak is 1."""


def scaled_decibels(hcqt: Tensor, largest: Tensor | None = None) -> Tensor:
    """Return a complex HCQT (B, H, F, T), or its distinct bins (B, K, T), as features in [0, 1].

    They are decibels below the clip's largest magnitude over all harmonics, clamped at -80 dB: 0 is
    the floor, 1 the maximum. A silent clip is all 0.

    Args:
        largest: (B,) magnitudes that 0 dB stands for; needed if this is only a part of each clip.
    """
    magnitude = hcqt.abs()
    return _rescale(magnitude, AMPLITUDE_FLOOR, 20.0, largest)


def energy_estimate(features: Tensor, harmonics: tuple[float, ...]) -> Tensor:
    """Return e_X (B, F, T) of features (B, H, F, T): harmonic energy in scaled decibels.

    It adds the squared amplitudes of the harmonics from the first on, with ``harmonic_weights``.
    """
    weights = harmonic_weights(harmonics).to(features, non_blocking=True)
    power = (amplitudes(features) * weights[:, None, None]).square().sum(dim=1)
    return rescaled(power)


def amplitudes(features: Tensor) -> Tensor:
    """Return the amplitudes of features, relative to the clip's largest; 0 at the floor."""
    decibels = (features - 1.0) * DYNAMIC_RANGE
    return torch.where(features > 0, 10.0 ** (decibels / 20.0), 0.0)


def rescaled(power: Tensor, largest: Tensor | None = None) -> Tensor:
    """Return power (B, ...) as features: decibels below each clip's largest, scaled to [0, 1].

    Args:
        largest: (B,) power that 0 dB stands for instead.
    """
    return _rescale(power, AMPLITUDE_FLOOR**2, 10.0, largest)


def harmonic_weights(harmonics: tuple[float, ...]) -> Tensor:
    """Return the weights (H,) of the energy estimate: h**-2 for h >= 1, else 0; they sum to 1."""
    h = torch.tensor(harmonics, dtype=torch.float64)
    weights = torch.where(h >= 1, h**-2, torch.zeros_like(h))
    return weights / weights.sum()


def first_harmonic(features: Tensor, geometry: GeometryConfig) -> Tensor:
    """Return the channel (B, F, T) of h = 1 of features (B, H, F, T)."""
    return features[:, geometry.harmonics.index(1.0)]


def frame_rms(audio: Tensor, hop_length: int) -> Tensor:
    """Return the RMS (B, T) of the 2,048 samples around the middle of every frame of (B, 1, N)."""
    power = audio[:, 0].square()
    padded = nn.functional.pad(power, (RMS_WINDOW // 2, RMS_WINDOW // 2))
    n_frames = 1 + audio.shape[-1] // hop_length
    mean = nn.functional.avg_pool1d(padded[:, None], RMS_WINDOW, hop_length)[:, 0]
    return mean[..., :n_frames].clamp(min=0).sqrt()


def _rescale(
    values: Tensor, floor: float, per_decade: float, largest: Tensor | None = None
) -> Tensor:
    """Return values (B, ...) as decibels below each clip's largest, rescaled to [0, 1]."""
    if largest is None:
        largest = values.flatten(1).amax(dim=1)
    largest = largest.view(-1, *[1] * (values.ndim - 1))
    decibels = per_decade * torch.log10(values.clamp(min=floor) / largest.clamp(min=floor))
    scaled = 1.0 + decibels.clamp(min=-DYNAMIC_RANGE) / DYNAMIC_RANGE
    return torch.where(largest > floor, scaled, 0.0)
