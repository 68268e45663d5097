"""Tables: numbers as CSV; texts as Markdown and for the terminal."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rich import box
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ssmpe.console import printable

if TYPE_CHECKING:
    from pandas import DataFrame

Frame: TypeAlias = "DataFrame"
"""Table of pandas, which takes half a second to import"""
NUMBER: Mapping[str, Any] = {"justify": "right", "no_wrap": True}
"""How the terminal shows a column of numbers"""


@dataclass(frozen=True)
class RowName:
    """Name of a row in the terminal: one line, or, where there is no room, a line for some deltas.

    A name breaks before a "+", the lines that go on are indented. Only a single delta that is wider
    than its column breaks elsewhere.
    """

    name: str
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.mark}".rstrip()

    @property
    def least(self) -> int:
        """Columns below which a delta breaks."""
        return max(map(len, self.folded(1)))

    def folded(self, width: int) -> list[str]:
        """Return the lines that fit into so many columns."""
        first, *parts = re.split(r"(?=\+)", printable(str(self)))
        lines = [first]
        for part in parts:
            if len(lines[-1]) + len(part) <= width:
                lines[-1] += part
            elif lines[-1]:
                lines.append(f"  {part}")
            else:  # a name begins with a "+"
                lines[-1] = part
        return lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield Text("\n".join(self.folded(options.max_width)), overflow="fold")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self.least, len(printable(str(self))))


def frame(lines: Iterable[Mapping[str, object]]) -> Frame:
    """Return a table of lines by column; an integer beside a missing number stays an integer."""
    from pandas import DataFrame

    return DataFrame(list(lines), dtype=object)


def comma_separated(table: Frame) -> str:
    """Return a table as CSV, every number in full."""
    return str(table.to_csv(index=False, lineterminator="\n", na_rep="nan"))


def markdown(table: Frame, texts: Sequence[str]) -> str:
    """Return a table in GitHub's Markdown; columns that are not of texts stand to the right."""
    rule = ["---" if column in texts else "--:" for column in table.columns]
    head, *rows = [
        " | ".join(printable(str(cell)).replace("|", "\\|") for cell in row)
        for row in (list(table.columns), *table.itertuples(index=False))
    ]
    return "\n".join(f"| {line} |" for line in (head, " | ".join(rule), *rows))


def terminal(
    title: str,
    columns: Mapping[str, Mapping[str, Any]],
    groups: Iterable[Sequence[Sequence[Any]]],
    gap: int = 1,
) -> Table:
    """Return a table for rich's console.

    Args:
        columns: heading -> how rich shows the column; "row" has the ``RowName``s.
        groups: rows of cells; a line is left free after each group.
        gap: columns of the terminal to the left of a cell; one is to its right.
    """
    look: Any = {"title_justify": "left", "box": box.SIMPLE_HEAD, "padding": (0, 1, 0, gap)}
    table = Table(title=title, show_edge=False, pad_edge=False, **look)
    groups = list(groups)
    names = [c for rows in groups for cells in rows for c in cells if isinstance(c, RowName)]
    least = max((name.least for name in names), default=0)
    for heading, how in columns.items():
        own: Mapping[str, Any] = {"min_width": least} if heading == "row" else {}
        table.add_column(heading, **own, **how)
    for rows in groups:
        for row in rows[:-1]:
            table.add_row(*row)
        table.add_row(*rows[-1], end_section=True)
    return table
