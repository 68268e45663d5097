"""What a run has left in a store that is there already."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.connection import (
    check_server,
    connect,
    reason_of,
    sqlite_path,
    store_errors,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient


def fetch_best(uri: str, run: str, folder: Path) -> Path:
    """Copy the best checkpoint of a trial from a store; its folder below ``folder``.

    Args:
        uri: MLflow tracking URI.
        run: id of the trial's run.

    Raises:
        UserError: there is no such store or run, the run is no trial's or has no checkpoint, or
            the store does not answer.
    """
    with reading(uri, run):
        return _fetched(connect(uri), uri, run, folder)


@contextmanager
def reading(uri: str, run: str | None = None) -> Iterator[None]:
    """Read a store that is there already; whatever it raises becomes one line.

    Args:
        run: id of the run that is read; None: runs are searched.

    Raises:
        UserError: there is no such store or run, or the store does not answer.
    """
    _check_exists(uri)
    # its bar would stand between the lines of the one who asks
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        yield
    except store_errors() as error:
        if run is None:
            raise UserError(f"{uri}: runs cannot be read there: {reason_of(error)}") from error
        if getattr(error, "error_code", "") in (
            "RESOURCE_DOES_NOT_EXIST",
            "INVALID_PARAMETER_VALUE",
        ):
            raise UserError(f"{uri}: no run with the id {run!r}") from error
        raise UserError(f"{uri}: run {run} cannot be read there: {reason_of(error)}") from error


def _fetched(client: "MlflowClient", uri: str, run: str, folder: Path) -> Path:
    tags = client.get_run(run).data.tags
    kind = tags.get(schema.KIND)
    if kind == schema.KIND_SWEEP:
        raise UserError(f"{uri}: run {run} is that of a whole sweep: give one of its trials")
    if kind != schema.KIND_TRIAL:
        raise UserError(f"{uri}: run {run} is no trial of a sweep")
    if not client.list_artifacts(run, schema.BEST_CHECKPOINT_ARTIFACT):
        ended = tags.get(schema.END_REASON) or "it has not ended"
        raise UserError(f"{uri}: run {run} has no checkpoint in the store ({ended})")
    return Path(client.download_artifacts(run, schema.BEST_CHECKPOINT_ARTIFACT, str(folder)))


def _check_exists(uri: str) -> None:
    """Check that something is there, since MLflow would make what is not."""
    path = sqlite_path(uri)
    parts = urlsplit(uri)
    if path is not None:
        _check_sqlite(uri, path)
    elif parts.scheme not in ("", "file"):
        check_server(uri)
    elif not Path(parts.path).is_dir():
        raise UserError(f"{uri}: no such tracking store")


def _check_sqlite(uri: str, path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{uri}: no such tracking store: give its --tracking-uri")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as file:
            tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise UserError(f"{path}: cannot be read as a tracking store ({error})") from error
    if not {"runs", "tags"} <= tables:
        raise UserError(f"{path}: a database, but no tracking store")
