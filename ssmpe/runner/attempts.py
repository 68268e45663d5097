"""Attempts at a sweep: each resume is a new one, and takes over the checkpoints of those before.

Tune's own way back needs the state that it wrote down last, which a full disk may have cut short.
A trial's checkpoint holds all that the trial needs: whatever is left of a sweep can be continued.
"""

from dataclasses import dataclass

from pyarrow import fs

from ssmpe.runner.plan import Plan

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


def next_attempt(plan: Plan) -> Attempt:
    """The attempt that follows those found in the storage."""
    folder = f"{plan.storage.rstrip('/')}/{plan.name}"
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


def _stored(folder: str) -> list[tuple[str, str, str]]:
    """Attempt, trial and checkpoint (the latter two may be "") of every folder in the storage."""
    if "://" in folder:
        filesystem, root = fs.FileSystem.from_uri(folder)
    else:
        filesystem, root = fs.LocalFileSystem(), folder
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
