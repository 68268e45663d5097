"""The command ``ssmpe``, likewise ``python -m ssmpe``."""

import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from ssmpe import __version__
from ssmpe.console import Parser, exit_code, make_console, without_collecting

COMMANDS = {
    "sweep": "run a sweep or a search; without a name: list them",
    "report": "draw what a sweep has found, on one page; or one of its figures",
    "ui": "look at a sweep in MLflow's pages",
    "transcribe": "multi-pitch, MIDI and a picture of audio files of any length",
    "evaluate": "score trained networks on any sets",
    "data": "check datasets, or tell where to get them",
    "doctor": "tell what this machine has: cores, memory, GPU, packages, folders",
}
"""Name of a module of ``ssmpe.commands`` -> what it does"""
PASSING = ("sweep", "report")
"""Commands that pass their options on, unread"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: all well; 1: out of space; 2: a mistake in what was given; 130: interrupted or terminated.
    """
    given = sys.argv[1:] if arguments is None else [*arguments]
    name = next(iter(given), "")
    # what is not asked for is not imported: torch alone takes seconds
    with without_collecting():
        command = import_module(f"ssmpe.commands.{name}") if name in COMMANDS else None
    if command is not None and name in PASSING:
        return int(command.main(given[1:]))
    parser = Parser(prog="ssmpe", description="Self-supervised multi-pitch estimation.")
    parser.add_argument("--version", action="version", version=f"ssmpe {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    known = {one: commands.add_parser(one, help=t, description=t) for one, t in COMMANDS.items()}
    if command is not None:
        command.add_options(known[name])
    options, left = parser.parse_known_args(given)
    if left:  # said with the command's own name
        known.get(name, parser).error(f"unrecognized arguments: {' '.join(left)}")
    # as Ctrl-C does: what is unfinished is cleared away
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return exit_code(lambda: int(options.run(options, make_console())))
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
