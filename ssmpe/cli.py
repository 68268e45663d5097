"""The entry point of every sweep script."""

import errno
import sys
from collections.abc import Sequence

from rich.console import Console

from ssmpe import options as sweep_options
from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.runner.run import Report, run_sweep
from ssmpe.sweep import Sweep

LOG_WIDTH = 110
"""columns of tables in a file; a terminal tells its own"""


def main(sweep: Sweep, report: Report | None = None, arguments: Sequence[str] | None = None) -> int:
    """Run a sweep from the command line; the exit code.

    0: all well; 1: trials failed, the disk is full, or records or figures are incomplete; 2: a
    mistake in what was given; 130: interrupted. The latter three say in one line what to do.

    Args:
        report: draws the figures that answer the sweep's question, once the trials have ended.
        arguments: of the command line; default: the process's own.
    """
    given = sys.argv[1:] if arguments is None else arguments
    console = Console()
    if not console.is_terminal:
        console.width = LOG_WIDTH
    try:
        options = sweep_options.parse(sweep.question, f"sweeps/{sweep.name}.py", given)
        return run_sweep(sweep, options, report, console)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OutOfSpaceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"error: the disk is full ({error.filename or 'temporary files'})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
