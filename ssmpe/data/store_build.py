"""Building an audio store: parallel decoding, one writer, all of it or nothing."""

import errno
import fcntl
import io
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from ssmpe.data.audio import Samples, read_audio
from ssmpe.data.dataset import Track
from ssmpe.errors import DataError, OutOfSpaceError

AUDIO, OFFSETS = "audio.f32", "offsets.npy"
"""All samples one after the other, and where tracks begin: (tracks + 1,); skipped ones are empty"""
INDEX, SKIPPED = "index.json", "skipped.json"

Progress = Callable[[int, int, str], None]
"""Called with tracks done, tracks in all, name of the track just done"""

_MAX_THREADS = 8
"""Decoded tracks wait in memory for their turn to be written, up to twice as many as threads"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the system frees it when the holder dies."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(
    folder: Path,
    tracks: Sequence[Track],
    sample_rate: int,
    *,
    skip_bad: bool,
    progress: Progress | None,
) -> None:
    """Write the store ``folder``; to be called by one process at a time.

    Raises:
        DataError: unusable audio and not ``skip_bad``, or none is usable.
        OutOfSpaceError: the disk filled up.
    """
    partial = folder.with_name(f"{folder.name}.partial")  # a killed build may have left one
    _remove(partial)
    try:
        partial.mkdir()
        _write(partial, tracks, sample_rate, skip_bad, progress)
        _remove(folder)
        os.replace(partial, folder)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OutOfSpaceError(
            f"the disk of {folder.parent} filled up while audio was decoded into it; free some "
            "space or set SSMPE_CACHE to a folder on another disk"
        ) from None
    finally:
        _remove(partial)


def _write(
    folder: Path,
    tracks: Sequence[Track],
    sample_rate: int,
    skip_bad: bool,
    progress: Progress | None,
) -> None:
    lengths: list[int] = []
    skipped: list[dict[str, str]] = []
    with open(folder / AUDIO, "wb") as file, closing(_decoded(tracks, sample_rate)) as decoded:
        for track, result in zip(tracks, decoded, strict=True):
            try:
                samples = result.result()
            except DataError as error:
                if not skip_bad:
                    raise
                reason = str(error).removeprefix(f"{track.audio}: ")
                skipped.append({"path": str(track.audio), "reason": reason})
                samples = np.empty(0, np.float32)
            # written, not mapped: a full disk is an error here but would kill a mapping process
            file.write(samples.astype("<f4", copy=False).data)
            lengths.append(len(samples))
            if progress:
                progress(len(lengths), len(tracks), track.name)
        _sync(file)
    if len(skipped) == len(tracks):
        why = "{path}: {reason}".format_map(skipped[0])
        raise DataError(f"none of {len(tracks)} tracks is usable: {why}")
    _write_tables(folder, lengths, skipped, sample_rate)


def _write_tables(
    folder: Path, lengths: list[int], skipped: list[dict[str, str]], sample_rate: int
) -> None:
    report = {"skipped": len(skipped), "tracks": len(lengths), "files": skipped}
    _write_bytes(folder / SKIPPED, json.dumps(report, indent=1).encode())
    offsets = io.BytesIO()  # np.save to a file hides why it could not write
    np.save(offsets, np.concatenate(([0], np.cumsum(lengths))).astype(np.int64))
    _write_bytes(folder / OFFSETS, offsets.getvalue())
    index = {"tracks": len(lengths), "sample_rate": sample_rate, "bytes": 4 * sum(lengths)}
    _write_bytes(folder / INDEX, json.dumps(index).encode())


def _decoded(tracks: Sequence[Track], sample_rate: int) -> Generator[Future[Samples], None, None]:
    """Decode in parallel, a bounded number ahead, in the order of ``tracks``.

    Threads do: decoding, resampling and NumPy release the interpreter lock.
    """
    n_threads = min(_MAX_THREADS, len(os.sched_getaffinity(0)))
    waiting: deque[Future[Samples]] = deque()
    with ThreadPoolExecutor(n_threads, "decode") as pool:
        try:
            for track in tracks:
                if len(waiting) == 2 * n_threads:
                    yield waiting.popleft()
                waiting.append(pool.submit(read_audio, track.audio, sample_rate))
            while waiting:
                yield waiting.popleft()
        finally:
            pool.shutdown(cancel_futures=True)


def _write_bytes(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        _sync(file)


def _sync(file: io.BufferedWriter) -> None:
    """Have the disk take it: some file systems tell only then that it is full."""
    file.flush()
    os.fsync(file.fileno())


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
