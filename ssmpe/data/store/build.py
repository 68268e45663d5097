"""Building of an audio store: one writer, parallel decoding, continued after a kill at any time."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.files.resampling import Samples
from ssmpe.data.store.decode import decode_all
from ssmpe.data.store.layout import FORMATS, Entry, SampleFormat, write_tables
from ssmpe.data.store.room import require_room_for
from ssmpe.errors import DataError, OutOfSpaceError
from ssmpe.storage import tells_of_full_disk

JOURNAL = "journal.jsonl"
"""Name of the list of finished tracks in the folder of an unfinished store"""

_COMMIT_SECONDS = 1.0
_COMMIT_BYTES = 256 * 2**20
"""Bytes of samples after which, if not after so many seconds, finished tracks are secured"""

Progress = Callable[[int, int, str], None]
"""Function that is called with tracks done, tracks in all, and the track just done"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the system frees it when the holder dies."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Partial:
    """Samples and journal of an unfinished store; to be used in a ``with`` statement.

    The journal has a line for every finished track. Lines are written once in a while, after the
    disk has taken the samples that they tell of. Whatever else a kill leaves behind is cut off by
    the next process that opens the folder.

    Attributes:
        entries: finished tracks, in order.
        n_bytes: size of their samples.
    """

    def __init__(self, folder: Path, sample_format: SampleFormat) -> None:
        folder.mkdir(exist_ok=True)
        self._format = sample_format
        flags = os.O_RDWR | os.O_CREAT
        self._audio = os.open(folder / sample_format.audio, flags, 0o644)
        self._journal = os.open(folder / JOURNAL, flags, 0o644)
        self.entries: list[Entry] = []
        self.n_bytes = 0
        n_lines_bytes = self._replay((folder / JOURNAL).read_bytes())
        os.ftruncate(self._journal, n_lines_bytes)
        os.lseek(self._journal, 0, os.SEEK_END)
        self._cut()
        self._n_told, self._bytes_told = len(self.entries), self.n_bytes
        self._told_at = time.monotonic()

    def __enter__(self) -> "Partial":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Keep what is finished, whatever happened; a full disk has room for a few lines more."""
        try:
            self._cut()
            self.commit()
        except OSError:
            if error is None:
                raise
        finally:
            os.close(self._audio)
            os.close(self._journal)

    def write(self, blocks: Iterable[Samples], source_rate: int) -> None:
        """Append a track; if that fails, none of it is kept.

        Raises:
            DataError: from ``blocks``.
            OSError: the disk is full or fails.
        """
        n_bytes = 0
        try:
            for block in blocks:
                stored = self._format.encoded(block)
                n_bytes += _write_all(self._audio, memoryview(stored.data).cast("B"))
        except BaseException:
            self._cut()
            raise
        self.n_bytes += n_bytes
        self._finished(Entry(n_bytes // self._format.dtype.itemsize, source_rate))

    def skip(self, reason: str) -> None:
        """Append a track that cannot be used."""
        self._finished(Entry(0, skipped=reason))

    def commit(self) -> None:
        """Have the disk take all samples, then tell of them in the journal."""
        os.fsync(self._audio)
        lines = "".join(f"{json.dumps(entry)}\n" for entry in self.entries[self._n_told :])
        _write_all(self._journal, memoryview(lines.encode()))
        os.fsync(self._journal)
        self._n_told, self._bytes_told = len(self.entries), self.n_bytes
        self._told_at = time.monotonic()

    def _finished(self, entry: Entry) -> None:
        self.entries.append(entry)
        waited = time.monotonic() - self._told_at
        if waited > _COMMIT_SECONDS or self.n_bytes - self._bytes_told > _COMMIT_BYTES:
            self.commit()

    def _replay(self, journal: bytes) -> int:
        """Take over finished tracks; return the size of the lines that tell of them."""
        n_audio, n_lines_bytes = os.fstat(self._audio).st_size, 0
        for line in journal.splitlines(keepends=True):
            try:
                entry = Entry(*json.loads(line))
                n_bytes = entry.n_samples * self._format.dtype.itemsize
            except (ValueError, TypeError):
                break  # half written
            if not line.endswith(b"\n") or self.n_bytes + n_bytes > n_audio:
                break
            self.entries.append(entry)
            self.n_bytes += n_bytes
            n_lines_bytes += len(line)
        return n_lines_bytes

    def _cut(self) -> None:
        """Cut off what does not belong to a finished track."""
        os.ftruncate(self._audio, self.n_bytes)
        os.lseek(self._audio, 0, os.SEEK_END)


def build(
    store: Path,
    tracks: Sequence[Track],
    folder: Path,
    sample_rate: int,
    sample_format: str,
    *,
    skip_bad: bool,
    progress: Progress | None,
) -> None:
    """Decode tracks into the folder ``store``; to be called by one process at a time.

    Args:
        folder: the dataset's.

    Raises:
        DataError: unusable audio and not ``skip_bad``, or none is usable.
        UserError: the disk has not room enough by the files' headers.
        OutOfSpaceError: the disk filled up; the next build goes on from there.
    """
    partial = store.with_name(f"{store.name}.partial")  # a killed build may have left one
    try:
        with Partial(partial, FORMATS[sample_format]) as unfinished:
            require_room_for(
                tracks[len(unfinished.entries) :], store.parent, sample_rate, FORMATS[sample_format]
            )
            _decode_into(unfinished, tracks, sample_rate, skip_bad, progress)
        write_tables(partial, tracks, folder, unfinished.entries, sample_rate, sample_format)
        _remove(store)
        os.replace(partial, store)
        (store / JOURNAL).unlink()
    except DataError:
        _remove(partial)  # a file that is mended later makes it another store
        raise
    except OSError as error:
        if not tells_of_full_disk(error):
            raise
        raise OutOfSpaceError(
            f"the disk of {store.parent} filled up while audio was decoded into it; free some "
            "space and start again, which goes on from there, or set SSMPE_CACHE to a folder on "
            "another disk"
        ) from None


def _decode_into(
    unfinished: Partial,
    tracks: Sequence[Track],
    sample_rate: int,
    skip_bad: bool,
    progress: Progress | None,
) -> None:
    bad: list[DataError] = []
    done = len(unfinished.entries)
    for track, entry in zip(tracks, unfinished.entries, strict=False):
        if entry.skipped:
            bad.append(DataError(f"{track.audio}: {entry.skipped}"))
    if done and progress:
        progress(done, len(tracks), tracks[done - 1].name)
    if bad and not skip_bad:
        raise bad[0]
    with closing(decode_all(tracks[done:], sample_rate)) as decoded:
        for track, result in zip(tracks[done:], decoded, strict=True):
            try:
                if isinstance(result, DataError):
                    raise result
                unfinished.write(result.blocks, result.source_rate)
            except DataError as error:
                if not skip_bad:
                    raise
                bad.append(error)
                unfinished.skip(str(error).removeprefix(f"{track.audio}: "))
            if progress:
                progress(len(unfinished.entries), len(tracks), track.name)
    if len(bad) == len(tracks):
        raise DataError(f"none of {len(tracks)} tracks is usable: {bad[0]}")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _write_all(file: int, content: memoryview) -> int:
    """Write everything, unbuffered: a full disk is noticed now, not at some later flush."""
    rest = content
    while rest:
        rest = rest[os.write(file, rest) :]
    return len(content)
