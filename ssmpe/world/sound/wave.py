"""Sample regions prepared for playing: loop unrolled, in tune, band-limited, read at any speed."""

from dataclasses import dataclass

import numpy as np
import scipy  # its modules load when they are used
from numpy.typing import NDArray

from ssmpe.units import Floats
from ssmpe.world.sound.soundfont import Region
from ssmpe.world.sound.tuning import deviation_curve, pitch_deviation, straightening

Audio = NDArray[np.float32]

UNROLLED = 512  # samples of the loop repeated after its end, for filter and interpolator
SHORTEST_LOOP = 4
MEASURED = 16384  # samples from which the tuning of a steady tone is measured


@dataclass(frozen=True)
class Wave:
    """A sample to read from.

    Attributes:
        samples (N,): a sample of silence, the sample, and what an interpolator may look at beyond.
        end: length of what is played once, in samples.
        loop: length of its last stretch, which is then repeated; 0 if it does not loop.
        deviation: semitones by which it sounds above its claimed pitch.
    """

    samples: Audio
    end: float
    loop: float
    deviation: float = 0.0

    def halved(self) -> "Wave":
        """Return the same at half the sampling rate."""
        samples = scipy.signal.resample_poly(self.samples[1:], 1, 2).astype(np.float32)
        return Wave(_padded(samples), self.end / 2, self.loop / 2, self.deviation)

    def read(self, step: Floats) -> Audio:
        """Read from the start with a step (N,) in samples per output sample.

        Catmull–Rom cubic interpolation. Returns (N,), or less if the wave ends before.
        """
        return self.at(np.cumsum(step) - step[0])

    def at(self, position: Floats) -> Audio:
        """Interpolate values at rising positions (N,) in samples from the start."""
        if self.loop:
            beyond = position >= self.end
            position[beyond] = self.end + (position[beyond] - self.end) % self.loop
        else:
            position = position[: int(np.searchsorted(position, self.end))]
        index = position.astype(np.int64)
        u = (position - index).astype(np.float32)
        a, b, c, d = (self.samples[index + k] for k in range(4))
        return b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)))


def _padded(samples: Audio) -> Audio:
    return np.pad(samples, (1, 4))


def raw_wave(pool: Audio, region: Region) -> Wave:
    """Take a region as it lies in the pool."""
    if not region.loops or region.loop_end - region.loop_start < SHORTEST_LOOP:
        samples = pool[region.start : region.end]
        return Wave(_padded(samples), len(samples), 0)
    once, loop = pool[region.start : region.loop_end], pool[region.loop_start : region.loop_end]
    repeats = -(-UNROLLED // len(loop))
    return Wave(_padded(np.concatenate((once, np.tile(loop, repeats)))), len(once), len(loop))


def tuned_wave(pool: Audio, region: Region) -> Wave:
    """Take a region and make its pitch, as measured, the same from beginning to end.

    Sampled tones scoop and wander on their way to the loop, by more than players of a written note
    do; the loop is taken as it is, and what comes before it is made to agree with it.
    """
    wave = raw_wave(pool, region)
    onset = round(wave.end - wave.loop) if wave.loop else round(wave.end)
    positions, deviations = deviation_curve(wave.samples[1 : 1 + onset], region.rate, region.pitch)
    steady = np.nan
    if wave.loop:
        tone = wave.at(np.arange(onset, onset + MEASURED, dtype=np.float64))
        steady = pitch_deviation(tone, region.rate, region.pitch)
    if np.isnan(steady):
        steady = float(np.median(deviations)) if len(deviations) else 0.0
    if not len(deviations):
        return Wave(wave.samples, wave.end, wave.loop, steady)
    straight = wave.at(straightening(positions, deviations, onset, steady))
    samples = np.concatenate((wave.samples[:1], straight, wave.samples[1 + onset :]))
    return Wave(samples, wave.end - onset + len(straight), wave.loop, steady)
