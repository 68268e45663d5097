"""``python -m ssmpe``: everything but the sweeps, which are scripts of their own."""

import argparse
import sys
from collections.abc import Sequence

from ssmpe.commands import data, evaluate, transcribe
from ssmpe.console import exit_code, make_console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0 all well, 1 out of space, 2 a mistake, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m ssmpe", description="Tools around the sweeps (see sweeps/ for these)."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data.add_to(commands)
    transcribe.add_to(commands)
    evaluate.add_to(commands)
    given = parser.parse_args(arguments)
    return exit_code(lambda: int(given.run(given, make_console())))


if __name__ == "__main__":
    sys.exit(main())
