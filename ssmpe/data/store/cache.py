"""Where decoded audio and rendered worlds are kept between runs."""

import errno
import os
import tempfile
from pathlib import Path

from ssmpe.errors import OutOfSpaceError, UserError


def cache_dir() -> Path:
    """``$SSMPE_CACHE``, else ``$XDG_CACHE_HOME/ssmpe``, else ``~/.cache/ssmpe``; created.

    Raises:
        UserError: it cannot be created or written to.
    """
    return writable(_named())


def node_cache(of_driver: Path) -> Path:
    """The cache of the node that this runs on: the driver's where it is to be seen, else its own.

    A node that sets ``SSMPE_CACHE`` for itself, as for a disk of its own, has its own.

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
    """``folder``, made if need be.

    Raises:
        UserError: it cannot be created or written to.
        OutOfSpaceError: its disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # permission bits do not tell (read-only mounts, quotas, root): only writing does
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpaceError(f"cache {folder}: no space left on its disk") from None
        raise UserError(
            f"cache {folder} is not writable ({error.strerror}); set SSMPE_CACHE to a folder "
            "that is"
        ) from None
    return folder
