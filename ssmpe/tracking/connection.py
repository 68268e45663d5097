"""Where runs are stored: the default SQLite store, and whether a store can be used at all."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ssmpe.errors import UserError
from ssmpe.tracking.credentials import refuse_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
CHECK_TIMEOUT = 5
"""seconds within which a server has to answer before a sweep starts"""
MAX_REASON = 200
"""characters of an error shown within a message"""
_MLFLOW_SETTINGS = {
    # Left alone, one request to a server that is away blocks for four minutes. Retrying is the
    # business of ``Delivery``, which loses nothing by giving up early.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    # a sweep reports to its store and to nobody else
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def local_uri(results: Path) -> str:
    """Return the address of the SQLite store that lies in the folder ``results``."""
    return f"{SQLITE}{results.resolve() / 'mlflow.db'}"


def sqlite_path(uri: str) -> Path | None:
    """Return the absolute path of an SQLite store's file; None for other stores."""
    return Path(uri.removeprefix(SQLITE)).resolve() if uri.startswith(SQLITE) else None


def artifact_location(uri: str) -> str | None:
    """Return where the artifacts of a new experiment go; None leaves it to the server.

    SQLite holds no files: they lie in a folder beside it, named absolutely because the store
    would otherwise mean whatever folder the reader happens to be in.
    """
    path = sqlite_path(uri)
    return None if path is None else str(path.parent / "artifacts")


_ahead: dict[str, Thread] = {}
"""connections that are being made before they are needed"""


def connect_ahead(uri: str) -> None:
    """Begin to connect, while something else is waited for."""

    def attempt() -> None:
        with suppress(Exception):  # who needs it tries again, and says what is wrong
            _connect(uri)

    if uri not in _ahead:
        # no daemon: a process that ends meanwhile must not leave half of the tables
        _ahead[uri] = Thread(target=attempt, name="connect to the store")
        _ahead[uri].start()


def connect(uri: str) -> "MlflowClient":
    """Return a client of the store.

    Importing MLflow takes 1.5 s. The first connection to a new SQLite file creates its tables,
    which takes 1.5 s, on a busy machine 7 s, and which MLflow tells on stderr.
    """
    if thread := _ahead.pop(uri, None):
        thread.join()
    return _connect(uri)


def _connect(uri: str) -> "MlflowClient":
    for name, value in _MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    # that tables are being created is no news to whoever starts a sweep
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def store_errors() -> tuple[type[Exception], ...]:
    """Return what a store or the way to it may raise."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # OSError covers those of requests as well; ImportError is a database without its driver
    return (MlflowException, SQLAlchemyError, OSError, ImportError)


def reason_of(error: BaseException) -> str:
    """Return in a few words of one line what made a request to the store fail."""
    cause: BaseException | None = error
    while cause is not None:  # of a refused connection, the system's word lies deepest
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        cause = cause.__cause__ or cause.__context__
    text = " ".join(str(error).split())
    return text if len(text) <= MAX_REASON else text[:MAX_REASON] + " ..."


def check_server(uri: str) -> None:
    """Make sure that a sweep could report to this store, within about ten seconds.

    Raises:
        UserError: nothing answers there, or it refuses, or the SQLite file cannot be written; or
            the address holds credentials.
    """
    refuse_credentials("--tracking-uri", uri)
    path = sqlite_path(uri)
    if path is not None:
        _check_sqlite(path)
        return
    with _patience(CHECK_TIMEOUT):
        try:
            connect(uri).search_experiments(max_results=1)
        except store_errors() as error:
            raise UserError(_refusal(uri, error)) from error


def _refusal(uri: str, error: Exception) -> str:
    """Say in one line why a store cannot be used, and what to do."""
    host = urlsplit(uri).hostname
    reason = reason_of(error)
    if "Invalid Host header" in reason:
        return (
            f"{uri}: the tracking server refuses the host name {host!r}: start it with "
            f"--allowed-hosts {host}, or use an address that it allows"
        )
    if not uri.startswith(("http://", "https://")):
        return f"{uri}: cannot be used as a tracking store: {reason}"
    if "error code 401" in reason or "error code 403" in reason:
        return (
            f"{uri}: the tracking server refuses access: set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )
    return (
        f"{uri}: no tracking server answers at this address ({reason}): start it, or give "
        "another --tracking-uri"
    )


def _check_sqlite(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=CHECK_TIMEOUT, isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            file.execute("SELECT count(*) FROM sqlite_master")
            file.execute("ROLLBACK")
    except (sqlite3.Error, OSError) as error:
        message = f"{path}: runs cannot be stored there ({error}): give another --tracking-uri"
        raise UserError(message) from error


@contextmanager
def _patience(seconds: int) -> Iterator[None]:
    """Have MLflow wait for answers no longer than this."""
    name = "MLFLOW_HTTP_REQUEST_TIMEOUT"
    before = os.environ.get(name)
    os.environ[name] = str(seconds)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
