"""What all commands share of the terminal: errors, width, progress, the table of sets."""

import errno
import re
import sys
import time
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from ssmpe.data.check import SetReport
from ssmpe.errors import OutOfSpaceError, UserError

LOG_WIDTH = 110
"""columns of tables in a file; a terminal tells its own"""
LOG_SECONDS = 60.0
"""between two lines of progress in a file"""
SHOWN_LINES = 5
"""problems of a set that are printed"""
LONGEST_LINE = 4000
"""characters of an error that are printed"""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def exit_code(run: Callable[[], int]) -> int:
    """The exit code of a command; errors of the user and of the machine are one line each."""
    try:
        return run()
    except UserError as error:
        return _failed(str(error), 2)
    except OutOfSpaceError as error:
        return _failed(str(error), 1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _failed(f"the disk is full ({error.filename or 'temporary files'})", 1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _failed(what: str, code: int) -> int:
    shown = printable(what)
    if len(shown) > LONGEST_LINE:  # it quotes something enormous
        shown = f"{shown[:LONGEST_LINE]} …"
    print(f"error: {shown}", file=sys.stderr)
    return code


def make_console() -> Console:
    """The console on standard output."""
    # names of files may look like markup
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console


class TaskBar:
    """A progress bar that appears with its first step; to be used in a ``with`` statement.

    In a log it is a line a minute.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, visible=False)
        self._what = ""
        self._printed = time.monotonic()

    def __enter__(self) -> "TaskBar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """What is being done, and how much of how much."""
        if what != self._what:
            self._progress.reset(self._task, description=what, visible=True)
            self._what = what
        self._progress.update(self._task, completed=done, total=total)
        if not self._console.is_terminal and time.monotonic() - self._printed > LOG_SECONDS:
            self._printed = time.monotonic()
            self._console.print(f"{what}: {done} of {total}", soft_wrap=True)


def print_reports(console: Console, reports: Iterable[SetReport]) -> None:
    """A table of sets, then what is wrong with each of them."""
    reports = list(reports)
    table = Table(box=None, pad_edge=False)
    table.add_column("set", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for heading in ("tracks", "hours"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("sample rates (Hz)")
    for report in reports:
        rates = ", ".join(f"{rate}" for rate in report.sample_rates)
        counts = [str(report.n_tracks), f"{report.hours:.2f}"] if report.n_tracks else ["", ""]
        table.add_row(report.name, str(report.state), *counts, rates)
    console.print(table)
    for report in reports:
        for line in shortened([*report.problems, *report.notes]):
            console.print(f"{report.name}: {printable(line)}", soft_wrap=True)


def shortened(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    if len(lines) <= SHOWN_LINES:
        return lines
    return [*lines[:SHOWN_LINES], f"… and {len(lines) - SHOWN_LINES} more"]


def printable(text: str) -> str:
    """Text without what a terminal cannot encode or would obey: names may be of any characters."""
    shown = text.encode("utf-8", "backslashreplace").decode()
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", shown)
