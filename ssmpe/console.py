"""What all commands share: errors of one line, text that is safe to show, outputs, progress."""

import argparse
import atexit
import errno
import gc
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TextIO, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ssmpe.errors import OutOfSpaceError, UserError, extras_told

Given = ParamSpec("Given")
Returned = TypeVar("Returned")
LOG_WIDTH = 110
"""Columns of text in a file; a terminal tells its own"""
MOST_WIDTH = 1000
"""Columns of a table in a file, which needs as many as it has"""
LOG_SECONDS = 60.0
"""Time between two lines of progress in a file"""
LONGEST_LINE = 4000
"""Characters of an error that are printed"""

_ORDERS = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""What a terminal or an editor would obey rather than show, and halves of characters"""
_UNSAFE = re.compile(f"[\x00-\x1f{_ORDERS}]")
_UNSAFE_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_ORDERS}]")


@contextmanager
def without_collecting() -> Iterator[None]:
    """Import what a command needs in the block, without looking for garbage then, or at its end.

    Imports leave none. At a process's end, Python would look through all of them once more, a
    second of a sweep's; the system takes all memory back anyway.
    """
    atexit.register(gc.freeze)
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# --- text -------------------------------------------------------------------------------------


def printable(text: str, *, lines: bool = False) -> str:
    """Return text in which everything that would be obeyed, or cannot be encoded, is visible.

    Names of files, rows and sets may be of any characters: terminal escapes, line ends, marks that
    turn the direction of writing, and halves of characters become ``\\x1b``, ``\\x0a``,
    ``\\u202e``, ``\\udcff``. All else stays as it is.

    Args:
        lines: whether the text is many lines, whose ends and tabs are meant.
    """

    def shown(found: re.Match[str]) -> str:
        code = ord(found[0])
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

    return (_UNSAFE_IN_LINES if lines else _UNSAFE).sub(shown, text)


class _SafeConsole(Console):
    """A console on which no text is obeyed, and every text can be encoded."""

    @property
    def encoding(self) -> str:
        """The encoding of the file that is written; rich does not ask standard output for it."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    def render_str(self, text: str, **how: Any) -> Text:
        # before lines are laid out: what is made visible needs room
        return super().render_str(self._shown(text), **how)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            # the console's own orders, as those that move the cursor, are told apart from text
            yield segment if segment.control else segment._replace(text=self._shown(segment.text))

    def _shown(self, text: str) -> str:
        shown = printable(text, lines=True)
        return shown.encode(self.encoding, "backslashreplace").decode(self.encoding)


def make_console(file: TextIO | None = None, width: int | None = None) -> Console:
    """Return a console on a file, on standard output by default; whatever it prints is safe.

    Args:
        width: columns; default: those of the terminal, or ``LOG_WIDTH`` where there is none.
    """
    # names of files may look like markup
    console = _SafeConsole(file=file, width=width, markup=False, highlight=False)
    if width is None and not console.is_terminal:
        console.width = LOG_WIDTH
    return console


def print_table(console: Console, table: Table) -> None:
    """Print a table; where there is no terminal, as wide as it needs to be: no number is cut."""
    before = console.width
    if not console.is_terminal:
        whole = Measurement.get(console, console.options.update(max_width=MOST_WIDTH), table)
        console.width = max(before, whole.maximum)
    console.print(table)
    console.width = before


# --- errors -----------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """A parser of options whose errors are a line each, and quote them safely."""

    def error(self, message: str) -> NoReturn:
        told = _cut(printable(message))
        self.exit(2, f"{self.prog}: error: {told} ({self.prog} --help tells what there is)\n")


def exit_code(run: Callable[[], int]) -> int:
    """Return the exit code of a command; print errors of the user or the machine, a line each."""
    try:
        with extras_told():
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


def told_in_scripts(door: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """Make a mistake in calling a function at a script's top level one line, and exit code 2.

    For what a user's file calls before ``sweep(…)`` runs it. Called from anywhere else, as in a
    notebook or a module, the function raises its errors as ever.
    """

    @wraps(door)
    def called(*arguments: Given.args, **named: Given.kwargs) -> Returned:
        try:
            return door(*arguments, **named)
        except UserError as error:
            top = sys._getframe(1).f_globals
            if top is not vars(sys.modules["__main__"]) or "__file__" not in top:
                raise
            raise SystemExit(_failed(str(error), 2)) from None

    return called


def _failed(what: str, code: int) -> int:
    print(f"error: {_cut(printable(what))}", file=sys.stderr)
    return code


def _cut(line: str) -> str:
    """Cut a line that quotes something enormous."""
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …"


# --- outputs ----------------------------------------------------------------------------------


def make_folder(option: str, folder: Path) -> None:
    """Make a folder if need be, and make sure that files can be written there.

    Raises:
        UserError: they cannot; it names the option.
    """
    with _refusing(option, folder):
        folder.mkdir(parents=True, exist_ok=True)
        # permission bits do not tell: only writing does
        with tempfile.TemporaryFile(dir=folder):
            pass


def check_output(option: str, path: Path) -> None:
    """Make sure, before the work, that its result can be written to a file; make its folder.

    Raises:
        UserError: it cannot, or there is something else than a file; it names the option.
    """
    with _refusing(option, path):
        if takes_at_once(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
    make_folder(option, path.parent)
    with _refusing(option, path):
        takes_at_once(path)  # a name too long shows once its folder is there


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """Open a text file that appears whole or not at all; devices and pipes are written at once.

    Only a regular file is ever replaced. Text is to be ``printable``.
    """
    if takes_at_once(path):
        with path.open("a", newline="", encoding="utf-8") as stream:
            yield stream
        return
    target = Path(os.path.realpath(path))  # a link stays, and leads to the new file
    partial = target.with_name(f".{os.getpid()}.partial")  # of any name, however long
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            yield file
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write lines of text as a file, as ``written`` does, all of it ``printable``."""
    with written(path) as file:
        file.write(printable(text, lines=True))


def takes_at_once(path: Path) -> bool:
    """Tell whether a path is a device, a pipe or standard output, none of which may be replaced.

    Raises:
        OSError: it is a folder, a disk or a socket, or no file can have its name.
    """
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(there.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISBLK(there.st_mode) or stat.S_ISSOCK(there.st_mode):
        raise OSError(errno.EINVAL, "neither a file nor a pipe")
    if not stat.S_ISREG(there.st_mode):
        return True
    with suppress(OSError):  # there may be no standard output
        return os.path.samestat(there, os.fstat(1))
    return False


@contextmanager
def _refusing(option: str, path: Path) -> Iterator[None]:
    """Say in one line that a path cannot be written; that a disk is full is no mistake of it."""
    try:
        yield
    except IsADirectoryError:
        raise UserError(f"{option} {path}: is a folder") from None
    except (OSError, ValueError) as error:  # the latter of a name with a null character
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{option} {path}: cannot be written ({reason})") from None


# --- progress ---------------------------------------------------------------------------------


class TaskBar:
    """A progress bar that appears with its first step; to be used in a ``with`` statement.

    Where output goes to a file, it is a line a minute.
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
        """Show what is being done, and how much of how much."""
        if what != self._what:
            self._progress.reset(self._task, description=printable(what), visible=True)
            self._what = what
        self._progress.update(self._task, completed=done, total=total)
        if not self._console.is_terminal and time.monotonic() - self._printed > LOG_SECONDS:
            self._printed = time.monotonic()
            self._console.print(printable(f"{what}: {done} of {total}"), soft_wrap=True)
