"""A report as one HTML file, everything in it."""

import base64
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.answers.answer import Answered
from analysis.drawing import labels
from analysis.drawing.tables import Frame
from analysis.figure import Drawn
from analysis.numbers.comparison import Comparison
from analysis.reporting import glossary, provenance
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial
from ssmpe.tracking.ui import is_server, run_url, trial_url, ui_command

_TYPES = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
}
MOST_LINES = 200
"""Lines of a table of numbers up to which it stands in the page; a longer one is a download"""


@dataclass(frozen=True)
class Omitted:
    """A figure that could not be drawn."""

    question: str
    reason: str


@dataclass(frozen=True)
class Page:
    """Parts of a report.

    Attributes:
        scores: set -> the results there, as texts.
        reading: how these are to be read.
    """

    comparison: Comparison
    answer: Answered
    scores: Mapping[str, Frame]
    reading: Sequence[str]
    figures: Sequence[Drawn]
    omitted: Sequence[Omitted]

    def html(self, tables: Sequence[Path]) -> str:
        """Return the page of a sweep.

        Args:
            tables: files with the results, to be downloaded.
        """
        sweep, baseline = self.comparison.sweep, self.comparison.baseline
        others = [row for row in sweep.rows if row != baseline]
        return fill(
            "report.html",
            sweep=sweep,
            answer=self.answer,
            words=glossary.words(sweep.tuned),
            figures=[_figure(f) for f in self.figures],
            omitted=self.omitted,
            results=self._results(),
            reading=self.reading,
            tables=[_download(f) for f in tables],
            baseline=baseline,
            changes={row: provenance.changes(sweep, row, baseline) for row in others},
            configuration=provenance.configuration(sweep, baseline),
            trials=_trials(sweep),
            runs_url=run_url(sweep.uri, sweep.experiment_id, sweep.name),
            run_url=trial_url(sweep.uri, sweep.experiment_id, sweep.run_id),
            ui_command="" if is_server(sweep.uri) else ui_command(sweep.uri),
            command=provenance.command(sweep),
            has_command=provenance.has_command(sweep),
            machine=provenance.machine(sweep),
            time_spent=provenance.time_spent(sweep),
        )

    def _results(self) -> list[Mapping[str, Any]]:
        """Return a table per set."""
        return [
            {
                "set": name,
                "kind": labels.kind(self.comparison.sweep, name),
                "headings": list(table.columns),
                "rows": table.to_numpy().tolist(),
            }
            for name, table in self.scores.items()
        ]


def fill(template: str, **values: Any) -> str:
    """Fill the blanks of a template of this package; values are text, never markup."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    loader = PackageLoader("analysis", "templates")
    strict: Any = {"autoescape": True, "undefined": StrictUndefined}
    return Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, **strict)


def _figure(figure: Drawn) -> Mapping[str, Any]:
    findings = [line for line in figure.findings if line.strip()]
    return {
        "question": figure.question,
        "images": [_embedded(image) for image in figure.images],
        "alt": " ".join([f"Figure: {figure.question}", *findings[:1]]),
        "findings": findings,
        "numbers": [_numbers(f) for f in figure.tables],
    }


def _numbers(file: Path) -> Mapping[str, Any]:
    """Return a CSV as a table of the page, and as a download."""
    with file.open(encoding="utf-8", newline="") as lines:
        headings, *rows = list(csv.reader(lines)) or [[]]
    shown = [[_short(cell) for cell in row] for row in rows] if len(rows) <= MOST_LINES else []
    return {"name": file.name, "uri": _embedded(file), "headings": headings, "rows": shown}


def _short(cell: str) -> str:
    """Return a number with four digits, if it has more; "–" if it is none; other text as it is."""
    if cell == "nan":
        return "–"
    try:
        return cell if cell.isdigit() else f"{float(cell):.4g}"
    except ValueError:
        return cell


def _download(file: Path) -> tuple[str, str]:
    return file.name, _embedded(file)


def _embedded(file: Path) -> str:
    """Return a file as a data URI."""
    content = base64.b64encode(file.read_bytes()).decode()
    return f"data:{_TYPES[file.suffix]};base64,{content}"


def _ended(trial: StoredTrial) -> str:
    """Say how a trial ended, and of which run its own is a copy."""
    reason = str(trial.end_reason or "running")
    return f"{reason}, in run {trial.copied_from:.8}" if trial.copied else reason


def _trials(sweep: StoredSweep) -> list[Mapping[str, Any]]:
    return [
        {
            "row": trial.row,
            "seed": trial.seed,
            "ended": _ended(trial),
            "batches": f"{trial.last_step} of {trial.n_batches}",
            "collapsed": ", ".join(
                f"{s} at {batch}" for s, batch in trial.collapsed_at.items() if batch is not None
            ),
            "url": (url := trial_url(sweep.uri, sweep.experiment_id, trial.run_id)),
            "link": url[url.index("#") :],
        }
        for trial in sweep.trials
    ]
