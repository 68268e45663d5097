"""Does the network degenerate the more, the more unlabelled excerpts are added? Figure and table.

python -m analysis.degeneration --sweep NAME
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis import count_figure, findings
from analysis import figure as command
from analysis.drawing import csv_tables as tables
from analysis.drawing import labels, style
from analysis.numbers.counts import SampleCount
from analysis.reading.records import StoredSweep
from analysis.reading.store import read_sweep


@dataclass(frozen=True)
class Rendered:
    """What was written, and what it says.

    Attributes:
        summary: findings, one per line.
        table: the scores for rich's console.
    """

    run_id: str
    figure_png: Path
    figure_svg: Path
    table_md: Path
    table_csv: Path
    summary: str
    table: Table

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.figure_png, self.figure_svg, self.table_md, self.table_csv)

    def show(self, console: Console) -> None:
        console.print(self.table)
        console.print(self.summary, highlight=False, markup=False)


def render(uri: str, name: str, out: Path, partial: bool = False) -> Rendered:
    """Draw a sweep's figure and tables into a folder.

    Args:
        uri: tracking URI of the MLflow store.
        name: the sweep.
        out: folder, made if missing.
        partial: draw a sweep that has not finished as it stands; the figure says so.

    Raises:
        UserError: as ``read_sweep``; the sweep adds no excerpts; the folder cannot be written.
    """
    sweep = read_sweep(uri, name, partial)
    comparison = SampleCount.of(sweep)
    lines = tables.score_lines(sweep)
    summary = findings.summary(comparison)
    out = style.output_folder(out)
    with style.look():
        png, svg = style.save(count_figure.draw(comparison), out, "degeneration")
    table_md, table_csv = out / "degeneration.md", out / "degeneration.csv"
    table_md.write_text(_document(sweep, comparison, tables.markdown(lines)), encoding="utf-8")
    table_csv.write_text(tables.comma_separated(lines), encoding="utf-8")
    table = tables.terminal(lines, f"{sweep.name}: {sweep.question}")
    return Rendered(sweep.run_id, png, svg, table_md, table_csv, summary, table)


def _document(sweep: StoredSweep, comparison: SampleCount, table: str) -> str:
    """The table with the findings and how to read both."""
    sentences = findings.summary(comparison).split("\n")
    correlations = findings.correlations(comparison).split("\n")
    reading = (
        "Scores at a trial's last validation, not at its best checkpoint: mean ± sample standard "
        "deviation over seeds. Runs stopped as collapsed count with the state in which they were "
        "stopped; failed and interrupted ones do not count. Collapsed at: batch from which the "
        "set was blank to the end, per seed."
    )
    parts = [
        " — ".join(labels.subtitle(sweep)),
        table,
        reading,
        "\n".join(f"- {s}" for s in sentences),
        "Rank correlation of blank rate and count:",
        "\n".join(f"- {c}" for c in correlations),
    ]
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    return command.run("degeneration", __doc__.partition("\n")[0], render, arguments)


if __name__ == "__main__":
    sys.exit(main())
