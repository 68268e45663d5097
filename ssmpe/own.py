"""The code of what a user's file adds to the package: where it stands, and its digest."""

import hashlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGE = Path(__file__).parent


def written(thing: Any) -> Any:
    """Return the function or class that somebody has written to make a callable."""
    thing = inspect.unwrap(thing)
    thing = getattr(thing, "func", thing)  # of a partial function
    return thing if inspect.isroutine(thing) or inspect.isclass(thing) else type(thing)


def file_of(thing: Any) -> Path | None:
    """Return the file that a callable was written in; None: there is none."""
    try:
        path = Path(inspect.getfile(written(thing)))
    except (TypeError, ValueError, OSError):  # of a builtin, or a notebook's class
        return None
    return path if path.is_file() else None


def digest_of(*things: Any) -> str:
    """Return a digest of the files that callables were written in.

    Of one without a file, as of a notebook, its own text counts; "" if nothing at all is known.
    """
    texts = dict.fromkeys(_text_of(thing) for thing in things)
    joined = b"\0".join(texts)
    return hashlib.sha256(joined).hexdigest()[:20] if joined else ""


def _text_of(thing: Any) -> bytes:
    path = file_of(thing)
    try:
        return path.read_bytes() if path else inspect.getsource(written(thing)).encode()
    except (TypeError, OSError):
        return b""


def modules_beside(thing: Any) -> list[ModuleType]:
    """Return the modules in the folder of a thing's file, its own and those that it may use.

    What is installed, and this package, is no user's file.
    """
    path = file_of(thing)
    if path is None or is_installed(path):
        return []
    folder = path.resolve().parent
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in ("__main__", "__mp_main__") or name != getattr(module, "__name__", None):
            continue
        if not isinstance(file, str) or is_installed(Path(file)):
            continue
        if Path(file).resolve().is_relative_to(folder):
            found.append(module)
    return found


def is_installed(path: Path) -> bool:
    """Tell whether a file is of this package, of Python's, or of one that was installed."""
    parts = path.parts
    beside_python = path.is_relative_to(Path(inspect.__file__).parent)
    installed = "site-packages" in parts or "dist-packages" in parts
    return path.is_relative_to(_PACKAGE) or beside_python or installed
