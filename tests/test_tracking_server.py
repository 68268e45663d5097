"""A sweep that outlives its tracking server, with a real one."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker, check_server

START = 60.0
"""seconds a server may take to start; 5 to 15 are usual"""


class Server:
    """MLflow's tracking server on a port of this machine, to be started and killed at will.

    Args:
        folder: of its log, and of records and artifacts unless they go elsewhere.
        settings: further environment.
    """

    def __init__(
        self,
        folder: Path,
        backend: str | None = None,
        artifacts: str | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.uri = f"http://localhost:{self.port}"
        self._folder = folder
        self._backend = backend or f"sqlite:///{folder}/mlflow.db"
        self._artifacts = artifacts or str(folder / "artifacts")
        self._settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = [
            *("--backend-store-uri", self._backend),
            *("--artifacts-destination", self._artifacts),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"),
            *("--allowed-hosts", f"localhost:{self.port}"),
        ]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *arguments],
                env=os.environ | self._settings,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that its workers can be killed with it
            )
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            with suppress(OSError):
                urllib.request.urlopen(f"{self.uri}/health", timeout=1).close()
                return
            time.sleep(0.2)
        raise TimeoutError((self._folder / "server.log").read_text())

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


def report(tracker: Tracker, steps: range) -> None:
    for trial in ("a1", "b2"):
        for step in steps:
            tracker.log(trial, step, {f"loss/{i}": step + i / 10 for i in range(30)})


def test_an_outage_of_the_server_is_bridged(server: Server, tmp_path: Path) -> None:
    check_server(server.uri)
    # /health would say that this is fine
    with pytest.raises(UserError, match=r"refuses the host name '127\.0\.0\.1'.*--allowed-hosts"):
        check_server(f"http://127.0.0.1:{server.port}")

    tracker = Tracker(server.uri, tmp_path / "spool")
    parent = tracker.start_sweep("sample_count", "calm-otter", {}, {"m": 4})
    for trial in ("a1", "b2"):
        tracker.start_trial(trial, f"trial {trial}", {}, {"seed": 0})
    report(tracker, range(100))
    server.kill()  # while it is being told

    start = time.monotonic()
    report(tracker, range(100, 150))
    picture = tmp_path / "000100.png"
    picture.write_bytes(b"a picture")
    tracker.log_file("a1", picture, "salience/URMP-validation")
    picture.unlink()
    tracker.end_trial("a1", "FINISHED", {schema.END_REASON: "completed"})
    assert time.monotonic() - start < 2  # never waits for the server
    assert not tracker.flush(0.5)
    assert not tracker.close(0.5)

    with pytest.raises(UserError, match="Connection refused"):
        check_server(server.uri)
    resumed = Tracker(server.uri, tmp_path / "spool")  # of a sweep without start_sweep
    resumed.start_trial("b2", "trial b2", {}, {"seed": 0})
    report(resumed, range(120, 200))
    resumed.end_trial("b2", "FINISHED", {})
    resumed.end_sweep("FINISHED", {})
    server.start()
    assert resumed.close(START)
    assert not (tmp_path / "spool").exists()

    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name("sample_count")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == ["calm-otter", "trial a1", "trial b2"]
    assert runs["calm-otter"].info.run_id == parent
    assert runs["calm-otter"].info.status == runs["trial b2"].info.status == "FINISHED"
    assert runs["trial b2"].data.tags[schema.PARENT_RUN] == parent
    for metric in range(0, 30, 7):
        for name in ("trial a1", "trial b2"):
            history = client.get_metric_history(runs[name].info.run_id, f"loss/{metric}")
            history.sort(key=lambda point: (point.timestamp, point.step))
            assert [point.step for point in history] == list(range(200))
            assert [point.value for point in history] == [s + metric / 10 for s in range(200)]
    folder = client.download_artifacts(runs["trial a1"].info.run_id, "salience", str(tmp_path))
    assert (Path(folder) / "URMP-validation" / "000100.png").read_bytes() == b"a picture"
