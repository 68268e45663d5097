"""Salience from the signal alone: what the input tells of its pitches, without a network."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.config.geometry import ERB_OFFSET
from ssmpe.config.model import ESTIMATES as NAMES
from ssmpe.signal.features import amplitudes, energy_estimate, rescaled

COMPRESSION = 0.5
"""Exponent of the amplitudes that are decomposed: loud harmonics count less than they add."""
DECAYS = (0.4, 0.6, 0.8)
"""Ratios of a harmonic's amplitude to that of the one below, one spectrum of a pitch for each.

They are amplitudes of features, whose kernels are not normalised: what is higher has shorter ones,
and measures less. One at 220 Hz whose harmonics fall by 0.6 falls by 0.40 to 0.48 there.
"""
N_PARTIALS = 10
"""Harmonics of a spectrum."""
ITERATIONS = 15
"""Updates of all activations; twice as many change average precision by 0.005 at the most."""
RELAXATION = 1.9
"""Exponent of an update: 1 never takes away what it has gained, but is slower; 2 need not end."""
LEAST = 1e-9
"""Smallest part of a spectrum that is divided by: far below the floor of the features."""
PIECE = 1024
"""Frames that are decomposed together: few enough for a processor's caches."""

MIDDLE_LEVEL = 0.56
"""Level from which on most of its peaks are pitches, in labelled chamber music and chorales."""

Estimate = Callable[[Tensor, GeometryConfig], Tensor]
"""Function from features (B, H, F, T) to values (B, F, T) in scaled decibels"""


def _energy(features: Tensor, geometry: GeometryConfig) -> Tensor:
    return energy_estimate(features, geometry.harmonics)


def harmonic_sum(features: Tensor, geometry: GeometryConfig) -> Tensor:
    """Return the mean (B, F, T) of features (B, H, F, T) over the harmonics h >= 1, weighted 1 / h.

    Subharmonic summation (Hermes, J. Acoust. Soc. Am. 83, 1988) with decibels as compressed
    amplitudes. Of weights 1, 0.84**(h - 1) (Hermes), 1 / h and h**-2, these have the highest
    average precision on the labelled validation set of the embedded world.
    """
    h = torch.tensor(geometry.harmonics)
    weights = torch.where(h >= 1, 1.0 / h, 0.0).to(features, non_blocking=True)
    return torch.einsum("bhft,h->bft", features, weights / weights.sum())


@torch.no_grad()
def decomposition(features: Tensor, geometry: GeometryConfig) -> Tensor:
    """Return how much (B, F, T) of every frame's spectrum each pitch explains.

    A frame's compressed amplitudes v are taken for a sum W h of spectra of single pitches, with
    activations h >= 0 of the least Kullback-Leibler divergence D(v || W h), which the updates
    h <- h (W' (v / W h))**r approach (W's columns sum to one; r = 1: Lee and Seung, NIPS 2000;
    1 < r < 2: Salakhutdinov and Roweis, ICML 2003). Pitches share what is there: unlike a sum over
    harmonics, it leaves little for octaves, and nothing for harmonics that another explains. Fixed
    harmonic spectra: Raczynski, Ono and Sagayama, ISMIR 2007; several for a pitch: Vincent, Bertin
    and Badeau, IEEE TASLP 18 (2010). ``COMPRESSION`` and ``DECAYS`` have the highest average
    precision on labelled validation sets (rendered chamber music; two real chorales).
    """
    return rescaled(_explained(features, geometry))


@torch.no_grad()
def level_of_pitches(features: Tensor, geometry: GeometryConfig) -> Tensor:
    """Return the ``decomposition`` of frames that may be any part of a clip.

    Its decibels are relative to a constant, not to the loudest there is: to a full-scale note of
    the most peaked spectrum. Others explain more, so that values may exceed 1.
    """
    highest = _templates(geometry, str(features.device)).max()
    full = highest ** (-2.0 / COMPRESSION)
    return rescaled(_explained(features, geometry), full.expand(len(features)))


def _explained(features: Tensor, geometry: GeometryConfig) -> Tensor:
    """Return the power (B, F, T) that each pitch explains."""
    with torch.autocast(features.device.type, enabled=False):
        templates = _templates(geometry, str(features.device))
        audible = _spectrum(features.float(), geometry)[:, : len(templates)]
        columns = (amplitudes(audible) ** COMPRESSION).permute(1, 0, 2).flatten(1)
        found = torch.cat([_activations(v, templates) for v in columns.split(PIECE, 1)], dim=1)
        n, n_frames = len(features), features.shape[-1]
        of_pitches = found.view(len(DECAYS), geometry.n_bins, n, n_frames).sum(dim=0)
        return (of_pitches ** (2.0 / COMPRESSION)).permute(1, 0, 2)


ESTIMATES: dict[str, Estimate] = {
    "energy": _energy,
    "harmonic_sum": harmonic_sum,
    "decomposition": decomposition,
}
"""Estimates by their names in ``model.network`` and ``objectives.pseudo_labels.estimate``."""
assert tuple(ESTIMATES) == NAMES, "ssmpe.config.model.ESTIMATES names others"


def _activations(columns: Tensor, templates: Tensor) -> Tensor:
    """Return activations (P, n) that explain columns (K, n) by templates (K, P)."""
    transposed = templates.T.contiguous()
    found = transposed @ columns
    for _ in range(ITERATIONS):
        ratio = columns / (templates @ found).clamp_min(LEAST)
        found = found * (transposed @ ratio) ** RELAXATION
    return found


def _octaves(g: GeometryConfig) -> list[int]:
    """Return the channels h = 1, 2, 4, ... of which each goes on where the one before ends."""
    found = [g.harmonics.index(1.0)]
    while (h := 2.0 ** len(found)) in g.harmonics and g.n_bins >= g.bins_per_octave:
        found.append(g.harmonics.index(h))
    return found


def _spectrum(features: Tensor, g: GeometryConfig) -> Tensor:
    """Return one spectrum (B, K, T) from the lowest bin to the highest of features (B, H, F, T)."""
    first, *others = _octaves(g)
    top = g.n_bins - g.bins_per_octave
    return torch.cat([features[:, first], *(features[:, i, top:] for i in others)], dim=1)


@lru_cache(maxsize=2)
def _templates(g: GeometryConfig, device: str) -> Tensor:
    """Make spectra (K, P) of single pitches, columns that sum to one; decay by decay, F pitches.

    A sinusoid of frequency f has in bin k, whose Hann window is N samples long, an amplitude of
    sinc(x) / (1 - x**2), x = N (f - f_k) / sample rate, relative to one of frequency f_k.
    """
    n_rows = g.n_bins + (len(_octaves(g)) - 1) * g.bins_per_octave
    bins = g.fmin * 2.0 ** (torch.arange(n_rows, dtype=torch.float64) / g.bins_per_octave)
    bins = bins[bins < g.sample_rate / 2, None]
    lengths = g.quality / (bins + ERB_OFFSET)  # in seconds
    templates = []
    for decay in DECAYS:
        spectrum = torch.zeros(len(bins), g.n_bins, dtype=torch.float64)
        for partial in range(1, N_PARTIALS + 1):
            frequencies = partial * torch.from_numpy(g.bin_frequencies)
            x = (frequencies - bins) * lengths
            # on either side of 1, where both factors vanish, the quotient is one half
            response = torch.sinc(x) / (1.0 - x.square())
            response = torch.where((x.abs() - 1.0).abs() < 1e-6, 0.5, response).abs()
            spectrum += decay ** (partial - 1) * response * (frequencies < g.sample_rate / 2)
        templates.append(spectrum**COMPRESSION)
    of_all = torch.cat(templates, dim=1)
    # a pitch above Nyquist has none
    return (of_all / of_all.sum(dim=0).clamp_min(LEAST)).float().to(device)
