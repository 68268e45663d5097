"""Conversions between units of pitch (Hz, MIDI, bins) and of time (samples, frames, seconds).

All functions accept numbers or arrays and return float arrays (or NumPy scalars).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def hz_to_midi(hz: ArrayLike) -> Floats:
    """Convert a frequency in Hz (> 0) to a (fractional) MIDI note number; 440 Hz is 69."""
    return np.asarray(69.0 + 12.0 * np.log2(np.asarray(hz, dtype=np.float64) / 440.0))


def midi_to_hz(midi: ArrayLike) -> Floats:
    """Convert a (fractional) MIDI note number to a frequency in Hz."""
    return np.asarray(440.0 * 2.0 ** ((np.asarray(midi, dtype=np.float64) - 69.0) / 12.0))


_NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note_name(hz: float) -> str:
    """Return the name of the nearest note, as "A4" of 440 Hz."""
    midi = round(float(hz_to_midi(hz)))
    return f"{_NOTES[midi % 12]}{midi // 12 - 1}"


def hz_to_bin(hz: ArrayLike, fmin: float, bins_per_octave: int) -> Floats:
    """Convert a frequency in Hz to a (fractional) bin of a log-frequency grid from ``fmin`` Hz."""
    return np.asarray(bins_per_octave * np.log2(np.asarray(hz, dtype=np.float64) / fmin))


def bin_to_hz(bin_index: ArrayLike, fmin: float, bins_per_octave: int) -> Floats:
    """Convert a (fractional) bin of a log-frequency grid from ``fmin`` Hz to a frequency in Hz."""
    return np.asarray(fmin * 2.0 ** (np.asarray(bin_index, dtype=np.float64) / bins_per_octave))


def n_frames(n_samples: int, hop_length: int) -> int:
    """Count the centred frames of a signal: ``1 + n_samples // hop_length``."""
    return 1 + n_samples // hop_length


def frame_times(n: int, hop_length: int, sample_rate: int) -> Floats:
    """Return times in s of frames 0 to n - 1; frame t is centred on sample ``t * hop_length``."""
    return np.asarray(np.arange(n) * hop_length / sample_rate, dtype=np.float64)


def seconds_to_samples(seconds: float, sample_rate: int) -> int:
    """Convert a duration in seconds to the nearest whole number of samples."""
    return round(seconds * sample_rate)
