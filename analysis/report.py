"""What did a sweep ask, and what did it find? All of it on one page.

python -m analysis.report --sweep NAME
python -m analysis.report --all
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from analysis import figure as command
from analysis import results
from analysis.answers.answer import Answered, answer
from analysis.drawing import style
from analysis.reading.store import log_files, read_once
from analysis.reporting import html as report_page
from analysis.reporting import sections
from analysis.reporting.sections import Omitted
from ssmpe.errors import UserError

FILE = "report.html"


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        table: the results.
        others: files that the page has in it.
        omitted: figures that could not be drawn.
    """

    answer: Answered
    table: results.Rendered
    file: Path
    others: tuple[Path, ...]
    omitted: tuple[Omitted, ...]

    @property
    def run_id(self) -> str:
        return self.table.run_id

    @property
    def question(self) -> str:
        return self.table.comparison.sweep.question

    @property
    def data(self) -> str:
        """What the data are."""
        return self.table.comparison.sweep.data_label

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.file, *self.others)

    @property
    def summary(self) -> str:
        """The answer, and what is left out, one sentence per line."""
        left = [f"left out: {o.question} {o.reason}" for o in self.omitted]
        return "\n".join([*self.answer.sentences, " ".join(self.answer.basis), *left])

    def show(self, console: Console) -> None:
        console.print(self.table.table)
        console.print(self.summary, highlight=False, markup=False)


def render(uri: str, name: str, out: Path, partial: bool = False) -> Report:
    """Write a sweep's report into a folder, beside the figures and tables that it shows.

    A figure that cannot be drawn is left out, and the report says why.

    Args:
        uri: tracking URI of the MLflow store.
        name: the sweep.
        out: folder, made if missing.
        partial: take a sweep that has not finished as it stands; the report says so.

    Raises:
        UserError: as ``results.render``.
    """
    with read_once():
        table = results.render(uri, name, out, partial)
        comparison = table.comparison
        figures, omitted = sections.draw(uri, comparison.sweep, out, partial)
    said = answer(comparison)
    parts = report_page.Parts(uri, comparison, said, figures, omitted, table.files)
    file = style.output_folder(out) / FILE
    file.write_text(report_page.html(parts), encoding="utf-8")
    others = (*table.files, *(f for figure in figures for f in figure.drawn.files))
    return Report(said, table, file, others, tuple(omitted))


def of_ended(uri: str, name: str, out: Path) -> list[str]:
    """Report on a sweep that has just ended, attach all files to its run, and say it in lines.

    A sweep of which nothing can be said (all its trials failed, say) is no failure of the sweep:
    the one line then says why there is no report.
    """
    try:
        made = render(uri, name, out)
        log_files(uri, made.run_id, made.files)
    except UserError as error:
        return [f"no report: {error}"]
    return [*command.lines(made), f"report: {made.file}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    given = sys.argv[1:] if arguments is None else list(arguments)
    if "--all" in given:
        from analysis.reporting import index as report_index

        return report_index.run([option for option in given if option != "--all"])
    description = f"{__doc__.partition(chr(10))[0]} With --all: every sweep's, and a page of links."
    return command.run("report", description, render, given)


if __name__ == "__main__":
    sys.exit(main())
