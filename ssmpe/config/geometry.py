"""The time-frequency grid of a trial."""

from dataclasses import dataclass
from functools import cached_property

from ssmpe import units
from ssmpe.config.plain import require


@dataclass(frozen=True)
class GeometryConfig:
    """Time-frequency grid of the HCQT and of every salience-gram (paper section 2.1)."""

    sample_rate: int = 22050
    """Hz"""
    hop_length: int = 256
    """samples"""
    fmin: float = 27.5
    """Hz, centre of bin 0 of the first harmonic"""
    n_bins: int = 440
    bins_per_octave: int = 60
    harmonics: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    excerpt_seconds: float = 4.0
    """length of a training excerpt"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "harmonics", tuple(float(h) for h in self.harmonics))
        require(self.sample_rate > 0, "geometry.sample_rate", self.sample_rate, "Hz above 0")
        require(self.hop_length > 0, "geometry.hop_length", self.hop_length, "samples above 0")
        require(self.fmin > 0, "geometry.fmin", self.fmin, "Hz above 0")
        # four halvings (n // 2 - 1) must leave at least one row
        require(self.n_bins >= 46, "geometry.n_bins", self.n_bins, "at least 46 bins")
        bpo = self.bins_per_octave
        require(bpo > 0 and bpo % 12 == 0, "geometry.bins_per_octave", bpo, "a multiple of 12")
        valid = 1.0 in self.harmonics and all(h > 0 for h in self.harmonics)
        require(valid, "geometry.harmonics", self.harmonics, "positive numbers, 1.0 among them")
        ok = list(self.harmonics) == sorted(set(self.harmonics))
        require(ok, "geometry.harmonics", self.harmonics, "ascending numbers without repeats")
        top = self.fmin * max(self.harmonics)
        require(top < self.sample_rate / 2, "geometry.fmin", self.fmin, "harmonics below Nyquist")
        require(
            self.excerpt_frames >= 8,
            "geometry.excerpt_seconds",
            self.excerpt_seconds,
            "at least 8 frames",
        )

    @property
    def n_harmonics(self) -> int:
        return len(self.harmonics)

    @property
    def bins_per_semitone(self) -> int:
        return self.bins_per_octave // 12

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def excerpt_samples(self) -> int:
        return units.seconds_to_samples(self.excerpt_seconds, self.sample_rate)

    @property
    def excerpt_frames(self) -> int:
        return units.n_frames(self.excerpt_samples, self.hop_length)

    @cached_property
    def bin_frequencies(self) -> units.Floats:
        """Centres in Hz of the bins of the first harmonic, and so of the salience: (F,)."""
        import numpy as np

        return units.bin_to_hz(np.arange(self.n_bins), self.fmin, self.bins_per_octave)
