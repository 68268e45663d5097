"""Decoding of tracks: in parallel, in order, in bounded memory."""

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition

import numpy as np

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.files.audio import AudioFile, peak_of
from ssmpe.data.files.resampling import Samples
from ssmpe.errors import DataError

ROOM_BYTES = 256 * 2**20
"""Bytes of decoded audio that may wait to be written, besides the track whose turn it is"""
LONG_BYTES = 128 * 2**20
"""Size from which on a decoded track is not held whole, but read twice: 25 min at 22,050 Hz"""

_MAX_THREADS = 32
_AHEAD = 16
"""Tracks per thread that may be under way"""


@dataclass(frozen=True)
class Decoded:
    """Audio of a track.

    Attributes:
        blocks: its samples, one stretch after the other; let go as they are taken.
        source_rate: sample rate of its file in Hz.
        n_bytes: room that it takes until it is written.
    """

    blocks: Iterator[Samples]
    source_rate: int
    n_bytes: int = 0


class _Room:
    """Bytes handed out to tracks; the one that is written next is never refused any."""

    def __init__(self, n_bytes: int) -> None:
        self._free = n_bytes
        self._turn = 0
        self._open = True
        self._changed = Condition()

    def take(self, turn: int, n_bytes: int) -> None:
        """Wait for ``n_bytes`` for the track whose turn is ``turn``."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._free >= n_bytes or self._turn == turn or not self._open
            )
            self._free -= n_bytes

    def give_back(self, n_bytes: int) -> None:
        with self._changed:
            self._free += n_bytes
            self._changed.notify_all()

    def written(self, n_bytes: int) -> None:
        """Take back the room of the track that was next."""
        with self._changed:
            self._turn += 1
            self._free += n_bytes
            self._changed.notify_all()

    def close(self) -> None:
        """Let all threads go that wait."""
        with self._changed:
            self._open = False
            self._changed.notify_all()


def decode_all(
    tracks: Sequence[Track], sample_rate: int
) -> Generator[Decoded | DataError, None, None]:
    """Decode tracks in threads, which run ahead of the caller as far as there is room.

    Threads are enough: decoding, resampling and NumPy release the interpreter lock.

    Yields:
        one result per track, in order; its blocks must be taken before the next one.
    """
    n_threads = min(_MAX_THREADS, len(os.sched_getaffinity(0)))
    room = _Room(ROOM_BYTES)
    waiting: deque[Future[Decoded | DataError]] = deque()
    with ThreadPoolExecutor(n_threads, "decode") as pool:
        try:
            for turn, track in enumerate(tracks):
                if len(waiting) == _AHEAD * n_threads:
                    yield from _next(waiting, room)
                waiting.append(pool.submit(_decode, track, sample_rate, turn, room))
            while waiting:
                yield from _next(waiting, room)
        finally:
            room.close()
            pool.shutdown(cancel_futures=True)


def _next(
    waiting: deque[Future[Decoded | DataError]], room: _Room
) -> Iterator[Decoded | DataError]:
    result = waiting.popleft().result()
    yield result
    room.written(result.n_bytes if isinstance(result, Decoded) else 0)


def _decode(track: Track, sample_rate: int, turn: int, room: _Room) -> Decoded | DataError:
    n_bytes = 0
    try:
        with AudioFile(*track.sources) as file:
            size = 4 * file.n_samples(sample_rate)
            if size >= LONG_BYTES:
                return Decoded(streamed(file, track, sample_rate), file.sample_rate)
            n_bytes = size
            room.take(turn, n_bytes)
            samples = file.track(sample_rate, track.start, track.seconds)
            return Decoded(iter((samples,)), file.sample_rate, n_bytes)
    except DataError as error:
        room.give_back(n_bytes)
        return error


def streamed(file: AudioFile, track: Track, sample_rate: int) -> Iterator[Samples]:
    """Read in blocks what ``AudioFile.track`` returns at once.

    Args:
        file: the track's; it is read at once for peak and length, and anew for the blocks.

    Raises:
        DataError: as ``AudioFile.track``, at once or, if the file is changed meanwhile, later.
    """
    peak, n_samples = np.float32(0), 0
    for block in file.blocks(sample_rate):
        peak = max(peak, peak_of(block))
        n_samples += len(block)
    first, stop = file.stretch(n_samples, sample_rate, track.start, track.seconds)

    def blocks() -> Iterator[Samples]:
        at = 0
        with AudioFile(*track.sources) as again:
            for block in again.blocks(sample_rate):
                piece = block[max(first - at, 0) : max(stop - at, 0)]
                at += len(block)
                yield piece / peak if peak > 0 else piece

    return blocks()
