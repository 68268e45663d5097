"""What makes a sweep, or a search, of the file that ends in one, and runs it as a script.

::

    SWEEP = sweep(rows, scientific=("data.added",))
"""

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ssmpe import bundled
from ssmpe.config import TrialConfig
from ssmpe.console import exit_code, make_console, without_collecting
from ssmpe.errors import UserError
from ssmpe.experiments import options as sweep_options
from ssmpe.experiments.search import Objective, Search
from ssmpe.experiments.sweep import Delta, Row, Sweep

if TYPE_CHECKING:
    import optuna

    from ssmpe.runner.run import Report

Experiment = TypeVar("Experiment", Sweep, Search)
TYPED = "__typed__"
"""Global of a sweep's file: the words of the command that runs it as a script, if not Python's"""


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


def main(
    sweep: Sweep | Search,
    report: "Report | None" = None,
    arguments: Sequence[str] | None = None,
    typed: Sequence[str] = (),
) -> int:
    """Run a sweep or a search from the command line; the exit code.

    0: all well; 1: trials failed, the disk is full, or records or figures are incomplete; 2: a
    mistake in what was given; 124: a budget is spent; 130: interrupted. What to do is said.

    Args:
        report: draws the figures that answer the sweep's question, once the trials have ended.
        arguments: of the command line; default: the process's own.
        typed: words before them; default: those that run the sweep's file as a script.
    """
    given = sys.argv[1:] if arguments is None else arguments
    console = make_console()

    def run() -> int:
        path = Path(sys.argv[0])
        own = path.stem == sweep.name and path.suffix == ".py"
        script = str(path) if own else f"sweeps/{sweep.name}.py"
        command = shlex.join(typed or ("python", script))
        options = sweep_options.parse(sweep.question, command, given, sweep.add_options)
        with without_collecting():  # Ray takes seconds, which a help can do without
            from ssmpe.runner.run import run_sweep

        return run_sweep(sweep, options, report, console)

    return exit_code(run)


def _become(make: Callable[[str, str], Experiment]) -> Experiment:
    """Make an experiment of the file that calls the caller, and run it if that is the script."""
    file = sys._getframe(2).f_globals
    path = Path(file.get("__file__") or "")
    if file["__name__"] != "__main__":
        return make(path.stem, _question(path, file.get("__doc__")))

    def run() -> int:
        experiment = make(path.stem, _question(path, file.get("__doc__")))
        typed = file.get(TYPED, ())
        return main(
            experiment, lambda *e: bundled.analysis("report").of_ended(*e), sys.argv[1:], typed
        )

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
