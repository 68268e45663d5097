"""The folders ``sweeps`` and ``analysis``, which are no part of the package.

In a checkout they stand beside it. In an installed package they lie within it, so that nothing but
``ssmpe`` is in site-packages, where a folder ``analysis`` of anybody's could be taken for ours.
"""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_INSTALLED = _HERE / "_bundled"


def folder() -> Path:
    """Return the folder that has ``sweeps`` and ``analysis``."""
    return _INSTALLED if _INSTALLED.is_dir() else _HERE.parent


def analysis(name: str) -> Any:
    """Import a module of ``analysis``, ours and nobody else's; to be called by commands alone.

    What is found first by the name ``analysis`` is changed for the whole process.
    """
    place = str(folder())
    if sys.path[:1] != [place]:
        sys.path.insert(0, place)
    return importlib.import_module(f"analysis.{name}")


def figures() -> list[str]:
    """Return the names of the modules of ``analysis`` that are commands."""
    found = (folder() / "analysis").glob("[!_]*.py")
    return sorted(p.stem for p in found if re.search(r"^(def main\(|main = )", p.read_text(), re.M))


def sweep_file(name: str) -> Path | None:
    """Return the file of a sweep, given by its path or its name; None if there is none.

    A name is looked for in the current folder, in ``sweeps`` there, and among the sweeps that come
    with the package.
    """
    if name.endswith(".py"):
        return Path(name) if Path(name).is_file() else None
    here, ours = Path.cwd(), folder() / "sweeps"
    places = (place / f"{name}.py" for place in (here, here / "sweeps", ours))
    return next((path for path in places if path.is_file()), None)


def sweep_files() -> list[Path]:
    """Return the files of the sweeps that come with the package, by name."""
    return sorted((folder() / "sweeps").glob("[!_]*.py"))
