"""A live table of trials on a terminal; one line per report where output goes to a file."""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ssmpe.experiments.sweep import Trial
from ssmpe.runner.trial import reports
from ssmpe.tracking import schema

REFRESHES_PER_SECOND = 4
MARGIN = 4
"""Lines of a terminal that the live table leaves free: heading, caption, prompt."""
MOST_LINES = 200
"""Lines of the live table at the most, on however tall a terminal."""
_AT_WORK = ("running", "collapsing")
_CAPTION = "val. F1: at the best threshold there; sets: share of blank frames at 0.5"


@dataclass
class _Line:
    number: int
    trial: Trial
    state: str = "waiting"
    batch: int = 0
    loss: float = float("nan")
    f1: float = float("nan")
    """on the validation set, at the threshold that is best there"""
    blank: dict[str, float] = field(default_factory=dict)


class Progress:
    """Shows step, loss, validation F1, blank rate per set and state of every trial.

    While trials run, the table has as many as the terminal shows, those at work first, and is drawn
    at most ``REFRESHES_PER_SECOND`` times: it costs the same for six trials and ten thousand.

    Args:
        ended: trials that ended in an earlier attempt, and why.
    """

    def __init__(self, console: Console, trials: list[Trial], ended: Mapping[str, str]) -> None:
        self._console = console
        self._lines = {
            trial.identity: _Line(number, trial, ended.get(trial.identity, "waiting"))
            for number, trial in enumerate(trials)
        }
        self._states = Counter(line.state for line in self._lines.values())
        self._at_work: dict[str, _Line] = {}
        first = list(islice(self._lines.values(), MOST_LINES))
        self._others = deque(reversed(first), MOST_LINES)
        """lines of trials that are not at work, what changed last at the end"""
        self._sets: dict[str, None] = {}
        self._changing = threading.Lock()
        self._over = False
        self._live = self._new_live() if console.is_terminal else None
        self._started = time.monotonic()

    def _new_live(self) -> Live:
        return Live(
            console=self._console,
            get_renderable=self._view,
            refresh_per_second=REFRESHES_PER_SECOND,
        )

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        """Leave the table as it stands at the end; in a log, print it now."""
        self._over = True
        if self._live:
            self._live.__exit__(*exception)
        else:
            self._console.print(self.table())

    def started(self, trial: Trial) -> None:
        with self._changing:
            # a search's trials are not known before
            if trial.identity not in self._lines:
                line = _Line(len(self._lines), trial)
                self._lines[trial.identity] = line
                self._states[line.state] += 1
        self._show(self._lines[trial.identity], "running")

    def reported(self, trial: Trial, result: dict[str, Any]) -> None:
        line = self._lines[trial.identity]
        with self._changing:
            line.batch = result[reports.BATCH]
            metrics = result.get(reports.METRICS, {})
            line.loss = metrics.get(schema.TOTAL_LOSS, line.loss)
            data = trial.config.data
            line.f1 = metrics.get(schema.set_metric(data.validation, "f1_tuned"), line.f1)
            for name in data.evaluated_sets:
                rate = metrics.get(schema.set_metric(name, "blank_rate"))
                if rate is not None:
                    line.blank[name] = rate
                    self._sets[name] = None
        collapsing = result.get(reports.COLLAPSING)
        self._show(line, "collapsing" if collapsing else "running")

    def ended(self, trial: Trial, result: dict[str, Any], reason: str) -> None:
        line = self._lines[trial.identity]
        line.batch = result.get(reports.BATCH, line.batch)
        self._show(line, str(reason), result.get(reports.FAILURE, ""))

    def say(self, text: str) -> None:
        """Print a line, above the table where that is shown."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def _show(self, line: _Line, state: str, note: str = "") -> None:
        with self._changing:
            self._states[line.state] -= 1
            self._states[state] += 1
            line.state = state
            self._at_work.pop(line.trial.identity, None)
            if state in _AT_WORK:
                self._at_work[line.trial.identity] = line
            else:
                self._others.append(line)
        if self._live:
            return
        minutes, seconds = divmod(round(time.monotonic() - self._started), 60)
        text = f"[{minutes:3d}:{seconds:02d}] {line.trial.name:<20} {_batch(line):>11}  {state:<10}"
        if line.blank:
            named = zip(shortened(line.blank), line.blank.values(), strict=True)
            blank = "  ".join(f"{name} {rate:.2f}" for name, rate in named)
            text += f"  loss {_number(line.loss):>6}  F1 {_number(line.f1)}  blank: {blank}"
        self._console.print(text + (f"  {note}" if note else ""), highlight=False, soft_wrap=True)

    def table(self) -> Table:
        """Return a table of all trials as they stand."""
        return self._table(self._lines.values(), "")

    def _view(self) -> Table:
        """Return what a terminal shows: everything if there is room, or once it is over."""
        room = min(max(1, self._console.height - MARGIN), MOST_LINES)
        with self._changing:
            if self._over or len(self._lines) <= room:
                return self.table()
            chosen = dict(islice(reversed(self._at_work.items()), room))
            for line in reversed(self._others):
                if len(chosen) == room:
                    break
                if line.state not in _AT_WORK:
                    chosen[line.trial.identity] = line
            states = ", ".join(f"{n} {state}" for state, n in self._states.items() if n)
            shown = sorted(chosen.values(), key=lambda line: line.number)
            return self._table(shown, f"{len(self._lines)} trials: {states}; ")

    def _table(self, lines: Iterable[_Line], of_all: str) -> Table:
        sets = list(self._sets)
        caption = f"{of_all}{_CAPTION}"
        table = Table(box=None, pad_edge=False, caption=caption)
        table.add_column("trial", no_wrap=True)
        for heading in ("batch", "loss", "val. F1", *shortened(sets)):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("state", no_wrap=True)
        for line in lines:
            rates = [_number(line.blank.get(name)) for name in sets]
            numbers = [_batch(line), _number(line.loss), _number(line.f1)]
            table.add_row(line.trial.name, *numbers, *rates, line.state)
        return table


def shortened(set_names: Iterable[str]) -> list[str]:
    """Return what narrow columns call sets: "URMP" for "URMP/validation", if no other is URMP's."""
    names = list(set_names)
    datasets = [name.split("/")[0] for name in names]
    return [d if datasets.count(d) == 1 else n for d, n in zip(datasets, names, strict=True)]


def _batch(line: _Line) -> str:
    if line.batch == 0 and line.state not in ("waiting", *_AT_WORK):
        return "–"  # it ended in an earlier attempt, or in another sweep
    return f"{line.batch}/{line.trial.config.training.n_batches}"


def _number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.2f}"
