"""A look at a dataset's folder: sorted listings, what is missing, and whether files changed."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ssmpe.errors import DataError, UserError


def names_in(folder: Path) -> list[str]:
    """Return the sorted names in a folder, without hidden ones such as macOS's copies ``._*``.

    Raises:
        UserError: there is no such folder, or it cannot be listed.
    """
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror})") from None


def readable(name: str) -> str:
    """Return a file's name as it can be printed and stored: bytes that are no UTF-8 spelt out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def require(path: Path, layout: str) -> None:
    """Check that a file or folder is there.

    Args:
        layout: the expected layout, for the message.

    Raises:
        UserError: it is not, is a link that leads nowhere, or lies where it cannot be seen.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path} is missing; expected layout: {layout}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def missing_files(paths: Iterable[Path]) -> list[Path]:
    """Return those of ``paths`` that do not exist, in the order given; nor do dangling links.

    Every folder is listed once, which is faster than to ask for every file: sets have up to
    300,000 of them.

    Raises:
        UserError: a folder cannot be listed.
    """
    present: dict[str, frozenset[str]] = {}
    missing = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in present:
            present[folder] = _present_in(folder)
        if name not in present[folder]:
            missing.append(path)
    return missing


def _present_in(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(
                entry.name
                for entry in entries
                if not entry.is_symlink() or os.path.exists(entry.path)
            )
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror})") from None


def require_all(paths: Sequence[Path], layout: str) -> None:
    """Check that all files are there.

    Raises:
        DataError: files are missing; it names the first and tells how many there are.
    """
    missing = missing_files(paths)
    if missing:
        raise DataError(
            f"{missing[0]} is missing ({len(missing)} of {len(paths)} files are); "
            f"expected layout: {layout}"
        )


def files_key(parts: object, files: Iterable[Path], folder: Path) -> str:
    """Return a key of what is made of files: another one as soon as one of them changes.

    It is a hash of ``parts`` and of the names, sizes and modification times of the files.

    Args:
        parts: whatever else the result depends on; JSON can represent it.
        folder: that the files lie in; it may move.
    """
    root = os.fspath(folder)
    # what is below the folder is named from there on, so that the folder may move
    entries = [(path.removeprefix(root), *_size_and_time(path)) for path in map(os.fspath, files)]
    text = json.dumps((parts, entries))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return -1, 0  # whoever reads it will tell what is wrong
    return status.st_size, status.st_mtime_ns
