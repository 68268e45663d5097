"""Band-limited resampling of audio that comes in blocks."""

from collections.abc import Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_QUALITY = "VHQ"


def resampled(
    blocks: Iterator[Samples], source_rate: int, sample_rate: int, *, single: bool
) -> Iterator[Samples]:
    """Turn blocks at ``source_rate`` into blocks at ``sample_rate``, both in Hz.

    Of n samples they make ceil(n · sample_rate / source_rate).

    Args:
        single: whether it is one block. The samples are the same either way, but other threads
            need not wait while the filter for one block is designed.
    """
    if source_rate == sample_rate:
        yield from blocks
        return
    if single:
        whole = np.concatenate([*blocks])
        n_wanted = _length(len(whole), source_rate, sample_rate)
        yield _fitted(soxr.resample(whole, source_rate, sample_rate, _QUALITY), n_wanted)
        return
    resampler = soxr.ResampleStream(source_rate, sample_rate, 1, "float32", _QUALITY)
    n_read = n_given = 0
    for block in blocks:
        piece: Samples = resampler.resample_chunk(block)
        n_read += len(block)
        n_given += len(piece)
        yield piece
    rest = resampler.resample_chunk(np.empty(0, np.float32), last=True)
    yield _fitted(rest, _length(n_read, source_rate, sample_rate) - n_given)


def _length(n: int, source_rate: int, sample_rate: int) -> int:
    return -(-n * sample_rate // source_rate)


def _fitted(samples: Samples, n: int) -> Samples:
    """Return exactly ``n`` samples: the resampler rounds, and no short track must vanish."""
    return samples[:n] if len(samples) >= n else np.pad(samples, (0, n - len(samples)))
