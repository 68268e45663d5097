"""Estimator of fundamental frequency for the tests: combs laid over short-time spectra.

It shares nothing with how the embedded world tunes its samples, which is by autocorrelation.
"""

import numpy as np

from ssmpe.units import midi_to_hz

PERIODS, SHORTEST = 6, 0.05  # a frame lasts for this many periods, and at least so many seconds
REACH = 14.0  # semitones around the expected pitch that are searched
HARMONICS = 8
PADDING = 8  # factor by which spectra are interpolated
BATCH = 256  # frames at a time
COARSE, FINE = np.arange(-REACH, REACH, 0.1), np.arange(-0.4, 0.4, 0.02)


def tone(midi, rate, seconds=0.6, harmonics=6):
    """Make a synthetic tone (N,) whose pitch is beyond doubt."""
    phase = 2 * np.pi * float(midi_to_hz(midi)) * np.arange(round(seconds * rate)) / rate
    return sum(np.sin(h * phase) / h for h in range(1, harmonics + 1))


def half_frame(midi):
    """Return how many seconds either side of a time an estimate at this pitch draws upon."""
    return max(SHORTEST, PERIODS / float(midi_to_hz(midi))) / 2


def comb_track(audio, rate, times, expected):
    """Estimate the MIDI pitch (T,) of a single line at ``times`` (T,) in seconds.

    Of all pitches within ``REACH`` of ``expected`` (MIDI, one number), the one is taken at whose
    harmonics the most lies, and midway between them the least; it is then refined by the strength
    of the harmonics alone.
    """
    half = round(half_frame(expected) * rate)
    size = 1 << int(np.ceil(np.log2(2 * half * PADDING)))
    padded = np.pad(np.asarray(audio, np.float32), half)
    found = []
    for first in range(0, len(times), BATCH):
        starts = np.round(np.asarray(times[first : first + BATCH]) * rate).astype(int)
        frames = padded[starts[:, None] + np.arange(2 * half)] * np.hanning(2 * half)
        spectra = np.abs(np.fft.rfft(frames, size))
        candidates = np.broadcast_to(expected + COARSE, (len(frames), len(COARSE)))
        best = np.argmax(_contrast(np.sqrt(spectra), size / rate, candidates), axis=1)
        candidates = (expected + COARSE[best])[:, None] + FINE
        found.append(_summit(candidates, _gathered(spectra, size / rate, candidates)))
    return np.concatenate([np.empty(0), *found])


def _contrast(spectra, bins, midi):
    """Return how much more lies at the harmonics of each candidate than between them (T, C)."""
    hz, total = midi_to_hz(midi), 0.0
    for h in range(1, HARMONICS + 1):
        sides = _at(spectra, bins, (h - 0.5) * hz) + _at(spectra, bins, (h + 0.5) * hz)
        total = total + (_at(spectra, bins, h * hz) - sides / 2) / np.sqrt(h)
    return total


def _gathered(spectra, bins, midi):
    """Return what lies at the harmonics of each candidate (T, C)."""
    return sum(_at(spectra, bins, h * midi_to_hz(midi)) for h in range(1, HARMONICS + 1))


def _at(spectra, bins, hz):
    """Read spectra (T, F), whose bins are 1 / ``bins`` Hz apart, at frequencies (T, C)."""
    position = hz * bins
    index = np.minimum(position.astype(int), spectra.shape[1] - 2)
    below, above = (np.take_along_axis(spectra, index + k, axis=1) for k in (0, 1))
    values = below + (position - index) * (above - below)
    return np.where(position < spectra.shape[1] - 1, values, 0.0)


def _summit(candidates, height):
    """Return the candidate (T,) of greatest height, by a parabola through its neighbours."""
    top = np.clip(np.argmax(height, axis=1), 1, height.shape[1] - 2)
    rows = np.arange(len(top))
    left, centre, right = (height[rows, top + k] for k in (-1, 0, 1))
    bend = np.minimum(left - 2 * centre + right, -1e-12)
    return candidates[rows, top] + np.clip((left - right) / (2 * bend), -1, 1) * (FINE[1] - FINE[0])
