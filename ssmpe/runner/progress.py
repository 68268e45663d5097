"""A live table of trials on a terminal; one line per report where output goes to a file."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ssmpe.runner import reports
from ssmpe.sweep import Trial
from ssmpe.tracking import schema


@dataclass
class _Line:
    trial: Trial
    state: str = "waiting"
    batch: int = 0
    loss: float = float("nan")
    f1: float = float("nan")
    blank: dict[str, float] = field(default_factory=dict)


class Progress:
    """Shows step, loss, validation F1, blank rate per set and state of every trial.

    Args:
        ended: trials that ended in an earlier attempt, and why.
    """

    def __init__(self, console: Console, trials: list[Trial], ended: Mapping[str, str]) -> None:
        self._console = console
        self._lines = {
            trial.identity: _Line(trial, ended.get(trial.identity, "waiting")) for trial in trials
        }
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._started = time.monotonic()

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        """Leaves the table as it stands at the end; in a log it is printed now."""
        if self._live:
            self._live.__exit__(*exception)
        else:
            self._console.print(self.table())

    def started(self, trial: Trial) -> None:
        # a search's trials are not known before
        self._show(self._lines.setdefault(trial.identity, _Line(trial)), "running")

    def reported(self, trial: Trial, result: dict[str, Any]) -> None:
        line = self._lines[trial.identity]
        line.batch = result[reports.BATCH]
        metrics = result.get(reports.METRICS, {})
        line.loss = metrics.get(schema.TOTAL_LOSS, line.loss)
        data = trial.config.data
        line.f1 = metrics.get(schema.set_metric(data.validation, "f1"), line.f1)
        for name in data.evaluated_sets:
            rate = metrics.get(schema.set_metric(name, "blank_rate"))
            if rate is not None:
                line.blank[name] = rate
        collapsing = result.get(reports.COLLAPSING)
        self._show(line, "collapsing" if collapsing else "running")

    def ended(self, trial: Trial, result: dict[str, Any], reason: str) -> None:
        line = self._lines[trial.identity]
        line.batch = result.get(reports.BATCH, line.batch)
        self._show(line, str(reason), result.get(reports.FAILURE, ""))

    def _show(self, line: _Line, state: str, note: str = "") -> None:
        line.state = state
        if self._live:
            self._live.update(self.table(), refresh=True)
            return
        minutes, seconds = divmod(round(time.monotonic() - self._started), 60)
        text = f"[{minutes:3d}:{seconds:02d}] {line.trial.name:<20} {_batch(line):>11}  {state:<10}"
        if line.blank:
            blank = "  ".join(f"{short(name)} {rate:.2f}" for name, rate in line.blank.items())
            text += f"  loss {_number(line.loss):>6}  F1 {line.f1:.2f}  blank: {blank}"
        self._console.print(text + (f"  {note}" if note else ""), highlight=False, soft_wrap=True)

    def table(self) -> Table:
        """All trials as they stand."""
        sets = list(dict.fromkeys(name for line in self._lines.values() for name in line.blank))
        table = Table(box=None, pad_edge=False, caption="sets: share of blank frames")
        table.add_column("trial", no_wrap=True)
        for heading in ("batch", "loss", "val. F1", *map(short, sets)):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("state", no_wrap=True)
        for line in self._lines.values():
            rates = [_number(line.blank.get(name)) for name in sets]
            numbers = [_batch(line), _number(line.loss), _number(line.f1)]
            table.add_row(line.trial.name, *numbers, *rates, line.state)
        return table


def short(set_name: str) -> str:
    """What a narrow column calls a set: "URMP/validation" -> "URMP"."""
    return set_name.split("/")[0]


def _batch(line: _Line) -> str:
    return f"{line.batch}/{line.trial.config.training.n_batches}"


def _number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.2f}"
