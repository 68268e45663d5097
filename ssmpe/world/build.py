"""Building of the embedded world on disk, once."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path

from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.storage import tells_of_full_disk
from ssmpe.world.sizes import SIZES, WorldSize

FORMAT_VERSION = 5  # raised whenever a world of the same size comes out different
LIBRARIES = ("music21", "pretty_midi", "numpy", "scipy", "soxr", "soundfile", "mido")
STAMP = "world.json"

Progress = Callable[[int, int, str], None]


def world_key(size: str | WorldSize) -> str:
    """Return the short name of a world, for its folder: size and a hash of its origin.

    Worlds of one key are the same, byte for byte, on machines of one kind.
    """
    text = json.dumps(_origin(_size(size)), sort_keys=True)
    name = size if isinstance(size, str) else "custom"
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def build_world(
    root: Path,
    size: str | WorldSize = "tiny",
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Path:
    """Render the embedded world into the folder ``root``, unless it is there already.

    The folder appears complete or not at all. Of several processes that call this at once one
    renders and the others wait for it.

    Args:
        size: name of one of ``SIZES``, or a size of one's own.
        progress: called with tasks done, tasks in all, and what was done last.
        jobs: number of rendering processes; default: one per core.

    Returns:
        ``root``.

    Raises:
        UserError: unknown size; the folder cannot be written or holds something else.
        OutOfSpaceError: the disk filled up; nothing is left behind.
    """
    key = world_key(size)
    root = Path(root).absolute()
    if not _complete(root, key):
        with _in_words(root), _locked(root):
            if not _complete(root, key):  # by another process, while this one waited
                _build(root, _size(size), key, progress, jobs or os.cpu_count() or 1)
    return root


def _size(size: str | WorldSize) -> WorldSize:
    if isinstance(size, WorldSize):
        return size
    if size not in SIZES:
        raise UserError(f"no embedded world of size {size!r}; choose one of {', '.join(SIZES)}")
    return SIZES[size]


def _origin(size: WorldSize) -> dict[str, object]:
    libraries = {name: version(name) for name in LIBRARIES}
    return {"format": FORMAT_VERSION, "size": size.origin(), "libraries": libraries}


def _complete(root: Path, key: str) -> bool:
    """Tell whether the world is there; raise UserError if something else is."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / STAMP).read_text())["key"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{root}: not an embedded world (no readable {STAMP}); remove it or give another folder"
        ) from error
    if found != key:
        raise UserError(f"{root}: holds world {found}, not {key}; remove it or give another folder")
    return True


def _build(root: Path, size: WorldSize, key: str, progress: Progress | None, jobs: int) -> None:
    # all of music and sound, of which a world that is there needs nothing
    from ssmpe.world.plan import plan
    from ssmpe.world.workers import write_all

    for stale in root.parent.glob(f".{root.name}.unfinished-*"):  # of processes that were killed
        shutil.rmtree(stale, ignore_errors=True)
    unfinished = root.with_name(f".{root.name}.unfinished-{os.getpid()}")
    tasks = plan(size)
    try:
        unfinished.mkdir()
        with closing(write_all(tasks, unfinished, jobs)) as finished:
            for done, task in enumerate(finished, 1):
                if progress is not None:
                    progress(done, len(tasks), task.label)
        stamp = {"key": key, **_origin(size)}
        (unfinished / STAMP).write_text(json.dumps(stamp, indent=2) + "\n")
        os.replace(unfinished, root)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the lock of the folder, which is released even if the process is killed."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name(f".{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _in_words(root: Path) -> Iterator[None]:
    """Turn errors of the file system into one line for the user."""
    try:
        yield
    except OSError as error:
        if tells_of_full_disk(error):
            raise OutOfSpaceError(
                f"{root}: the disk is full; free some space or give another folder"
            ) from error
        reason = error.strerror or str(error)
        raise UserError(
            f"{root}: the embedded world cannot be written there ({reason}); give another folder"
        ) from error
