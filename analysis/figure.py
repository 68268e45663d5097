"""What the commands that draw a sweep share: options, errors, where files go."""

import argparse
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from analysis.reading import store
from ssmpe.errors import UserError


class Drawn(Protocol):
    """What a command has written."""

    @property
    def run_id(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]: ...

    @property
    def summary(self) -> str:
        """Findings, one per line; "" if the picture says it all."""

    def show(self, console: Console) -> None: ...


@dataclass(frozen=True)
class Drawing:
    """Figures with their numbers.

    Attributes:
        run_id: of the sweep.
        files: pictures as PNG and SVG, and a CSV of the numbers drawn.
        summary: findings, one per line.
        table: shown before them, if there is one.
    """

    run_id: str
    files: tuple[Path, ...]
    summary: str
    table: Table | None = None

    def show(self, console: Console) -> None:
        if self.table is not None:
            console.print(self.table)
        console.print(self.summary, highlight=False, markup=False)


Render = Callable[..., Drawn]
"""tracking URI, sweep, folder, whether an unfinished sweep will do; a command's own options by
name"""
NONE: Mapping[str, Mapping[str, Any]] = {}


def run(
    module: str,
    description: str,
    render: Render,
    arguments: Sequence[str] | None,
    own: Mapping[str, Mapping[str, Any]] = NONE,
) -> int:
    """Exit code of the command ``python -m analysis.MODULE``: 0, or 2 for a mistake of the user.

    Args:
        own: name of an option that this command alone has -> how argparse is to take it.
    """
    parser = _parser(module, description)
    for option, how in own.items():
        parser.add_argument(f"--{option}", **how)
    options = parser.parse_args(arguments)
    uri = options.tracking_uri
    try:
        name = options.sweep or store.sweep_names(uri)[0]
        out = options.out or Path("results") / "figures" / name
        drawn = render(uri, name, out, options.partial, **{o: getattr(options, o) for o in own})
        if options.log:
            store.log_files(uri, drawn.run_id, drawn.files)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    console = Console(markup=False)  # names of rows may look like it
    drawn.show(console)
    for file in drawn.files:
        console.print(str(file), soft_wrap=True, highlight=False, markup=False)
    return 0


def lines(drawn: Drawn) -> list[str]:
    """What it shows, for a terminal of 80 columns."""
    page = io.StringIO()
    drawn.show(Console(file=page, width=80, markup=False))
    return page.getvalue().splitlines()


def _parser(module: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"python -m analysis.{module}", description=description)
    parser.add_argument("--sweep", metavar="NAME", help="default: the latest in the store")
    parser.add_argument(
        "--tracking-uri",
        metavar="URI",
        default=store.default_uri(),
        help="MLflow store; default: ./results/mlflow.db",
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="default: ./results/figures/NAME, made if missing"
    )
    parser.add_argument("--log", action="store_true", help="also attach the files to the sweep")
    parser.add_argument(
        "--partial", action="store_true", help="draw a sweep that has not finished as it stands"
    )
    return parser
