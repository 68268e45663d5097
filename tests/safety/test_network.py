"""Nothing that is started can be reached from another machine; of a sweep: ``test_secrets``."""

import os
import re
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

from mlflow import MlflowClient

from ssmpe.tracking.sqlite import local_uri
from ssmpe.tracking.ui import PORT, ui_command
from tests.support.processes import tree
from tests.support.sockets import Listener, listeners

PATIENCE = 120
"""seconds"""


def test_what_listens_on_all_interfaces_is_told_from_what_listens_on_loopback() -> None:
    found = set()
    for family, address in (
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
        (socket.AF_INET6, "::ffff:127.0.0.1"),
    ):
        with (
            closing(socket.socket(family, socket.SOCK_STREAM)) as stream,
            closing(socket.socket(family, socket.SOCK_DGRAM)) as datagrams,
        ):
            stream.bind((address, 0))
            stream.listen()
            datagrams.bind((address, 0))
            ports = {one.getsockname()[1] for one in (stream, datagrams)}
            own = [one for one in listeners({os.getpid()}) if one.port in ports]
        assert {one.protocol[:3] for one in own} == {"tcp", "udp"}, address
        found |= {(address, one.is_loopback) for one in own}
    assert found == {
        ("127.0.0.1", True),
        ("0.0.0.0", False),
        ("::1", True),
        ("::", False),
        ("::ffff:127.0.0.1", True),
    }


def test_the_interface_listens_on_loopback_alone(tmp_path: Path) -> None:
    uri = local_uri(tmp_path)
    MlflowClient(uri).search_experiments()  # makes its tables
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]  # that of the command may be taken
    command, replaced = re.subn(rf"--port {PORT}$", f"--port {port}", ui_command(uri))
    assert replaced
    process = subprocess.Popen(
        ["sh", "-c", f"exec env {command}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        found = _listening_on(process, port)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert not [one for one in found if not one.is_loopback]


def _listening_on(process: subprocess.Popen[bytes], port: int) -> list[Listener]:
    """All that a server and its workers listen on, once it listens on its port."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        found = listeners(tree(process.pid))
        if any(one.port == port for one in found):
            return found
        time.sleep(0.5)
    raise AssertionError("the server does not listen")
