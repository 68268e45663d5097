"""Where decoded audio and rendered worlds are kept between runs."""

import os
from pathlib import Path

from ssmpe.errors import UserError
from ssmpe.storage import full_disk_told, in_words, probe


def cache_dir() -> Path:
    """Return ``$SSMPE_CACHE``, else ``$XDG_CACHE_HOME/ssmpe``, else ``~/.cache/ssmpe``; made.

    Raises:
        UserError: it cannot be created or written to.
    """
    return writable(_named())


def node_cache(of_driver: Path) -> Path:
    """Return the cache of this node: the driver's where that can be seen, else its own.

    A node on which ``SSMPE_CACHE`` is set to another folder has its own in any case.

    Raises:
        UserError: its own cannot be created or written to.
    """
    own = bool(os.environ.get("SSMPE_CACHE")) and _named() != of_driver
    return cache_dir() if own or not of_driver.is_dir() else of_driver


def _named() -> Path:
    if own := os.environ.get("SSMPE_CACHE"):
        folder = Path(own)
    elif xdg := os.environ.get("XDG_CACHE_HOME"):
        folder = Path(xdg) / "ssmpe"
    else:
        folder = Path.home() / ".cache" / "ssmpe"
    return folder.expanduser()


def writable(folder: Path) -> Path:
    """Return a folder of the cache, made if need be, once it is sure that it takes files.

    Raises:
        UserError: it cannot be created or written to.
        OutOfSpaceError: its disk is full.
    """
    try:
        with full_disk_told(f"cache {folder}: no space left on its disk"):
            probe(str(folder), 0)  # what is in it already can be used on a full disk, too
    except OSError as error:
        raise UserError(
            f"cache {folder} is not writable ({in_words(error)}); set SSMPE_CACHE to a folder "
            "that is"
        ) from None
    return folder
