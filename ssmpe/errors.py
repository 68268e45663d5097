"""The errors a user can cause, told apart from faults of the program; and errors in few words."""

from collections.abc import Iterator
from contextlib import contextmanager

MAX_REASON = 200
"""Number of characters of an error that are shown within a message"""


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
