"""Credentials come from the environment alone: of an address with one nothing is kept or shown."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from analysis import curves
from ssmpe.__main__ import main as command
from ssmpe.cli import main
from ssmpe.errors import UserError
from ssmpe.tracking.connection import check_server
from ssmpe.tracking.credentials import masked, refuse_credentials
from sweeps.sample_count import SWEEP

SECRET = "hunter2"
WITH_SECRETS = {
    f"http://me:{SECRET}@127.0.0.1:9": "MLFLOW_TRACKING_PASSWORD",
    f"https://{SECRET}@tracking.example": "MLFLOW_TRACKING_TOKEN",
    f"postgresql://me:{SECRET}@db.example/runs": "PGPASSWORD",
    f"postgresql+psycopg2://me:{SECRET}/@x@db.example/runs": "PGPASSWORD",
    f"postgresql://me:9/{SECRET}@db.example/runs": "PGPASSWORD",
    f"postgresql://db.example/runs?user=me&password={SECRET}": "PGPASSWORD",
    f"mysql+pymysql://me:{SECRET}@db.example/runs": "tracking server",
    f"s3://AKIA:{SECRET}@bucket/runs": "AWS_SECRET_ACCESS_KEY",
    f"s3://bucket/runs?secret_key={SECRET}": "AWS_SECRET_ACCESS_KEY",
    f"gs://x:{SECRET}@bucket": "GOOGLE_APPLICATION_CREDENTIALS",
    f"ray://me:{SECRET}@head:10001": "RAY_AUTH_TOKEN",
}
WITHOUT = (
    "",
    "http://127.0.0.1:5000",
    "http://127.0.0.1:5000/prefix/a@b",
    "https://tracking.example/x?y=1",
    "sqlite:////home/me/a:b@c/mlflow.db",
    "postgresql://me@db.example:5432/runs?sslmode=require",
    "s3://bucket/a:b@c?region=eu-central-1",
    "gs://bucket/runs",
    "/home/me:you@work/runs",
    "results/runs",
)


@pytest.mark.parametrize("uri", WITH_SECRETS)
def test_an_address_with_credentials_is_refused_unseen(uri: str) -> None:
    with pytest.raises(UserError) as error:
        refuse_credentials("--storage", uri)
    message = str(error.value)
    assert message.startswith("--storage ")
    assert WITH_SECRETS[uri] in message
    assert SECRET not in message
    assert "\n" not in message


@pytest.mark.parametrize("uri", WITHOUT)
def test_other_addresses_are_fine(uri: str) -> None:
    refuse_credentials("--storage", uri)


def test_what_is_shown_tells_which_address_it_is() -> None:
    shown = masked(f"postgresql://me:{SECRET}@db.example/runs?password={SECRET}")
    assert shown == "postgresql://***@db.example/runs?***"


SCHEMES = {
    "--tracking-uri": ("http", "https", "postgresql", "postgresql+psycopg2", "mysql+pymysql", "gs"),
    "--storage": ("s3", "gs"),
    "--data-root": ("s3", "gs"),
    "--folder": ("s3", "gs"),
    "--address": ("ray",),
}
"""of the addresses that an option takes"""


@pytest.mark.parametrize("option", SCHEMES)
def test_a_sweep_keeps_nothing_of_them(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for uri in (u for u in WITH_SECRETS if u.partition(":")[0] in SCHEMES[option]):
        for more in ((), ("--dry-run",)):
            given = f"mine={uri}" if option == "--folder" else uri
            assert main(SWEEP, None, (option, given, *more)) == 2
            said = capsys.readouterr()
            assert said.err.startswith(f"error: {option} ")
            assert said.err.count("\n") == 1
            assert SECRET not in said.out + said.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("run", [
    lambda uri: command(("transcribe", "x.wav", "--run", "0", "--tracking-uri", uri)),
    lambda uri: curves.main(("--sweep", "x", "--tracking-uri", uri)),
])  # fmt: skip
def test_what_reads_a_store_shows_none_of_them(run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"http://me:{SECRET}@127.0.0.1:9") == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: --tracking-uri http://***@127.0.0.1:9: credentials")
    assert SECRET not in said.out + said.err


def test_a_check_of_datasets_shows_none_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(("data", "check", "--data-root", f"s3://KEY:{SECRET}@bucket/data")) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: --data-root s3://***@bucket/data: credentials")
    assert SECRET not in said.out + said.err


class _Guarded(BaseHTTPRequestHandler):
    """A tracking server with nothing in it, for one who knows the password."""

    EXPECTED = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        allowed = self.headers.get("Authorization") == self.EXPECTED
        body = b'{"experiments": []}' if allowed else b"You are not authenticated."
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - names of the library

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guarded() -> Iterator[str]:
    """Address of such a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Guarded)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_is_given_those_of_the_environment(
    guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="set MLFLOW_TRACKING_USERNAME"):
        check_server(guarded)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    check_server(guarded)
