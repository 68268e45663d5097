"""What a command that draws a sweep has written, and what it says."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Drawing:
    """Figures with their numbers.

    Attributes:
        run_id: of the sweep.
        files: pictures as PNG and SVG, and a CSV of the numbers drawn.
        summary: findings, one per line.
        table: shown before them, if there is one.
    """

    run_id: str
    files: tuple[Path, ...]
    summary: str
    table: Table | None = None

    def show(self, console: Console) -> None:
        if self.table is not None:
            console.print(self.table)
        console.print(self.summary, highlight=False, markup=False)
