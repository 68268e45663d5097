"""Where commands write, made sure of before the work."""

import errno
import tempfile
from pathlib import Path

from ssmpe.errors import UserError


def make_folder(option: str, folder: Path) -> None:
    """Make a folder if need be; UserError, naming the option, if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # permission bits do not tell: only writing does
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UserError(f"{option} {folder}: cannot be written ({error.strerror})") from None
