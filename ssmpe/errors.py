"""The errors a user can cause, told apart from faults of the program; and errors in few words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssmpe.own import is_installed

MAX_REASON = 200
"""Number of characters of an error that are shown within a message"""
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in ')

OF_SWEEPS = frozenset(
    {
        *("ray", "mlflow", "optuna", "music21", "pretty_midi", "pyarrow", "pandas", "jinja2"),
        *("sqlalchemy", "alembic"),
    }
)
"""Packages that the core does without: those of the extra ``sweep``, and what comes with them"""


class UserError(Exception):
    """A mistake in what the user gave: one line that says what is wrong, where, and what to do.

    Command-line entry points print the message alone and exit with code 2.
    """


class DataError(UserError):
    """A file of a dataset that cannot be used; the message names the file (and line, if any)."""


class OutOfSpaceError(Exception):
    """A disk that filled up: nothing the user typed is wrong, and the sweep can be resumed.

    Command-line entry points print the message alone and exit with code 1.
    """


@contextmanager
def extras_told() -> Iterator[None]:
    """Say in one line how a package is installed that the core does without.

    Raises:
        UserError: one is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in OF_SWEEPS:
            raise
        raise UserError(f"this needs {name}: pip install 'ssmpe[sweep]'") from None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:MAX_REASON]


def last_line(error: BaseException | str) -> str:
    """Return the last line of an error's text, where Ray says what happened; or its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


def raised_at(trace: str) -> str:
    """Return where an exception was raised, from its traceback: "/home/me/own.py, line 12".

    That is the innermost place in a file that is not installed, nor this package's, if there is
    one: the user's. "" of a text without a traceback.
    """
    frames = [frame for frame in _FRAME.findall(trace) if not frame[0].startswith("<frozen")]
    own = [frame for frame in frames if not is_installed(Path(frame[0]))]
    for file, line in [*reversed(own), *reversed(frames)]:
        return f"{file}, line {line}"
    return ""


def told(error: BaseException, trace: str) -> str:
    """Return an exception in a line: its type, what it says, and where it was raised."""
    said = first_line(error)
    place = "" if isinstance(error, SyntaxError) else raised_at(trace)  # which says it itself
    name = type(error).__name__
    text = said if said == name else f"{name}: {said}"
    return f"{text} ({place})" if place else text
