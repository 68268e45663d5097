"""``ssmpe transcribe``: pitches of one's own recordings."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ssmpe.commands import weights
from ssmpe.console import TaskBar, make_folder, printable
from ssmpe.errors import UserError

if TYPE_CHECKING:
    from ssmpe.transcription.trained import Trained
    from ssmpe.transcription.transcribe import Transcription

OUT = Path("transcriptions")
"""Default folder of the outputs: beside a recording may lie its annotation, of the same name"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="audio")
    weights.add_options(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=OUT,
        metavar="DIR",
        help=f"folder of NAME.csv, NAME.txt, NAME.mid and NAME.png (default: ./{OUT})",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, console: Console) -> int:
    """Transcribe files; those that cannot be are a line each at the end.

    Raises:
        UserError: nothing can be transcribed as it was asked for.
    """
    from ssmpe.transcription.trained import with_threads
    from ssmpe.transcription.transcribe import clear_unfinished

    _check_names(given.files)
    _spare_annotations(given.files, given.out)
    trained = weights.load(given, console)
    make_folder("--out", given.out)
    clear_unfinished(given.out)
    failures, used = [], f"threshold: {weights.threshold_of(given, trained)}"
    try:
        with with_threads(trained.network, given.threads), TaskBar(console) as bar:
            for path in given.files:
                try:
                    done = _transcribed(path, given.out, trained, bar)
                except UserError as error:
                    failures.append(str(error))
                else:
                    console.print(_told(path, done, given.out), soft_wrap=True)
        if len(failures) < len(given.files):
            console.print(printable(used), soft_wrap=True)
    finally:
        for failure in failures:
            print(f"error: {printable(failure)}", file=sys.stderr)
    return 2 if failures else 0


def _told(path: Path, done: "Transcription", out: Path) -> str:
    found = f"{done.seconds:.1f} s, pitches in {done.pitched:.0%} of frames, {done.n_notes} notes"
    return printable(f"{path}: {found}: {out / path.stem}.{{csv,txt,mid,png}}")


def _transcribed(path: Path, out: Path, trained: "Trained", bar: TaskBar) -> "Transcription":
    from ssmpe.transcription.transcribe import transcribe

    def show(name: str, what: str, done: int, total: int) -> None:
        bar.show(f"{what} {name} (s)", done, total)

    try:
        return transcribe(path, out, trained, partial(show, printable(path.name)))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UserError(f"{path}: cannot be written to {out} ({error.strerror})") from None


def _check_names(paths: Sequence[Path]) -> None:
    """Refuse files of one name in different folders, which would overwrite each other."""
    by_name: dict[str, Path] = {}
    for path in paths:
        if path.stem in by_name:
            raise UserError(
                f"{by_name[path.stem]} and {path} would both become {path.stem}.csv: transcribe "
                "them one after the other, with an --out of their own"
            )
        by_name[path.stem] = path


def _spare_annotations(paths: Sequence[Path], out: Path) -> None:
    """Refuse to replace what lies beside a recording and has its name."""
    from ssmpe.transcription.transcribe import outputs

    for path in paths:
        there = [one for one in outputs(path, out) if os.path.isfile(one)]
        if there and os.path.realpath(path.parent) == os.path.realpath(out):
            raise UserError(
                f"--out {out}: {there[0].name} lies there beside {path.name}, its annotation "
                "perhaps, and would be replaced: give another folder, or remove it first"
            )
