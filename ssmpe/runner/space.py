"""Ends a sweep whose disk is full, so that what is there stays whole."""

import errno
import os
from typing import Any

from ray import tune


class SpaceStopper(tune.Stopper):
    """Stops all trials once one has failed for lack of space on the disk."""

    full = False
    """whether that has happened in this process"""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return SpaceStopper.full

    @classmethod
    def note(cls, error: object) -> None:
        """Look whether an error (of a trial, in whatever wrapping) tells of a full disk."""
        cls.full = cls.full or os.strerror(errno.ENOSPC) in str(error)
