"""How does every row of a sweep score on every set, and how does it differ from the reference?

python -m analysis.results --sweep NAME
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis import figure as command
from analysis.drawing import style
from analysis.drawing import tables as results_tables
from analysis.numbers.comparison import MEASURES, Comparison
from analysis.reading.store import read_sweep
from analysis.reading.track_scores import read_track_scores


@dataclass(frozen=True)
class Rendered:
    """What was written: Markdown, LaTeX and CSV; and the results that these show."""

    files: tuple[Path, ...]
    comparison: Comparison

    @property
    def run_id(self) -> str:
        return self.comparison.sweep.run_id

    @property
    def table(self) -> Table:
        """The results for rich's console."""
        return results_tables.terminal(self.comparison)

    @property
    def summary(self) -> str:
        """What the data are and how to read the table, one sentence per line."""
        data = f"data: {self.comparison.sweep.data_label}"
        return "\n".join([data, *results_tables.reading(self.comparison)])

    def show(self, console: Console) -> None:
        console.print(self.table)
        console.print(self.summary, highlight=False, markup=False)


def read(uri: str, name: str, partial: bool = False, baseline: str | None = None) -> Comparison:
    """The rows of a sweep compared; errors as ``read_sweep``, ``Comparison.of``."""
    sweep = read_sweep(uri, name, partial)
    return Comparison.of(sweep, read_track_scores(sweep, MEASURES), baseline)


def render(
    uri: str, name: str, out: Path, partial: bool = False, baseline: str | None = None
) -> Rendered:
    """Write a sweep's results as tables into a folder.

    Args:
        uri: tracking URI of the MLflow store.
        name: the sweep.
        out: folder, made if missing.
        partial: take a sweep that has not finished as it stands; the tables say so.
        baseline: row that the others are compared with; None: Ref., else the first.

    Raises:
        UserError: as ``read``; the folder cannot be written.
    """
    comparison = read(uri, name, partial, baseline)
    texts = {
        "results.md": results_tables.markdown(comparison),
        "results.tex": results_tables.latex(comparison),
        "results.csv": results_tables.comma_separated(comparison),
    }
    folder = style.output_folder(out)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return Rendered(tuple(folder / file for file in texts), comparison)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    what = {"metavar": "ROW", "help": "compare with this row; default: Ref., else the first"}
    own = {"baseline": what}
    return command.run("results", __doc__.partition("\n")[0], render, arguments, own)


if __name__ == "__main__":
    sys.exit(main())
