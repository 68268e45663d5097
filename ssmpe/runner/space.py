"""Telling a full disk from other errors."""

import errno
import os


def tells_of_full_disk(error: BaseException | str | None) -> bool:
    """Whether an error, or one that caused it, or what a worker said of one, is a full disk's."""
    text = os.strerror(errno.ENOSPC)
    while error is not None and not isinstance(error, str):
        if getattr(error, "errno", None) == errno.ENOSPC or text in str(error):
            return True
        error = error.__cause__ or error.__context__
    return error is not None and text in error
