"""The way to a store of runs, and whether it can be used at all."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ssmpe.console import without_collecting
from ssmpe.errors import MAX_REASON, UserError
from ssmpe.tracking.credentials import masked, refuse_credentials
from ssmpe.tracking.sqlite import require_usable, sqlite_path

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHECK_TIMEOUT = 5
"""Number of seconds within which a server has to answer before a sweep starts"""
_MLFLOW_SETTINGS = {
    # Left alone, one request to a server that is away blocks for four minutes. Retrying is the
    # business of ``Delivery``, which loses nothing by giving up early.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    # a sweep reports to its store and to nobody else
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


_ahead: dict[str, Thread] = {}
"""Threads that connect to a store before it is needed, by its address"""


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
    with without_collecting():
        from mlflow import MlflowClient

    # that tables are being created is no news to whoever starts a sweep
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    try:
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    except ValueError as error:  # a port that is no number, by SQLAlchemy
        raise UserError(f"{masked(uri)}: no address of a store ({error})") from None


def store_errors() -> tuple[type[Exception], ...]:
    """Return what a store or the way to it may raise."""
    from alembic.util.exc import CommandError  # of a database with tables of another version
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # OSError covers those of requests as well; ImportError is a database without its driver
    return (MlflowException, SQLAlchemyError, CommandError, OSError, ImportError)


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


def check_server(uri: str, *, create: bool = True) -> None:
    """Make sure that a sweep could report to this store, within about ten seconds.

    Args:
        create: make a SQLite file that is missing; False: refuse it, as for a sweep that is
            resumed, of which a new store would know nothing.

    Raises:
        UserError: nothing answers there, or it refuses, or the SQLite file cannot be written; or
            the address holds credentials.
    """
    refuse_credentials("--tracking-uri", uri)
    path = sqlite_path(uri)
    if path is not None:
        require_usable(path, create=create)
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
