"""Queue of operations in a folder on disk: what is in it outlives the process that put it there."""

import fcntl
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.storage import full_disk_told
from ssmpe.tracking.operations import Operation

logger = logging.getLogger(__name__)

BLOCK = 1 << 18
"""Number of bytes read at a time, which hold some thousands of metric points"""


class Block(NamedTuple):
    """A piece of a spool: consecutive operations, and the offset in bytes behind them."""

    operations: list[Operation]
    end: int


class Spool:
    """A queue on disk of the operations of one sweep, in the order in which they happened.

    ``operations.jsonl`` is only ever appended to, with one system call per operation, so that a
    killed process leaves at most a torn last line, which the next one cuts off. ``delivered``
    holds the offset up to which the store has everything. ``files/`` holds copies of artifacts
    until they have been delivered. A lock keeps a second process out.

    Attributes:
        folder: where it lies.
        end: bytes appended so far.
        delivered: bytes the store has.
    """

    def __init__(self, folder: Path) -> None:
        """Open the spool in ``folder``, made if it is missing.

        Raises:
            UserError: the folder cannot be written, or another process has it open.
            OutOfSpaceError: the disk is full.
        """
        self.folder = folder
        with _said_clearly(folder):
            self._operations = _locked(folder / "operations.jsonl")
            self._marker = os.open(folder / "delivered", os.O_RDWR | os.O_CREAT, 0o644)
            self.end = self._cut_torn_line()
            self.delivered = self._read_marker()

    def append(self, operation: Operation) -> None:
        """Add an operation; ``OutOfSpaceError`` if the disk is full, and nothing has changed."""
        line = operation.to_line()
        written = 0
        try:
            with _out_of_space_told(self.folder):
                while written < len(line):
                    written += os.write(self._operations, line[written:])
        except (OSError, OutOfSpaceError):
            if written:
                os.ftruncate(self._operations, self.end)
            raise
        self.end += len(line)

    def sync(self) -> None:
        """Make what was appended survive a power cut too."""
        os.fsync(self._operations)

    def first(self) -> Operation | None:
        """Return the operation it begins with; None if it is empty."""
        operations = self._read(0).operations
        return operations[0] if operations else None

    def pending(self) -> Block:
        """Read a block of what has not been delivered; empty if all has."""
        return self._read(self.delivered)

    def mark(self, end: int) -> None:
        """Note that everything before byte ``end`` has been delivered."""
        self.delivered = end
        # a mark that gets lost only costs time: the store knows what it has
        with suppress(OSError):
            os.pwrite(self._marker, b"%020d" % end, 0)

    def keep(self, path: Path) -> str:
        """Copy a file into the spool and return the copy's path within it.

        Raises:
            OutOfSpaceError: the disk is full; nothing of the copy is left.
            OSError: ``path`` cannot be read.
        """
        name = f"files/{uuid.uuid4().hex}"
        folder = self.folder / name
        try:
            with _out_of_space_told(self.folder):
                folder.mkdir(parents=True)
                shutil.copyfile(path, folder / path.name)
        except (OSError, OutOfSpaceError):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return f"{name}/{path.name}"

    def drop(self, kept: str) -> None:
        """Remove a copy that ``keep`` made."""
        shutil.rmtree((self.folder / kept).parent, ignore_errors=True)

    def close(self) -> None:
        """Close it; if everything was delivered, nothing of it stays on disk."""
        if self.delivered == self.end:
            shutil.rmtree(self.folder / "files", ignore_errors=True)
            (self.folder / "delivered").unlink(missing_ok=True)
            # the last one: who makes it anew finds nothing else of this spool
            (self.folder / "operations.jsonl").unlink(missing_ok=True)
            with suppress(OSError):  # the folder may hold what others put there
                self.folder.rmdir()
        os.close(self._marker)
        os.close(self._operations)
        self._marker = self._operations = -1  # the numbers may soon be another file's

    def _read(self, start: int) -> Block:
        size = BLOCK
        block = os.pread(self._operations, min(size, self.end - start), start)
        while b"\n" not in block and size < self.end - start:  # a very long line
            size *= 2
            block = os.pread(self._operations, min(size, self.end - start), start)
        whole = block[: block.rfind(b"\n") + 1]
        return Block(list(_parsed(whole)), start + len(whole))

    def _cut_torn_line(self) -> int:
        size = end = os.fstat(self._operations).st_size
        while end and self._byte(end - 1) != b"\n":
            end -= 1
        if end < size:
            os.ftruncate(self._operations, end)
        return end

    def _read_marker(self) -> int:
        text = os.pread(self._marker, 20, 0)
        offset = int(text) if text.isdigit() else 0
        behind_a_line = 0 < offset <= self.end and self._byte(offset - 1) == b"\n"
        return offset if behind_a_line else 0

    def _byte(self, offset: int) -> bytes:
        return os.pread(self._operations, 1, offset)


def require_free(folder: Path) -> None:
    """Make sure early that no other process has a spool open; ``UserError`` if one has."""
    path = folder / "operations.jsonl"
    with _said_clearly(folder):
        if path.exists():
            with path.open("rb") as operations:
                fcntl.flock(operations, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _locked(path: Path) -> int:
    """Open a file to append to, made if it is missing, and keep others out.

    A spool that is closed is removed, and so may be the file before it is locked: then once more.

    Raises:
        BlockingIOError: another process has it.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        os.close(file)


def _parsed(lines: bytes) -> Iterator[Operation]:
    for line in lines.splitlines():
        try:
            yield Operation.from_line(line)
        except ValueError:
            logger.warning("a line of the tracking spool is damaged and is left out: %.80r", line)


def _out_of_space_told(folder: Path) -> AbstractContextManager[None]:
    return full_disk_told(f"{folder}: the disk is full; free some space, then resume the sweep")


@contextmanager
def _said_clearly(folder: Path) -> Iterator[None]:
    """Turn what goes wrong when a spool is opened into a line for the user."""
    try:
        with _out_of_space_told(folder):
            yield
    except BlockingIOError as error:
        message = f"{folder} is in use: this sweep is still running in another process"
        raise UserError(message) from error
    except OSError as error:
        message = f"{folder} cannot be written ({error.strerror}): choose another --storage"
        raise UserError(message) from error
