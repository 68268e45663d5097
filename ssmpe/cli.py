"""The entry point of every sweep script."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ssmpe.console import exit_code, make_console
from ssmpe.experiments import options as sweep_options
from ssmpe.experiments.search import Search
from ssmpe.experiments.sweep import Sweep
from ssmpe.runner.run import Report, run_sweep


def main(
    sweep: Sweep | Search, report: Report | None = None, arguments: Sequence[str] | None = None
) -> int:
    """Run a sweep or a search from the command line; the exit code.

    0: all well; 1: trials failed, the disk is full, or records or figures are incomplete; 2: a
    mistake in what was given; 124: a budget is spent; 130: interrupted. What to do is said.

    Args:
        report: draws the figures that answer the sweep's question, once the trials have ended.
        arguments: of the command line; default: the process's own.
    """
    given = sys.argv[1:] if arguments is None else arguments
    console = make_console()

    def run() -> int:
        typed = Path(sys.argv[0])
        own = typed.stem == sweep.name and typed.suffix == ".py"
        script = str(typed) if own else f"sweeps/{sweep.name}.py"
        options = sweep_options.parse(sweep.question, script, given, sweep.add_options)
        return run_sweep(sweep, options, report, console)

    return exit_code(run)
