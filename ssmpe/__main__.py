"""``python -m ssmpe``: everything but the sweeps, which are scripts of their own."""

import argparse
import signal
import sys
from collections.abc import Sequence

from ssmpe.commands import data, evaluate, transcribe
from ssmpe.console import Parser, exit_code, make_console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: all well; 1: out of space; 2: a mistake in what was given; 130: interrupted or terminated.
    """
    parser: argparse.ArgumentParser = Parser(
        prog="python -m ssmpe", description="Tools around the sweeps (see sweeps/ for these)."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data.add_to(commands)
    transcribe.add_to(commands)
    evaluate.add_to(commands)
    given = parser.parse_args(arguments)
    # as Ctrl-C does: what is unfinished is cleared away
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return exit_code(lambda: int(given.run(given, make_console())))
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
