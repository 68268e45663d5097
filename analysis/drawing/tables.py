"""Tables: numbers as CSV; texts as Markdown and for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from rich import box
from rich.table import Table

from ssmpe.console import printable

if TYPE_CHECKING:
    from pandas import DataFrame

Frame: TypeAlias = "DataFrame"
"""Table of pandas, which takes half a second to import"""
NUMBER: Mapping[str, Any] = {"justify": "right", "no_wrap": True}
"""How the terminal shows a column of numbers"""


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
        columns: heading -> how rich shows the column.
        groups: rows of cells; a line is left free after each group.
        gap: columns of the terminal to the left of a cell; one is to its right.
    """
    look: Any = {"title_justify": "left", "box": box.SIMPLE_HEAD, "padding": (0, 1, 0, gap)}
    table = Table(title=title, **look)
    for heading, how in columns.items():
        table.add_column(heading, **how)
    for rows in groups:
        for row in rows[:-1]:
            table.add_row(*row)
        table.add_row(*rows[-1], end_section=True)
    return table
