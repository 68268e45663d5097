"""The store that a sweep has by default: a SQLite file, and a folder of artifacts beside it.

MLflow opens whatever it is given, makes what is not there, and takes minutes to give up. What can
be known of a file without it is found out here, and said in one line.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from ssmpe.errors import UserError

logger = logging.getLogger(__name__)

SQLITE = "sqlite:///"
"""Beginning of the address of a SQLite store; its path follows"""
BUSY_SECONDS = 5
"""Number of seconds for which a file is waited for that another process writes to"""
MAKING_SECONDS = 60
"""The same, to read it: MLflow makes its tables in one go, for which a busy machine takes long"""
_TABLES = {"experiments", "runs", "tags", "metrics"}
"""Some of the tables that every store of MLflow has"""
_ARTIFACTS = "artifacts"
"""Name of the folder beside a SQLite file that holds its artifacts"""


def local_uri(results: Path) -> str:
    """Return the address of the SQLite store that lies in the folder ``results``."""
    return f"{SQLITE}{results.resolve() / 'mlflow.db'}"


def sqlite_path(uri: str) -> Path | None:
    """Return the absolute path of an SQLite store's file; None for other stores."""
    if not uri.startswith(SQLITE):
        return None
    # unlike Path.resolve, no error for links that lead nowhere
    return Path(os.path.realpath(uri.removeprefix(SQLITE).partition("?")[0]))


def artifact_location(uri: str) -> str | None:
    """Return where the artifacts of a new experiment go; None leaves it to the server.

    SQLite holds no files: they lie in a folder beside it, named absolutely because the store
    would otherwise mean whatever folder the reader happens to be in.
    """
    path = sqlite_path(uri)
    return None if path is None else str(path.parent / _ARTIFACTS)


def require_usable(path: Path, *, create: bool) -> None:
    """Check that runs can be written to a file; if it was moved, adapt what it says of artifacts.

    Args:
        create: a file that is missing is made; else it is refused.

    Raises:
        UserError: they cannot.
    """
    if not create and not os.path.isfile(path):  # tells of any name, without raising
        raise UserError(
            f"{path}: the store of this sweep is not there, and a new one would know nothing of "
            "it: mount it, bring it back, or start from the folder that the results are in now"
        )
    with _told(path, "runs cannot be stored there", "give another --tracking-uri"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            known = _tables(file)
            # what cannot be written tells so only when it is
            file.execute('CREATE TABLE "write test" (x)')
            file.execute("ROLLBACK")
        # of a store that was not finished some tables may be missing
        if known and not known & _TABLES:
            raise sqlite3.DatabaseError("a SQLite database, but not an MLflow store")
        if known >= _TABLES:
            relocate(path)


def require_store(path: Path, uri: str) -> None:
    """Check that a file is a store that can be read; if it was moved, adapt it.

    Raises:
        UserError: it is not.
    """
    if not os.path.exists(path):
        raise UserError(f"{uri}: no MLflow store there (no file {path}): give its --tracking-uri")
    with _told(path, "cannot be read as an MLflow store", "give another --tracking-uri"):
        source = _read_only(path)
        with closing(sqlite3.connect(source, uri=True, timeout=MAKING_SECONDS)) as file:
            tables = _tables(file)
        if not tables >= _TABLES:
            raise sqlite3.DatabaseError("a SQLite database, but not an MLflow store")
        relocate(path)


def relocate(path: Path) -> Path | None:
    """Have a store that was moved, with its folder, find its artifacts where they are now.

    MLflow notes absolute paths. Those of experiments and runs that point into the folder of
    artifacts beside the file's former place are changed in one transaction, and a line says so,
    if that folder is beside the file now, or the former place is gone. Artifacts that were put
    elsewhere, and of stores that cannot be written, stay as they are.

    Returns:
        the folder it was moved from; None if nothing was changed.

    Raises:
        sqlite3.Error: the file is damaged.
    """
    here = path.parent
    with closing(sqlite3.connect(_read_only(path), uri=True, timeout=BUSY_SECONDS)) as file:
        noted = file.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        file.execute("SELECT artifact_uri FROM runs LIMIT 1").fetchall()
    places = [Path(text) for (text,) in noted if text and text.startswith("/")]
    former = {p.parent for p in places if p.name == _ARTIFACTS and p.parent != here}
    moved = [
        folder for folder in former if (here / _ARTIFACTS).is_dir() or not os.path.exists(folder)
    ]
    for folder in moved:
        try:
            _rewrite(path, folder / _ARTIFACTS, here / _ARTIFACTS)
        except sqlite3.OperationalError:  # read-only, or in use: nothing is lost
            return None
        logger.warning("%s: moved here from %s, and goes on from here", path, folder)
    return moved[0] if moved else None


def _rewrite(path: Path, before: Path, now: Path) -> None:
    """Change the beginning of the places of artifacts, in one transaction."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            file.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (str(now), len(str(before)) + 1, str(before), len(str(before)) + 1, f"{before}/"),
            )
        file.execute("COMMIT")


def _tables(file: sqlite3.Connection) -> set[str]:
    return {name for (name,) in file.execute("SELECT name FROM sqlite_master")}


def _read_only(path: Path) -> str:
    return f"file:{quote(str(path))}?mode=ro"


@contextmanager
def _told(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Turn what comes of opening a file that is no store, or a damaged one, into one line."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = str(error)
        if type(error) is sqlite3.DatabaseError and "MLflow" not in reason:
            reason = f"not a SQLite database, or a damaged one: {reason}"
        raise UserError(f"{path}: {what} ({reason}): {remedy}") from error
