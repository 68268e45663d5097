"""What a world is built of."""

from pathlib import Path
from typing import Protocol


class Task(Protocol):
    """One or several files of the world, written independently of all others."""

    @property
    def label(self) -> str:
        """What a progress display shows."""

    def write(self, root: Path) -> None:
        """Write the files below the data root."""
