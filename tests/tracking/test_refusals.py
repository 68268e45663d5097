"""Stores and servers that cannot be used: refused in one line, before the sweep and in time."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ssmpe.errors import UserError
from ssmpe.tracking.tracker import Tracker, check_server, local_uri


def test_a_sweep_that_still_runs_cannot_be_opened_again(
    uri: str, open_tracker: Callable[[], Tracker], tmp_path: Path
) -> None:
    open_tracker()
    with pytest.raises(UserError, match="still running in another process"):
        Tracker(uri, tmp_path / "spool")


def test_a_store_that_cannot_be_used_is_refused_before_the_sweep(tmp_path: Path) -> None:
    text = tmp_path / "mlflow.db"
    text.write_text("this is no database, though it is long enough to hold a header of one" * 20)
    for uri, reason in [
        (f"sqlite:///{text}", "file is not a database"),
        (f"sqlite:///{text}/mlflow.db", "File exists"),
        (f"sqlite:///{tmp_path}", "unable to open"),
        ("http://127.0.0.1:9", "Connection refused"),
        ("nonsense://here", "unsupported URI"),
        ("postgresql://127.0.0.1:/x", "no address of a store"),
    ]:
        with pytest.raises(UserError, match=reason) as refused:
            check_server(uri)
        assert str(refused.value).startswith(uri.removeprefix("sqlite:///"))
        assert "\n" not in str(refused.value)
        with pytest.raises(UserError):
            Tracker(uri, tmp_path / "spool").start_sweep("sample_count", "calm-otter", {}, {})
    assert text.read_text().startswith("this is no database")
    check_server(local_uri(tmp_path / "new"))


def test_a_server_that_keeps_silent_is_refused_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.monotonic()
        with pytest.raises(UserError, match="no answer in time"):
            check_server(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert time.monotonic() - start < 10
