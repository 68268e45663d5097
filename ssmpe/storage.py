"""Folders by their path or by a URI (s3://, gs://, file://): opened, probed, and waited for.

Every other module that has to do with a place where files go asks here how to open it, whether it
takes files, whether it has room, whether an error says that its disk is full, and what to do while
it is away.
"""

import errno
import hashlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ssmpe.errors import OutOfSpaceError, UserError, first_line

if TYPE_CHECKING:
    from pyarrow import fs

PATIENCE = 900.0
"""Seconds for which storage may be away before what needs it fails"""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between tries: doubled from the first to the longest"""
PROBE_BYTES = 2**20
"""Size of the file by which a full disk is known"""

_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors of a full disk, and of one on which the user may have no more"""

Result = TypeVar("Result")


def is_uri(place: str) -> bool:
    """Tell whether a place is a URI rather than a path."""
    return "://" in place


def opened(place: str) -> "tuple[fs.FileSystem, str]":
    """Return the file system of a folder, and the folder's path in it without a slash at its end.

    Credentials, region and endpoint of object storage come from the environment, as
    ``AWS_ENDPOINT_URL``, or from the role of the machine.

    Raises:
        ValueError, OSError: no such kind of storage, or nothing of that name.
    """
    from pyarrow import fs  # what is transcribed and scored does not need it

    if is_uri(place):
        filesystem, root = fs.FileSystem.from_uri(place)
        return filesystem, root.rstrip("/")
    return fs.LocalFileSystem(), place.rstrip("/")


def probe(place: str, n_bytes: int = 1) -> None:
    """Make a folder if need be, and write and remove a file in it: permission bits do not tell.

    Args:
        n_bytes: size of the file.

    Raises:
        ValueError, OSError: one of them does not work.
    """
    if not is_uri(place):
        Path(place).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(n_bytes))
        return
    filesystem, root = opened(place)
    filesystem.create_dir(root, recursive=True)
    write_and_remove(filesystem, root, n_bytes)


def write_and_remove(filesystem: "fs.FileSystem", root: str, n_bytes: int = 1) -> None:
    """Write a file into a folder that is there, and remove it again; OSError if that fails."""
    path = f"{root}/.write-test-{uuid.uuid4().hex}"
    with filesystem.open_output_stream(path) as stream:
        stream.write(bytes(n_bytes))
    filesystem.delete_file(path)


def require_writable(place: str, shown: str, remedy: str = "") -> None:
    """Check that files can be written into a folder, which is made if need be.

    Args:
        shown: place as the message names it, as "--storage s3://bucket".
        remedy: what the user can do.

    Raises:
        UserError: they cannot.
        OutOfSpaceError: the disk is full.
    """
    try:
        with full_disk_told(f"{place}: the disk is full"):
            probe(place)
    except (OSError, ValueError) as error:
        todo = f"; {remedy}" if remedy else ""
        raise UserError(f"{shown}: cannot be written to ({in_words(error)}){todo}") from None


def require_room(n_bytes: float, disk: Path, what: str, remedy: str) -> None:
    """Check that a disk has room for what is about to be written.

    Args:
        disk: folder on it.
        what: what it is for, with ``{}`` for the size, as "the copy of URMP needs {}".
        remedy: what the user can do.

    Raises:
        UserError: it has not.
    """
    free = shutil.disk_usage(disk).free
    if n_bytes > free:
        needed = what.format(_shown(n_bytes))
        raise UserError(f"{needed}, and the disk of {disk} has {_shown(free)} free; {remedy}")


def _shown(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def tells_of_full_disk(error: BaseException | str | None) -> bool:
    """Tell whether an error, one that caused it, or what a worker said of one, is a full disk's."""
    texts = [os.strerror(number) for number in _FULL]
    while error is not None and not isinstance(error, str):
        if getattr(error, "errno", None) in _FULL or any(text in str(error) for text in texts):
            return True
        error = error.__cause__ or error.__context__
    return error is not None and any(text in error for text in texts)


@contextmanager
def full_disk_told(message: str) -> Iterator[None]:
    """Turn the error of a full disk into an OutOfSpaceError with this message."""
    try:
        yield
    except OSError as error:
        if not tells_of_full_disk(error):
            raise
        raise OutOfSpaceError(message) from error


def is_full(folder: str) -> bool:
    """Tell whether a local folder does not take a mebibyte; False for storage elsewhere."""
    if is_uri(folder) or not os.path.isdir(folder):
        return False
    try:
        probe(folder, PROBE_BYTES)
    except OSError as error:
        return tells_of_full_disk(error)
    return False


def outlast(action: Callable[[], Result], patience: float = PATIENCE) -> Result:
    """Do something with storage, again from its beginning for as long as that fails.

    Raises:
        OSError: the last failure, once ``patience`` seconds have gone by, or at once if the disk
            is full: waiting frees no space.
    """
    deadline, pause = time.monotonic() + patience, FIRST_PAUSE
    while True:
        try:
            return action()
        except OSError as error:
            if tells_of_full_disk(error) or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def in_words(error: BaseException) -> str:
    """Return in one line why storage refuses: the system's words where it has any."""
    return getattr(error, "strerror", None) or first_line(error)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
