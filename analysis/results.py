"""How does every row of a sweep score on every set, and how does it differ from the reference?

python -m analysis.results --sweep NAME
"""

import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis import command, curves, results_tables, style
from analysis.comparison import MEASURES, Comparison
from analysis.store import log_files, read_sweep
from analysis.track_scores import read_track_scores
from ssmpe.errors import UserError


@dataclass(frozen=True)
class Rendered:
    """What was written: Markdown, LaTeX and CSV; and the table for rich's console.

    Attributes:
        notes: what the data are and how to read the table, one per line.
    """

    run_id: str
    files: tuple[Path, ...]
    table: Table
    notes: tuple[str, ...]

    def show(self, console: Console) -> None:
        console.print(self.table)
        for note in self.notes:
            console.print(note, highlight=False, markup=False)


def read(uri: str, name: str, partial: bool = False, baseline: str | None = None) -> Comparison:
    """The rows of a sweep compared; errors as ``read_sweep``, ``Comparison.of``."""
    sweep = read_sweep(uri, name, partial)
    return Comparison.of(sweep, read_track_scores(uri, sweep, MEASURES), baseline)


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
    sweep = comparison.sweep
    notes = (f"data: {sweep.data_label}", *results_tables.reading(comparison))
    files = tuple(folder / file for file in texts)
    return Rendered(sweep.run_id, files, results_tables.terminal(comparison), notes)


def report(uri: str, name: str, out: Path) -> list[str]:
    """The table and the curves of a sweep that has just ended, attached to its run; as lines."""
    return report_of(uri, name, out, [render, curves.render])


def report_of(
    uri: str, name: str, out: Path, draws: Sequence[Callable[[str, str, Path], command.Drawn]]
) -> list[str]:
    """What several commands make of a sweep that has just ended, attached to its run; as lines.

    A sweep that has nothing to draw (all its trials failed, say) is no failure of the sweep: the
    one line then says why there is no figure.
    """
    page = Console(file=io.StringIO(), width=80)
    files: list[Path] = []
    try:
        for draw in draws:
            drawn = draw(uri, name, out)
            log_files(uri, drawn.run_id, drawn.files)
            drawn.show(page)
            files += drawn.files
    except UserError as error:
        return [f"no figure: {error}"]
    assert isinstance(page.file, io.StringIO)
    return [*page.file.getvalue().splitlines(), *map(str, files)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    what = {"metavar": "ROW", "help": "compare with this row; default: Ref., else the first"}
    own = {"baseline": what}
    return command.run("results", __doc__.partition("\n")[0], render, arguments, own)


if __name__ == "__main__":
    sys.exit(main())
