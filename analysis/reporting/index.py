"""What has every sweep of a store asked, and what did it find? A page of links to all reports.

python -m analysis.report --all
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis import report
from analysis.drawing import style
from analysis.reading import store
from analysis.reporting import html as report_page
from ssmpe.errors import UserError
from ssmpe.tracking.ui import ui_command

FILE = "index.html"


@dataclass(frozen=True)
class Entry:
    """A sweep and its report; or, without one, why there is none."""

    name: str
    report: report.Report | None
    reason: str = ""

    @property
    def link(self) -> str:
        """From the page of links."""
        return f"{self.name}/{report.FILE}"


def render(uri: str, out: Path, partial: bool = False) -> tuple[Path, list[Entry]]:
    """Write the reports of all sweeps below a folder, each into its own, and the page of links.

    Raises:
        UserError: there is no store, no sweep in it, or the folder cannot be written.
    """
    entries = []
    for name in store.sweep_names(uri):
        try:
            entries.append(Entry(name, report.render(uri, name, out / name, partial)))
        except UserError as error:
            entries.append(Entry(name, None, str(error)))
    file = style.output_folder(out) / FILE
    page = report_page.fill("index.html", uri=uri, entries=entries, ui_command=ui_command(uri))
    file.write_text(page, encoding="utf-8")
    return file, entries


def run(arguments: Sequence[str]) -> int:
    """The command ``python -m analysis.report --all``; returns its exit code."""
    assert __doc__
    description = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser("python -m analysis.report --all", description=description)
    parser.add_argument("--tracking-uri", metavar="URI", default=store.default_uri())
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("results") / "figures")
    parser.add_argument("--partial", action="store_true")
    options = parser.parse_args(arguments)
    try:
        file, entries = render(options.tracking_uri, options.out, options.partial)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for entry in entries:
        print(options.out / entry.link if entry.report else f"no report: {entry.reason}")
    print(file)
    return 0
