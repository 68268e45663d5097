"""Telling a full disk from other errors."""

import errno
import os
import tempfile
from pathlib import Path

PROBE_BYTES = 2**20


def tells_of_full_disk(error: BaseException | str | None) -> bool:
    """Whether an error, or one that caused it, or what a worker said of one, is a full disk's."""
    text = os.strerror(errno.ENOSPC)
    while error is not None and not isinstance(error, str):
        if getattr(error, "errno", None) == errno.ENOSPC or text in str(error):
            return True
        error = error.__cause__ or error.__context__
    return error is not None and text in error


def is_full(folder: str) -> bool:
    """Whether a local folder does not take a mebibyte; False for storage that is elsewhere."""
    if "://" in folder or not Path(folder).is_dir():
        return False
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
    except OSError as error:
        return error.errno == errno.ENOSPC
    return False
