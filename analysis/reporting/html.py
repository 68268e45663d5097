"""A report as one HTML file, everything in it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.answers.answer import Answered
from analysis.drawing import labels
from analysis.drawing import tables as results_tables
from analysis.numbers.comparison import Comparison
from analysis.reading.records import StoredSweep
from analysis.reporting import provenance
from analysis.reporting.sections import Figure, Omitted
from ssmpe.tracking.ui import run_url, trial_url, ui_command

_TYPES = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
}


@dataclass(frozen=True)
class Parts:
    """What a report is made of.

    Attributes:
        uri: of the store.
        tables: files with the results.
    """

    uri: str
    comparison: Comparison
    answer: Answered
    figures: Sequence[Figure]
    omitted: Sequence[Omitted]
    tables: Sequence[Path]


def html(parts: Parts) -> str:
    """The page of a sweep."""
    comparison, sweep = parts.comparison, parts.comparison.sweep
    return fill(
        "report.html",
        sweep=sweep,
        answer=parts.answer,
        figures=[_figure(f) for f in parts.figures],
        omitted=parts.omitted,
        results=_results(comparison),
        reading=results_tables.reading(comparison),
        tables=[_download(f) for f in parts.tables],
        baseline=comparison.baseline,
        changes={
            row: provenance.changes(sweep, row, comparison.baseline)
            for row in sweep.rows
            if row != comparison.baseline
        },
        configuration=provenance.configuration(sweep, comparison.baseline),
        trials=_trials(parts.uri, sweep),
        runs_url=run_url(parts.uri, sweep.experiment_id, sweep.name),
        run_url=trial_url(parts.uri, sweep.experiment_id, sweep.run_id),
        ui_command=ui_command(parts.uri),
        command=provenance.command(sweep),
        has_command=provenance.has_command(sweep),
        machine=provenance.machine(sweep),
        time_spent=provenance.time_spent(sweep),
    )


def fill(template: str, **values: Any) -> str:
    """A template of this package with its blanks filled; values are text, never markup."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    loader = PackageLoader("analysis", "templates")
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def embedded(file: Path) -> str:
    """A file as a data URI."""
    content = base64.b64encode(file.read_bytes()).decode()
    return f"data:{_TYPES[file.suffix]};base64,{content}"


def _figure(figure: Figure) -> Mapping[str, Any]:
    findings = [line for line in figure.drawn.summary.splitlines() if line.strip()]
    return {
        "question": figure.question,
        "images": [embedded(image) for image in figure.images],
        "alt": " ".join([f"Figure: {figure.question}", *findings[:1]]),
        "findings": findings,
        "downloads": [_download(f) for f in figure.tables],
    }


def _download(file: Path) -> tuple[str, str]:
    return file.name, embedded(file)


def _results(comparison: Comparison) -> list[Mapping[str, Any]]:
    """A table per set."""
    return [
        {
            "set": name,
            "kind": labels.kind(comparison.sweep, name),
            "headings": results_tables.headings(comparison),
            "rows": [results_tables.cells(r) for r in comparison.on(name)],
        }
        for name in comparison.sweep.sets
    ]


def _trials(uri: str, sweep: StoredSweep) -> list[Mapping[str, Any]]:
    return [
        {
            "row": trial.row,
            "seed": trial.seed,
            "ended": str(trial.end_reason or "running"),
            "batches": f"{trial.last_step} of {trial.n_batches}",
            "collapsed": ", ".join(
                f"{s} at {batch}" for s, batch in trial.collapsed_at.items() if batch is not None
            ),
            "url": (url := trial_url(uri, sweep.experiment_id, trial.run_id)),
            "link": url[url.index("#") :],
        }
        for trial in sweep.trials
    ]
