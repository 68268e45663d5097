"""The time-frequency grid of a trial."""

import math
from dataclasses import dataclass
from functools import cached_property

from ssmpe import units
from ssmpe.config.plain import require, require_within
from ssmpe.errors import UserError

ERB_OFFSET = 24.7 / 0.108
"""Hz by which bandwidths exceed those of a constant Q: the equivalent rectangular bandwidth is
24.7 + 0.108 f."""
MOST_HARMONICS, HIGHEST_HARMONIC = 64, 64.0
"""Bounds on the number of harmonics, and on each of them; the lowest is 1 / 64."""


@dataclass(frozen=True)
class GeometryConfig:
    """Time-frequency grid of the HCQT and of every salience-gram (paper section 2.1)."""

    sample_rate: int = 22050
    """Sample rate of all audio, in Hz."""
    hop_length: int = 256
    """Samples from one frame to the next."""
    fmin: float = 27.5
    """Centre in Hz of bin 0 of the first harmonic."""
    n_bins: int = 440
    """Number of bins F of every harmonic, and of the salience."""
    bins_per_octave: int = 60
    harmonics: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    excerpt_seconds: float = 4.0
    """Length of a training excerpt."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "harmonics", tuple(float(h) for h in self.harmonics))
        require_within("geometry.sample_rate", self.sample_rate, 1000, 384_000, "Hz")
        require_within("geometry.hop_length", self.hop_length, 1, 65_536, "samples")
        require_within("geometry.fmin", self.fmin, 1, 20_000, "Hz")
        # four halvings (n // 2 - 1) must leave at least one row
        require_within("geometry.n_bins", self.n_bins, 46, 10_000, "bins")
        bpo, what = self.bins_per_octave, "a multiple of 12, 1,200 at the most"
        require(0 < bpo <= 1200 and bpo % 12 == 0, "geometry.bins_per_octave", bpo, what)
        self._check_harmonics()
        require_within("geometry.excerpt_seconds", self.excerpt_seconds, 0, 600, "seconds")
        require(
            self.excerpt_frames >= 8,
            "geometry.excerpt_seconds",
            self.excerpt_seconds,
            "at least 8 frames",
        )
        self._check_size()

    def _check_harmonics(self) -> None:
        n = self.n_harmonics
        require(n <= MOST_HARMONICS, "geometry.harmonics", n, f"{MOST_HARMONICS} at the most")
        valid = 1.0 in self.harmonics and all(h > 0 for h in self.harmonics)
        require(valid, "geometry.harmonics", self.harmonics, "positive numbers, 1.0 among them")
        ok = list(self.harmonics) == sorted(set(self.harmonics))
        require(ok, "geometry.harmonics", self.harmonics, "ascending numbers without repeats")
        for i, h in enumerate(self.harmonics):
            require_within(f"geometry.harmonics[{i}]", h, 1 / HIGHEST_HARMONIC, HIGHEST_HARMONIC)
        top = self.fmin * max(self.harmonics)
        require(top < self.sample_rate / 2, "geometry.fmin", self.fmin, "harmonics below Nyquist")

    def _check_size(self) -> None:
        """Check that the transform can be computed, and that its tables fit into memory.

        A few bytes could otherwise describe one that exhausts it.

        Raises:
            UserError: it cannot, or they do not.
        """
        all_bins = self.n_bins * self.n_harmonics
        # tables of the transform grow with each of these products, up to some 4 GiB
        for factor, what, most in (
            (self.longest_kernel, "samples of the longest kernel", 100_000_000),
            (self.excerpt_frames, "frames of an excerpt", 50_000_000),
            (self.excerpt_samples, "samples of an excerpt", 2_000_000_000),
        ):
            if all_bins * factor > most:
                raise UserError(
                    f"geometry: {self.n_bins:,} bins × {self.n_harmonics} harmonics × "
                    f"{factor:,.0f} {what} = {all_bins * factor:,.0f}: expected {most:,} at the "
                    "most (kernels grow with bins_per_octave and sample_rate, excerpts with "
                    "excerpt_seconds)"
                )
        spoilt = math.ceil(math.ceil(self.longest_kernel) / 2 / self.hop_length)
        least = spoilt * self.hop_length / self.sample_rate
        what = f"at least {least:g} seconds, half of the longest kernel"
        seconds = self.excerpt_seconds
        require(self.excerpt_frames > spoilt, "geometry.excerpt_seconds", seconds, what)

    @property
    def n_harmonics(self) -> int:
        """Channels of the HCQT."""
        return len(self.harmonics)

    @property
    def bins_per_semitone(self) -> int:
        """Bins from one semitone to the next."""
        return self.bins_per_octave // 12

    @property
    def quality(self) -> float:
        """Frequency of a kernel, plus ``ERB_OFFSET``, in units of its bandwidth."""
        ratio: float = 2.0 ** (2.0 / self.bins_per_octave)
        return (ratio + 1.0) / (ratio - 1.0)

    @property
    def longest_kernel(self) -> float:
        """Samples of the kernel of the lowest bin."""
        lowest = self.fmin * min(self.harmonics)
        return self.quality * self.sample_rate / (lowest + ERB_OFFSET)

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def excerpt_samples(self) -> int:
        """Samples of a training excerpt."""
        return units.seconds_to_samples(self.excerpt_seconds, self.sample_rate)

    @property
    def excerpt_frames(self) -> int:
        """Frames of a training excerpt."""
        return units.n_frames(self.excerpt_samples, self.hop_length)

    @cached_property
    def bin_frequencies(self) -> units.Floats:
        """Centres (F,) in Hz of the bins of the first harmonic, and so of the salience."""
        import numpy as np

        return units.bin_to_hz(np.arange(self.n_bins), self.fmin, self.bins_per_octave)
