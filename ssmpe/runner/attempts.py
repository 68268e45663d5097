"""Attempts at a sweep: each resume is a new one, and takes over the checkpoints of those before.

Tune's own way back needs the state that it wrote down last, which a full disk may have cut short.
A trial's checkpoint holds all that the trial needs: whatever is left of a sweep can be continued.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.runner.space import tells_of_full_disk

PREFIX = "attempt-"


@dataclass(frozen=True)
class Attempt:
    """Where an attempt stores its trials, and what it can start from.

    Attributes:
        name: of its folder below ``folder``.
        folder: of all attempts at the sweep, a path or a URI.
        checkpoints: identity of a trial -> its checkpoints, newest first.
    """

    name: str
    folder: str
    checkpoints: dict[str, list[str]]


def next_attempt(storage: str, sweep: str) -> Attempt:
    """The attempt at a sweep that follows those found in the storage."""
    folder = f"{storage.rstrip('/')}/{sweep}"
    numbers, found = [0], []
    for attempt, trial, checkpoint in _stored(folder):
        number = int(attempt.removeprefix(PREFIX))
        numbers.append(number)
        if checkpoint:
            found.append((number, checkpoint, trial, f"{folder}/{attempt}/{trial}/{checkpoint}"))
    checkpoints: dict[str, list[str]] = {}
    for *_, trial, path in sorted(found, reverse=True):
        checkpoints.setdefault(trial, []).append(path)
    return Attempt(f"{PREFIX}{max(numbers) + 1}", folder, checkpoints)


def keep_foreign(storage: str, sweep: str, trial: str, checkpoint: Path) -> None:
    """Put a checkpoint that was made elsewhere where those of a sweep's trial are looked for.

    It counts as older than any that the sweep makes itself.

    Raises:
        OutOfSpaceError: the disk is full.
    """
    filesystem, root = _open(f"{storage.rstrip('/')}/{sweep}")
    folder = f"{root}/{PREFIX}0/{trial}/checkpoint_000000"
    try:
        filesystem.create_dir(folder, recursive=True)
        fs.copy_files(str(checkpoint), folder, destination_filesystem=filesystem)
    except OSError as error:
        if tells_of_full_disk(error):
            raise OutOfSpaceError(f"{storage}: the disk is full") from None
        raise


def check_storage(storage: str) -> None:
    """Write and remove a file where the checkpoints are to go.

    Raises:
        UserError: that does not work.
        OutOfSpaceError: the disk is full.
    """
    try:
        filesystem, root = _open(storage.rstrip("/"))
        filesystem.create_dir(root, recursive=True)
        probe = f"{root}/.write-test-{uuid.uuid4().hex}"
        with filesystem.open_output_stream(probe) as stream:
            stream.write(b"x")
        filesystem.delete_file(probe)
    except (OSError, ValueError) as error:
        if tells_of_full_disk(error):
            raise OutOfSpaceError(f"{storage}: the disk is full") from None
        reason = str(error).splitlines()[0]
        raise UserError(f"--storage {storage}: cannot be written to ({reason})") from None


def _open(folder: str) -> tuple[fs.FileSystem, str]:
    if "://" in folder:
        filesystem, root = fs.FileSystem.from_uri(folder)
        return filesystem, root
    return fs.LocalFileSystem(), folder


def _stored(folder: str) -> list[tuple[str, str, str]]:
    """Attempt, trial and checkpoint (the latter two may be "") of every folder in the storage."""
    filesystem, root = _open(folder)
    selector = fs.FileSelector(root, allow_not_found=True, recursive=True)
    stored = []
    for info in filesystem.get_file_info(selector):
        parts = info.path[len(root) :].strip("/").split("/")
        if info.type is not fs.FileType.Directory or not parts[0].startswith(PREFIX):
            continue
        if len(parts) == 1:
            stored.append((parts[0], "", ""))
        elif len(parts) == 3 and parts[2].startswith("checkpoint_"):
            stored.append((parts[0], parts[1], parts[2]))
    return stored
