"""A way to an MLflow store that is already there."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlparse
from urllib.request import urlopen

from ssmpe.errors import UserError
from ssmpe.tracking.credentials import refuse_credentials

# MLflow takes longer to import than all else together, and a sweep's --help imports this
if TYPE_CHECKING:
    from mlflow import MlflowClient

SERVER_TIMEOUT = 10
"""seconds a tracking server may take to answer; MLflow itself would retry for minutes"""


def _connect(uri: str) -> "MlflowClient":
    refuse_credentials("--tracking-uri", uri)
    # opening a SQLite or folder store that is missing, or foreign, would create MLflow's tables
    scheme = urlparse(uri).scheme
    if scheme == "sqlite":
        _check_sqlite(uri)
    elif scheme in ("http", "https"):
        _check_server(uri)
    elif scheme in ("", "file") and not Path(unquote(urlparse(uri).path)).is_dir():
        raise UserError(f"{uri}: no MLflow store there")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before MLflow is imported
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with _one_line_errors(uri):
        from mlflow import MlflowClient

        return MlflowClient(uri)


def _check_sqlite(uri: str) -> None:
    path = Path(uri.removeprefix("sqlite:///").partition("?")[0])
    if not path.is_file():
        raise UserError(f"{uri}: no MLflow store there (no file {path})")
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path}: not a SQLite database ({error})") from error
    finally:
        connection.close()
    if not {"experiments", "runs", "metrics"} <= tables:
        raise UserError(f"{path}: a SQLite database, but not an MLflow store")


def _check_server(uri: str) -> None:
    try:
        urlopen(f"{uri.rstrip('/')}/health", timeout=SERVER_TIMEOUT).close()
    except HTTPError:
        return  # somebody answers; whether it is MLflow shows in the first request
    except (URLError, OSError) as error:
        raise UserError(f"{uri}: no tracking server answers ({error})") from error


@contextmanager
def opened(uri: str) -> Iterator["MlflowClient"]:
    """Open a store that is there already; what MLflow complains of within becomes one line.

    Raises:
        UserError: there is no store, and none is made; or it refuses.
    """
    client = _connect(uri)
    with _one_line_errors(uri):
        yield client


@contextmanager
def _one_line_errors(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{uri}: MLflow refuses: {first}") from error
