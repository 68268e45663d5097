"""Outlasting storage that is away for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

from ssmpe.runner.space import tells_of_full_disk

PATIENCE = 900.0
"""seconds for which storage may be away before what needs it fails"""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""seconds between tries: doubled from the first to the longest"""

Result = TypeVar("Result")


def outlast(action: Callable[[], Result], patience: float = PATIENCE) -> Result:
    """Do something with storage, again from its beginning for as long as that fails.

    Raises:
        OSError: the last failure, once ``patience`` seconds have gone by, or at once if the disk
            is full: waiting frees no space.
    """
    deadline, pause = time.monotonic() + patience, FIRST_PAUSE
    while True:
        try:
            return action()
        except OSError as error:
            if tells_of_full_disk(error) or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
