"""Real servers on loopback, to be started and killed at will."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

START = 60.0
"""seconds a server may take to start; 5 to 15 are usual"""


class TrackingServer:
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
