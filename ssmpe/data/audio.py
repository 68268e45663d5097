"""Audio files to mono samples at one sample rate."""

from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ssmpe.errors import DataError

Samples = NDArray[np.float32]

_BLOCK_FRAMES = 1 << 20
"""Frames decoded at a time: an hour of multi-channel audio never lies in memory whole"""

_LOWEST_RATE, _HIGHEST_RATE = 1_000, 1_000_000
"""Hz; outside, the header is damaged, and resampling by such a ratio would exhaust the memory"""


def read_audio(path: Path, sample_rate: int) -> Samples:
    """A track: mean over channels, resampled, divided by its peak unless it is silent.

    Args:
        sample_rate: wanted, in Hz.

    Returns:
        (N,) float32 in [-1, 1], N = ceil(duration · sample_rate) ≥ 1.

    Raises:
        DataError: the file is unreadable, empty, or has values that are not finite.
    """
    samples = read_mono(path, sample_rate)
    peak = np.abs(samples).max()
    if peak > 0:
        samples /= peak
    return samples


class Header(NamedTuple):
    """What an audio file says of itself: its duration, and its sample rate in Hz."""

    seconds: float
    sample_rate: int


def header(path: Path) -> Header:
    """Header of an audio file.

    Raises:
        DataError: the file is unreadable.
    """
    try:
        with soundfile.SoundFile(path) as file:
            return Header(float(file.frames / file.samplerate), int(file.samplerate))
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from None


def duration(path: Path) -> float:
    """Duration of an audio file in seconds, from its header; raises as ``header`` does."""
    return header(path).seconds


def read_mono(path: Path, sample_rate: int) -> Samples:
    """As ``read_audio``, at the level it was recorded at."""
    try:
        with soundfile.SoundFile(path) as file:
            samples = _resampled_blocks(file, path, sample_rate)
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from None
    return samples


def _resampled_blocks(file: soundfile.SoundFile, path: Path, sample_rate: int) -> Samples:
    if not _LOWEST_RATE <= file.samplerate <= _HIGHEST_RATE:
        raise DataError(f"{path}: audio claims a sample rate of {file.samplerate} Hz")
    same_rate = file.samplerate == sample_rate
    resampler = soxr.ResampleStream(file.samplerate, sample_rate, 1, dtype="float32", quality="VHQ")
    pieces: list[Samples] = []
    n_read = 0
    while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
        n_read += len(block)
        if not np.isfinite(block).all():
            raise DataError(f"{path}: audio has samples that are NaN or infinite")
        # channel by channel: NumPy's mean over so short an axis takes ten times as long
        mono = reduce(np.add, block.T) / np.float32(block.shape[1])
        pieces.append(mono if same_rate else resampler.resample_chunk(mono))
    if not n_read:
        raise DataError(f"{path}: audio is empty (0 samples)")
    if not same_rate:
        pieces.append(resampler.resample_chunk(np.empty(0, np.float32), last=True))
    samples = np.concatenate(pieces)
    # the resampler rounds the length; a track shorter than one output sample must not vanish
    n_wanted = -(-n_read * sample_rate // file.samplerate)
    return np.pad(samples[:n_wanted], (0, max(0, n_wanted - len(samples))))


def _unreadable(path: Path, error: Exception) -> DataError:
    if not path.is_file():
        return DataError(f"{path}: no such audio file")
    if path.stat().st_size == 0:
        return DataError(f"{path}: audio file is empty (0 bytes)")
    # without the path, which the library quotes as well
    reason = getattr(error, "error_string", str(error)).rstrip(".")
    return DataError(f"{path}: audio cannot be read ({reason})")
