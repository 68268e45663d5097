"""Experiments, one file each: a docstring that asks a question, and rows that answer it.

The file's name is the sweep's, and the first line of its docstring the question. Its last line
makes a sweep of it, or a search, and runs that if the file was started as a script::

    SWEEP = sweep(rows, scientific=("data.added",))

So ``python sweeps/sample_count.py`` runs one, and ``import sweeps.sample_count`` gives its
``SWEEP``. A file of one's own may lie anywhere.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ssmpe.config import TrialConfig
from ssmpe.console import exit_code
from ssmpe.errors import UserError
from ssmpe.experiments.search import Objective, Search
from ssmpe.experiments.sweep import Delta, Row, Sweep

if TYPE_CHECKING:
    import optuna

Experiment = TypeVar("Experiment", Sweep, Search)


def sweep(
    rows: Callable[[TrialConfig], Sequence[Row]],
    *,
    default_rows: tuple[str, ...] = ("*",),
    scientific: tuple[str, ...] = (),
    nuisance: tuple[str, ...] = (),
) -> Sweep:
    """Return the sweep of the file that calls this; as a script, run it and exit.

    Args:
        rows: see ``Sweep`` for this and the others.
    """

    def make(name: str, question: str) -> Sweep:
        return Sweep(name, question, rows, default_rows, scientific, nuisance)

    return _become(make)


def search(
    space: Callable[["optuna.Trial", TrialConfig], Iterable[Delta]],
    *,
    objectives: Callable[[TrialConfig], Sequence[Objective]],
    start: Mapping[str, Any],
    n_trials: int,
    common: Callable[[TrialConfig], Iterable[Delta]] = lambda base: (),
    scientific: tuple[str, ...] = (),
    nuisance: tuple[str, ...] = (),
) -> Search:
    """Return the search of the file that calls this; as a script, run it and exit.

    Args:
        space: see ``Search`` for this and the others.
    """

    def make(name: str, question: str) -> Search:
        return Search(
            name, question, common, space, objectives, start, n_trials, scientific, nuisance
        )

    return _become(make)


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a mistake at the top level of a sweep's file in one line, as those in its options."""
    if not isinstance(error, UserError):
        return sys.__excepthook__(kind, error, trace)

    def run() -> int:
        raise error

    raise SystemExit(exit_code(run))


sys.excepthook = _told


def _become(make: Callable[[str, str], Experiment]) -> Experiment:
    """Make an experiment of the file that calls the caller, and run it if that is the script."""
    file = sys._getframe(2).f_globals
    path = Path(file.get("__file__") or "")
    if file["__name__"] != "__main__":
        return make(path.stem, _question(path, file.get("__doc__")))

    def run() -> int:
        from analysis import report  # figures are drawn of what is run, not of what is imported
        from ssmpe.cli import main

        return main(make(path.stem, _question(path, file.get("__doc__"))), report.of_ended)

    raise SystemExit(exit_code(run))


def _question(path: Path, docstring: str | None) -> str:
    """Return the question that a sweep file asks.

    Raises:
        UserError: it asks none, or its name cannot be a sweep's.
    """
    lines = (docstring or "").strip().splitlines()
    if not lines or not lines[0].endswith("?"):
        raise UserError(f"{path}: its docstring has to begin with a question, ending in ?")
    if not re.fullmatch(r"\w[\w+-]*", path.stem):
        raise UserError(f"{path}: a sweep is named after its file: letters, digits, _, + and -")
    return lines[0]
