"""``ssmpe sweep``: runs a sweep's file, wherever that lies."""

import argparse
import ast
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from ssmpe import bundled
from ssmpe.cli import TYPED
from ssmpe.console import exit_code, make_console, printable
from ssmpe.errors import UserError, extras_told, told

USAGE = """usage: ssmpe sweep NAME [OPTION …]

Runs a sweep or a search: the same as its file as a script. NAME is that of a file in the current
folder, in ./sweeps, or that comes with ssmpe; or a path. ssmpe sweep NAME --help tells its options.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the sweep that is named first, with the other arguments as its options."""
    if not arguments or arguments[0] in ("-h", "--help"):
        return exit_code(_list)
    return exit_code(lambda: _run(*arguments))


def _list() -> int:
    """Print how it is used, and the sweeps that there are with their questions."""
    console = make_console()
    console.print(USAGE, soft_wrap=True)
    table = Table("sweep", "question", box=None, pad_edge=False)
    for path in bundled.sweep_files():
        question = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        table.add_row(path.stem, question.partition("\n")[0])
    console.print(table)
    return 0


def add_file_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of a file that brings datasets."""
    parser.add_argument(
        "--sweep-file",
        metavar="FILE",
        help="file of a sweep that brings datasets of your own, as ssmpe sweep takes it",
    )


def read(name: str) -> None:
    """Run a sweep's file, but not the sweep: then its objectives and datasets are known.

    Raises:
        UserError: there is no such file, or it cannot be run.
    """
    path = _found(name)
    try:
        with extras_told():
            runpy.run_path(str(path), run_name="sweep_file")
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"sweep {path}: {told(error, traceback.format_exc())}") from None


def _found(name: str) -> Path:
    """Find a sweep's file; what lies beside it can be imported, as by a script."""
    path = bundled.sweep_file(name)
    if path is None:
        known = ", ".join(path.stem for path in bundled.sweep_files())
        raise UserError(
            f"sweep {printable(name)}: no such file, here or in ./sweeps, and not one of {known}"
        )
    sys.path.insert(0, str(path.absolute().parent))
    return path


def _run(name: str, *arguments: str) -> int:
    path = _found(name)
    program = ["ssmpe"] if Path(sys.argv[0]).stem == "ssmpe" else ["python", "-m", "ssmpe"]
    sys.argv = [str(path), *arguments]
    try:
        runpy.run_path(str(path), {TYPED: [*program, "sweep", name]}, "__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 2
    except Exception as error:
        *_, last = traceback.extract_tb(error.__traceback__)
        beside = Path(last.filename).resolve().is_relative_to(path.resolve().parent)
        if not beside and not isinstance(error, SyntaxError):
            raise  # a fault that is not the file's
        raise UserError(f"sweep {path}: {told(error, traceback.format_exc())}") from None
    raise UserError(f"{path}: no sweep: its last line has to be SWEEP = sweep(…) or search(…)")
