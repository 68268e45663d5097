"""How far a sampled tone lies from the pitch its soundfont claims for it."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ssmpe.units import hz_to_midi, midi_to_hz

SEARCH = 0.8  # semitones either side of the claimed pitch
CLARITY = 0.6  # least normalised autocorrelation at one period of a tone that counts as pitched
LONGEST = 16384  # samples looked at


def pitch_deviation(signal: NDArray[np.float32], rate: float, claimed: float) -> float:
    """Semitones by which a tone sounds above the claimed pitch; 0 where it has no clear pitch.

    The peak of the normalised autocorrelation (McLeod and Wyvill, 2005) near one claimed period
    is followed to ever higher multiples of the period, where the same error in time is a smaller
    error in pitch.

    Args:
        signal (N,): the tone.
        rate: sampling rate in Hz.
        claimed: MIDI pitch.
    """
    x = np.asarray(signal[:LONGEST], dtype=np.float64)
    period = rate / float(midi_to_hz(claimed))
    if len(x) < 4 * period:
        return 0.0
    similarity = _normalised_autocorrelation(x - x.mean())
    spread = 2 ** (SEARCH / 12)
    lag, clarity = _peak(similarity, period / spread, period * spread)
    if clarity < CLARITY:
        return 0.0
    multiple = 1
    while 2.5 * multiple * lag < len(x) / 2:
        multiple *= 2
        further, clarity = _peak(similarity, multiple * lag - lag / 4, multiple * lag + lag / 4)
        if clarity < CLARITY:
            break
        lag = further / multiple
    return float(hz_to_midi(rate / lag)) - claimed


def _normalised_autocorrelation(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocorrelation at lags 0..N/2 over the mean energy of the two overlapping stretches."""
    n = len(x)
    spectrum = rfft(x, next_fast_len(2 * n))
    correlation = irfft(np.abs(spectrum) ** 2, next_fast_len(2 * n))[: n // 2]
    energy = np.concatenate(([0.0], np.cumsum(x**2)))
    lags = np.arange(n // 2)
    overlap = energy[n - lags] + energy[n] - energy[lags]
    return np.asarray(2 * correlation / np.maximum(overlap, 1e-12))


def _peak(curve: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """Position, by a parabola through three points, and height of the highest point in a range."""
    first, last = max(int(np.ceil(low)), 1), min(int(high) + 1, len(curve) - 1)
    if last <= first:
        return low, 0.0
    top = first + int(np.argmax(curve[first:last]))
    left, centre, right = curve[top - 1 : top + 2]
    bend = left - 2 * centre + right
    offset = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return top + float(np.clip(offset, -0.5, 0.5)), float(centre)
