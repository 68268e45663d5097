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
    if own := os.environ.get("SSMPE_CACHE"):
        folder = Path(own)
    elif xdg := os.environ.get("XDG_CACHE_HOME"):
        folder = Path(xdg) / "ssmpe"
    else:
        folder = Path.home() / ".cache" / "ssmpe"
    return writable(folder.expanduser())


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
