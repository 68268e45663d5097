"""A store that is being built: what is finished survives a kill at any time."""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from ssmpe.data.files.resampling import Samples
from ssmpe.data.store.layout import Entry, SampleFormat

JOURNAL = "journal.jsonl"

_COMMIT_SECONDS = 1.0
_COMMIT_BYTES = 256 * 2**20


class Partial:
    """Samples and journal of an unfinished store; to be used in a ``with`` statement.

    The journal has one line per finished track. A line is written only when the disk has taken
    the track's samples, once in a while for all that have been finished since; whatever a kill
    leaves behind the last line is cut off by the next one to open the folder.

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
        """Take over finished tracks; returns the size of the lines that tell of them."""
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


def _write_all(file: int, content: memoryview) -> int:
    """Unbuffered, so that nothing is half written when the disk turns out to be full."""
    rest = content
    while rest:
        rest = rest[os.write(file, rest) :]
    return len(content)
