"""What did a sweep ask, and what did it find? All of it on one page.

python -m analysis.report --sweep NAME
python -m analysis.report --all
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis import (
    border,
    curves,
    degeneration,
    explanation,
    gallery,
    gradients,
    hyperparameters,
    ladder,
    precision_recall,
    results,
    spending,
)
from analysis.answers.answer import Answered, answer
from analysis.figure import RESULTS, Drawn, SweepFigure, first_line, output_folder, run
from analysis.numbers.comparison import Comparison
from analysis.reporting import glossary
from analysis.reporting.html import Omitted, Page, fill
from ssmpe.console import Parser, exit_code, make_console, write_text
from ssmpe.errors import UserError
from ssmpe.tracking.sqlite import local_uri
from ssmpe.tracking.stored import store
from ssmpe.tracking.stored.records import StoredSweep
from ssmpe.tracking.ui import ui_command

FILE, INDEX = "report.html", "index.html"
FIGURES: tuple[SweepFigure[Any], ...] = (
    hyperparameters.FIGURE,
    curves.FIGURE,
    degeneration.FIGURE,
    ladder.FIGURE,
    border.FIGURE,
    precision_recall.FIGURE,
    gallery.FIGURE,
    explanation.FIGURE,
    gradients.FIGURE,
    spending.FIGURE,
)
"""Figures of a report in their order, each of the sweeps to which it applies; a replay costs time,
and is none of them"""


@dataclass(frozen=True, kw_only=True)
class SweepReport(Drawn):
    """Report of a sweep: the page, and the files that it has in it.

    Attributes:
        sweep: that it is about.
        answer: to the sweep's question.
    """

    sweep: StoredSweep
    answer: Answered

    @property
    def file(self) -> Path:
        """The page."""
        return self.files[0]


def write(sweep: StoredSweep, out: Path) -> SweepReport:
    """Write a sweep's report into a folder, beside the figures and tables that it shows.

    A figure that cannot be drawn is left out, and the report says why.

    Raises:
        UserError: as ``Comparison.of``; the folder cannot be written.
    """
    comparison = Comparison.of(sweep)
    tables = results.FIGURE.write_found(comparison, sweep, out)
    said = answer(comparison)
    figures: list[Drawn] = []
    omitted: list[Omitted] = []
    for figure in (f for f in FIGURES if f.applies(sweep)):
        try:
            is_table = figure is ladder.FIGURE  # of the same comparison, read once
            figures.append(
                figure.write_found(comparison, sweep, out) if is_table else figure.write(sweep, out)
            )
        except UserError as error:
            omitted.append(Omitted(figure.question, str(error)))
    scores = {s: results.scores(comparison, s) for s in sweep.sets}
    reading = [*results.reading(comparison), *results.climbed(comparison)]
    page = Page(comparison, said, scores, reading, figures, omitted)
    file = output_folder(out) / FILE
    write_text(file, page.html(tables.files))
    return SweepReport(
        question=sweep.question,
        run_id=sweep.run_id,
        files=(file, *tables.files, *(f for figure in figures for f in figure.files)),
        findings=(
            *said.sentences,
            " ".join(said.basis),
            *(f"left out: {o.question} {o.reason}" for o in omitted),
        ),
        table=tables.table,
        sweep=sweep,
        answer=said,
    )


@dataclass(frozen=True)
class Entry:
    """A sweep and its report on the page of links; or, without one, why there is none."""

    name: str
    report: SweepReport | None
    reason: str = ""

    @property
    def link(self) -> str:
        """The report's place, seen from the page of links."""
        return f"{self.name}/{FILE}"


def write_all(uri: str, out: Path, partial: bool = False) -> tuple[Path, list[Entry]]:
    """Write the reports of all sweeps below a folder, each into its own, and the page of links.

    Raises:
        UserError: there is no store, no sweep in it, or the folder cannot be written.
    """
    entries = []
    for name in store.sweep_names(uri):
        try:
            entries.append(Entry(name, write(store.read_sweep(uri, name, partial), out / name)))
        except UserError as error:
            entries.append(Entry(name, None, str(error)))
    file = output_folder(out) / INDEX
    words = glossary.words(any(e.report.sweep.tuned for e in entries if e.report))
    text = fill(INDEX, uri=uri, entries=entries, words=words, ui_command=ui_command(uri))
    write_text(file, text)
    return file, entries


def of_ended(uri: str, name: str, out: Path) -> list[str]:
    """Report on a sweep that has just ended, attach all files to its run, and say it in lines.

    A sweep of which nothing can be said (all its trials failed, say) is no failure of the sweep:
    the one line then says why there is no report.
    """
    try:
        made = write(store.read_sweep(uri, name), out)
        store.log_files(uri, made.run_id, made.files)
    except UserError as error:
        return [f"no report: {error}"]
    return [*made.lines(), f"report: {made.file}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if "--all" in given:
        return _run_all([option for option in given if option != "--all"])
    others = ", ".join(sorted([*(figure.name for figure in FIGURES), "results", "replay"]))
    description = (
        f"{first_line(__doc__)} With --all: every sweep's, and a page of links. With the name of a "
        f"figure before all options, that alone: {others}."
    )
    return run("report", description, write, given, {})


def _run_all(arguments: Sequence[str]) -> int:
    parser = Parser(
        "ssmpe report --all",
        description="What has every sweep of a store asked, and what did it find? A page of links "
        "to all reports.",
    )
    parser.add_argument("--tracking-uri", metavar="URI", default=local_uri(RESULTS))
    parser.add_argument("--out", metavar="DIR", type=Path, default=RESULTS / "figures")
    parser.add_argument("--partial", action="store_true")
    options = parser.parse_args(arguments)

    def command() -> int:
        file, entries = write_all(options.tracking_uri, options.out, options.partial)
        console = make_console()
        for entry in entries:
            said = str(options.out / entry.link) if entry.report else f"no report: {entry.reason}"
            console.print(said, soft_wrap=True)
        console.print(str(file), soft_wrap=True)
        return 0

    return exit_code(command)


if __name__ == "__main__":
    raise SystemExit(main())
