"""How a case is tried: what it may do, and what it must not leave, say or end with."""

import io
import os
import re
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random

from ssmpe.errors import UserError

Kind = Callable[[Random, Path], None]
"""A case: made and tried in a folder of its own; raises ``UserError`` if it was refused"""

ROOT = f"{Path(__file__).parents[3]}/"
OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class WrongError(Exception):
    """What came of a case is neither a result nor a refusal."""


def case(kind: Kind, rng: Random, here: Path) -> tuple[str, str]:
    """Try a case in an empty folder: ("accepted" | "refused" | "failed", what was said)."""
    here.mkdir()
    before = Path.cwd()
    os.chdir(here)
    try:
        kind(rng, here)
    except UserError as error:
        return "refused", str(error)
    except WrongError as error:
        return "failed", str(error)
    except BaseException as error:
        return "failed", _traced(error)
    finally:
        os.chdir(before)
        shutil.rmtree(here, ignore_errors=True)
    return "accepted", ""


def commanded(run: Callable[[], object], most: int = 1) -> None:
    """Run a command; what it prints and how it ends must be a result or a refusal of one line.

    Args:
        most: lines of a refusal, where each of several things may be refused.
    """
    out, err = io.StringIO(), io.StringIO()
    parsed = False
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = run()
        except SystemExit as ended:
            code = ended.code or 0
            parsed = "usage:" in err.getvalue() + out.getvalue() or ": error: " in err.getvalue()
    said = err.getvalue()
    if OBEYED.search(said + out.getvalue()):
        raise WrongError(f"prints {(said + out.getvalue())!r:.300}")
    lines = said.removesuffix("\n").split("\n")
    refused = all(line.startswith("error: ") for line in lines) and len(lines) <= most
    if code == 2 and not parsed and not refused:
        raise WrongError(f"not one line: {said!r:.500}")
    if code not in (0, 2):
        raise WrongError(f"exit code {code!r}: {said!r:.300}")
    if code == 2:
        raise UserError(lines[-1])


def check_kept(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        raise WrongError(f"{path.name} was changed or lost")


def _traced(error: BaseException) -> str:
    where = error.__traceback__
    frames = []
    while where is not None:
        frames.append(f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}")
        where = where.tb_next
    own = [
        frame.removeprefix(ROOT)
        for frame in frames
        if frame.startswith((f"{ROOT}ssmpe", f"{ROOT}analysis"))
    ]
    return f"{type(error).__name__}: {error!s:.200} ({', '.join([*own[-2:], frames[-1]])})"
