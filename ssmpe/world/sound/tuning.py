"""Tuning of sampled tones: how far they are from their claimed pitch, and their correction."""

import numpy as np
import scipy  # its modules load when they are used
from numpy.typing import NDArray

from ssmpe.units import Floats, hz_to_midi, midi_to_hz

SEARCH = 0.8  # semitones either side of the claimed pitch
CLARITY = 0.6  # least normalised autocorrelation at one period of a tone that counts as pitched
LONGEST = 16384  # samples looked at
PERIODS = 3.2  # length of the windows in which pitch is followed through a tone


def pitch_deviation(signal: NDArray[np.float32], rate: float, claimed: float) -> float:
    """Measure by how many semitones a tone is above its claimed pitch; NaN without clear pitch.

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
    if len(x) < 2 * period:
        return np.nan
    similarity = _normalised_autocorrelation(x - x.mean())
    spread = 2 ** (SEARCH / 12)
    lag, clarity = _peak(similarity, period / spread, period * spread)
    if clarity < CLARITY:
        return np.nan
    multiple = 1
    while 2.5 * multiple * lag < len(similarity):
        multiple *= 2
        further, clarity = _peak(similarity, multiple * lag - lag / 4, multiple * lag + lag / 4)
        if clarity < CLARITY:
            break
        lag = further / multiple
    return float(hz_to_midi(rate / lag)) - claimed


def deviation_curve(
    signal: NDArray[np.float32], rate: float, claimed: float
) -> tuple[Floats, Floats]:
    """Measure the deviation from the claimed pitch through a tone.

    Returns:
        Positions (W,) in samples and deviations (W,) in semitones, outliers removed; both empty if
        the tone has no clear pitch anywhere.
    """
    period = rate / float(midi_to_hz(claimed))
    window, hop = int(PERIODS * period) + 2, max(int(period), 64)
    starts = np.arange(0, max(len(signal) - window, 0), hop)
    found = [pitch_deviation(signal[s : s + window], rate, claimed) for s in starts]
    deviations = np.array(found, dtype=np.float64)
    clear = ~np.isnan(deviations)
    if not clear.any():
        return np.empty(0), np.empty(0)
    smooth = scipy.ndimage.median_filter(deviations[clear], 5, mode="nearest")
    return np.asarray(starts[clear] + window / 2), np.asarray(smooth)


def straightening(positions: Floats, deviations: Floats, length: int, target: float) -> Floats:
    """Return where to read a tone of ``length`` samples so that it is off by ``target`` throughout.

    Returns:
        Reading positions (M,) from 0 to the end of the tone.
    """
    deviation = np.interp(np.arange(length), positions, deviations)
    # What is too sharp is to be read more slowly, and so takes more time.
    played = np.concatenate(([0.0], np.cumsum(2 ** ((deviation - target) / 12))))
    n = max(round(played[-1]), 1)
    return np.interp(np.arange(n) * played[-1] / n, played, np.arange(length + 1))


def _normalised_autocorrelation(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide autocorrelation, at lags 0..2N/3, by the mean energy of the overlapping stretches."""
    n = len(x)
    spectrum = scipy.fft.rfft(x, scipy.fft.next_fast_len(2 * n))
    lags = np.arange(2 * n // 3)
    correlation = scipy.fft.irfft(np.abs(spectrum) ** 2, scipy.fft.next_fast_len(2 * n))[
        : len(lags)
    ]
    energy = np.concatenate(([0.0], np.cumsum(x**2)))
    overlap = energy[n - lags] + energy[n] - energy[lags]
    return np.asarray(2 * correlation / np.maximum(overlap, 1e-12))


def _peak(curve: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """Return position (by a parabola through three points) and height of the highest in a range."""
    first, last = max(int(np.ceil(low)), 1), min(int(high) + 1, len(curve) - 1)
    if last <= first:
        return low, 0.0
    top = first + int(np.argmax(curve[first:last]))
    left, centre, right = curve[top - 1 : top + 2]
    bend = left - 2 * centre + right
    offset = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return top + float(np.clip(offset, -0.5, 0.5)), float(centre)
