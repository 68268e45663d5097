"""``ssmpe evaluate``: the options of scoring."""

import argparse
from pathlib import Path

from rich.console import Console

from ssmpe.commands import sweep, weights


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "sets", nargs="*", metavar="SET", help="as Bach10/all (default: those the trial scored)"
    )
    weights.add_options(parser, sweeps=True)
    parser.add_argument(
        "--data-root",
        metavar="DIR",
        help="folder of the datasets (default: the embedded world, if the trial was trained on it)",
    )
    parser.add_argument(
        "--folder",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="folder of your own audio, then to be scored as NAME/annotated; may be repeated",
    )
    parser.add_argument(
        "--tune", metavar="SET", help="use the threshold that is best on this annotated set"
    )
    parser.add_argument(
        "--decomposition",
        metavar="WEIGHT",
        help="put the harmonic decomposition beside every network, as model.decomposition does "
        "(0: none); with --tune or --threshold",
    )
    sweep.add_file_option(parser)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a row per track")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, console: Console) -> int:
    """Score, as ``scoring.run``, whose imports take seconds."""
    from ssmpe.commands import scoring

    return scoring.run(given, console)
