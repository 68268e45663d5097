"""Datasets in object storage: a node copies the folders that it uses, once, into its cache."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ssmpe.data.store.build import locked
from ssmpe.data.store.cache import writable
from ssmpe.errors import UserError, first_line
from ssmpe.storage import full_disk_told, opened, require_room

if TYPE_CHECKING:
    from pyarrow import fs

Progress = Callable[[str, int, int], None]
"""Function that is called with the dataset's name, files copied, and files to be copied"""

_AT_ONCE = 8
"""Number of files that are copied at a time: each waits for the network most of the time"""
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Remote:
    """A file in the storage: its ``path``, ``size`` in bytes, and ``time`` of change in ns."""

    path: str
    size: int
    time: int


def mirror_root(uri: str, cache: Path) -> Path:
    """Return the folder of a cache for copies of a data root; nothing is copied yet."""
    place = uri.partition("?")[0].rstrip("/")
    name = re.sub(r"[^\w.-]+", "-", place.partition("://")[2])[-60:]
    return cache / "copies" / f"{name}-{hashlib.sha256(place.encode()).hexdigest()[:10]}"


def mirror(
    uri: str, datasets: Iterable[str], cache: Path, progress: Progress | None = None
) -> Path:
    """Copy folders of datasets into the cache, as far as they are not there as they are now.

    Files keep their sizes and times, so that whatever is keyed by them is keyed alike on every
    node. A file is there whole or not at all: a copy that was killed goes on where it was. Of
    several processes of a node one copies, and the others wait.

    Args:
        uri: of the folder that holds the datasets, s3://, gs:// or file://.
        datasets: names of folders in it.

    Returns:
        The local folder that holds them.

    Raises:
        UserError: no such folder, it cannot be read, or the disk has not room enough.
        OutOfSpaceError: the disk filled up.
    """
    root = writable(mirror_root(uri, cache))
    for name in dict.fromkeys(datasets):
        with locked(root / f".{name}.lock"):
            full = (
                f"the disk of {root} filled up while {name} was copied to it; free some space and "
                "start again, which goes on from there"
            )
            try:
                with full_disk_told(full):
                    _copy_folder(uri, name, root, progress)
            except OSError as error:
                reason = first_line(error)
                raise UserError(f"--data-root {uri}: {name} cannot be copied ({reason})") from None
    return root


def _copy_folder(uri: str, name: str, root: Path, progress: Progress | None) -> None:
    filesystem, files = _listed(uri, name)
    folder, scratch = root / name, root / f".{name}.partial"
    shutil.rmtree(scratch, ignore_errors=True)  # of a copy that was killed
    _remove_others(folder, files)
    lacking = {path: file for path, file in files.items() if not _is_copy(folder / path, file)}
    if not lacking:
        return
    size = sum(file.size for file in lacking.values())
    remedy = "set SSMPE_CACHE to a folder on another disk"
    require_room(size, root, f"{name} needs {{}} for its copy", remedy)
    scratch.mkdir()
    with ThreadPoolExecutor(_AT_ONCE, "copy") as pool:
        jobs = [
            pool.submit(_copy, filesystem, file, scratch / str(i), folder / path)
            for i, (path, file) in enumerate(lacking.items())
        ]
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                job.result()
                if progress:
                    progress(name, done, len(jobs))
        finally:
            pool.shutdown(cancel_futures=True)
    scratch.rmdir()


def _listed(uri: str, name: str) -> "tuple[fs.FileSystem, dict[str, Remote]]":
    """Return the files of a dataset by their paths below its folder."""
    try:
        filesystem, place = opened(uri)
    except ValueError as error:
        raise UserError(f"--data-root {uri}: {first_line(error)}") from None
    start = f"{place}/{name}"
    from pyarrow import fs

    selector = fs.FileSelector(start, allow_not_found=True, recursive=True)
    files = {}
    for info in filesystem.get_file_info(selector):
        path = info.path[len(start) :].lstrip("/")
        if info.type is not fs.FileType.File:
            continue
        if ".." in PurePosixPath(path).parts:
            raise UserError(f"--data-root {uri}: {name} has a file {path!r}, outside its folder")
        files[path] = Remote(info.path, info.size, info.mtime_ns or 0)
    if not files:
        raise UserError(f"--data-root {uri}: there is no folder {name}, or nothing is in it")
    return filesystem, files


def _is_copy(path: Path, file: Remote) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (file.size, file.time)


def _remove_others(folder: Path, files: Iterable[str]) -> None:
    """Remove copies of what the storage has no longer as a file: they would be taken for tracks."""
    wanted = {folder / path for path in files}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in wanted:
            path.unlink()


def _copy(filesystem: "fs.FileSystem", file: Remote, partial: Path, target: Path) -> None:
    with filesystem.open_input_stream(file.path) as source, partial.open("wb") as copy:
        shutil.copyfileobj(source, copy, _BLOCK_BYTES)
    if partial.stat().st_size != file.size:
        raise OSError(f"{file.path} changes while it is being copied")
    os.utime(partial, ns=(file.time, file.time))
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(target)
