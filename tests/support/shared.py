"""What takes long to make and is only read: made once for all processes of a run of the tests."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ssmpe.data.store.build import locked

STORE: Path | None = None
"""An empty store, laid ready for sweeps that begin, where making one is not what is tested"""


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder of that name that ``make`` has filled, in whichever process came first.

    Args:
        make: is given the new folder; what it raises, the next to ask tries again.
    """
    base = factory.getbasetemp()
    # processes side by side have folders of their own, in that of the run
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, made = run / "shared" / name, run / "shared" / f"{name}.made"
    folder.parent.mkdir(exist_ok=True)
    with locked(folder.with_name(f"{name}.lock")):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def lay_store(results: Path) -> None:
    """Copy the empty store, if there is one, to a folder of results: making one takes seconds."""
    if STORE and not (results / STORE.name).exists():
        results.mkdir(exist_ok=True)
        shutil.copy(STORE, results)
