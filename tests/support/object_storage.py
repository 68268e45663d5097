"""An S3 server on loopback."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from pyarrow import fs

START_SECONDS = 60.0


class S3Server(NamedTuple):
    """Whoever has its endpoint in ``AWS_ENDPOINT_URL`` finds s3:// there."""

    endpoint: str
    pid: int


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start a server without content."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.1)
        yield S3Server(f"http://127.0.0.1:{port}", server.pid)
    finally:
        server.kill()
        server.wait()


def environment(endpoint: str) -> dict[str, str]:
    """Return what a process needs to use it."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def bucket(name: str) -> str:
    """Make a new bucket on the server that ``AWS_ENDPOINT_URL`` names, and return its URI."""
    filesystem, _ = fs.FileSystem.from_uri(f"s3://{name}?allow_bucket_creation=true")
    filesystem.create_dir(name)
    return f"s3://{name}"


def upload(folder: Path, uri: str) -> None:
    """Copy a folder's content."""
    fs.copy_files(str(folder), uri, source_filesystem=fs.LocalFileSystem())


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """Start a server, for which this process has the environment."""
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(server.endpoint).items():
            patch.setenv(name, value)
        yield server
