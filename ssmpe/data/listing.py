"""Looking at a dataset's folder: sorted listings, and what is missing from it."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ssmpe.errors import DataError, UserError


def names_in(folder: Path) -> list[str]:
    """Sorted names in a folder, hidden ones (such as macOS's ``._*`` copies) left out.

    Raises:
        UserError: there is no such folder, or it cannot be listed.
    """
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror})") from None


def require(path: Path, layout: str) -> None:
    """Check that a file or folder is there.

    Args:
        layout: the expected layout, for the message.

    Raises:
        UserError: it is not.
    """
    if not path.exists():
        raise UserError(f"{path} is missing; expected layout: {layout}")


def missing_files(paths: Iterable[Path]) -> list[Path]:
    """Those of ``paths`` that do not exist, in the order given.

    Lists every folder once instead of asking for every file: sets have up to 300,000 of them.
    """
    listings: dict[Path, frozenset[str]] = {}
    missing = []
    for path in paths:
        folder = path.parent
        if folder not in listings:
            listings[folder] = frozenset(names_in(folder) if folder.is_dir() else ())
        if path.name not in listings[folder]:
            missing.append(path)
    return missing


def require_all(paths: Sequence[Path], layout: str) -> None:
    """Check that all files are there.

    Raises:
        DataError: names the first that is not, and tells how many are missing.
    """
    missing = missing_files(paths)
    if missing:
        raise DataError(
            f"{missing[0]} is missing ({len(missing)} of {len(paths)} files are); "
            f"expected layout: {layout}"
        )
