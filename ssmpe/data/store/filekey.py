"""Keys of what has been made of files: another key as soon as one of them changes."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path


def files_key(parts: object, files: Iterable[Path], folder: Path) -> str:
    """Hash of ``parts`` and of the names, sizes and modification times of files.

    Args:
        parts: JSON-representable; whatever else the result depends on.
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
