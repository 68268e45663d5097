"""A sweep's records in PostgreSQL and its artifacts in object storage, by a real MLflow server."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
from mlflow import MlflowClient
from moto.server import ThreadedMotoServer

from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker, check_server
from tests.support.servers import START, TrackingServer

# Debian keeps it where it is not found
PLACES = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
POSTGRES = shutil.which("postgres", path=os.pathsep.join([*PLACES, os.environ["PATH"]]))
PASSWORD = {"PGPASSWORD": "secret"}
STORAGE = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "us-east-1",
}

pytestmark = pytest.mark.skipif(POSTGRES is None, reason="no PostgreSQL")


class Database:
    """A PostgreSQL of its own on a port of this machine, with one user, who has a password."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        # SQLAlchemy 2.0 and 2.1 have different drivers in mind if none is named
        self.uri = f"postgresql+psycopg2://mlflow@127.0.0.1:{self.port}/postgres"
        # as root it would not run
        self._user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
        password = folder / "password"
        password.write_text(PASSWORD["PGPASSWORD"])
        if self._user:
            shutil.chown(folder, **self._user)
        assert POSTGRES
        initdb = [Path(POSTGRES).with_name("initdb"), "-U", "mlflow", "--no-sync"]
        access = ["-A", "scram-sha-256", f"--pwfile={password}", folder / "data"]
        self._run([*initdb, *access], folder).communicate()
        quick = ("-c", "fsync=off", "-c", "listen_addresses=127.0.0.1")
        command = [POSTGRES, "-D", folder / "data", "-p", str(self.port), "-k", folder, *quick]
        self._process = self._run(command, folder)

    def _run(self, command: list[Any], folder: Path) -> subprocess.Popen[bytes]:
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **self._user)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows, once it answers."""
        deadline = time.monotonic() + START
        while True:
            try:
                connection = psycopg2.connect(
                    host="127.0.0.1",
                    port=self.port,
                    user="mlflow",
                    dbname="postgres",
                    password=PASSWORD["PGPASSWORD"],
                )
                break
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def database() -> Iterator[Database]:
    # not below pytest's own folder, which only its user may enter
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        database.ask("select 1")
        yield database
        database.stop()


@pytest.fixture
def bucket() -> Iterator[str]:
    """Address of an object storage that has the bucket ``music``."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    storage(url).create_bucket(Bucket="music")
    yield url
    server.stop()


def storage(url: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=STORAGE["AWS_DEFAULT_REGION"],
        aws_access_key_id=STORAGE["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=STORAGE["AWS_SECRET_ACCESS_KEY"],
    )


def test_records_are_in_the_database_and_artifacts_in_the_bucket(database, bucket, tmp_path):
    settings = {**PASSWORD, **STORAGE, "MLFLOW_S3_ENDPOINT_URL": bucket}
    server = TrackingServer(tmp_path, database.uri, "s3://music/artifacts", settings)
    server.start()
    try:
        check_server(server.uri)
        tracker = Tracker(server.uri, tmp_path / "spool")
        parent = tracker.start_sweep("sample_count", "calm-otter", {}, {"m": 4})
        tracker.start_trial("a1", "trial a1", {}, {"seed": 0})
        for step in range(200):
            tracker.log("a1", step, {f"loss/{i}": step + i / 10 for i in range(10)})
        picture = tmp_path / "000100.png"
        picture.write_bytes(b"a picture")
        tracker.log_file("a1", picture, "salience")
        tracker.end_trial("a1", "FINISHED", {schema.END_REASON: "completed"})
        tracker.end_sweep("FINISHED", {})
        assert tracker.close(START)

        client = MlflowClient(server.uri)
        experiment = client.get_experiment_by_name("sample_count")
        assert experiment is not None
        runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
        trial = runs["trial a1"]
        assert trial.data.tags[schema.PARENT_RUN] == parent
        history = client.get_metric_history(trial.info.run_id, "loss/3")
        assert sorted((p.step, p.value) for p in history) == [(s, s + 0.3) for s in range(200)]
        # the client needs no key of the bucket: the server fetches for it
        found = client.download_artifacts(trial.info.run_id, "salience/000100.png", str(tmp_path))
        assert Path(found).read_bytes() == b"a picture"
    finally:
        server.kill()
    query = f"select count(*), min(value) from metrics where run_uuid = '{trial.info.run_id}'"
    assert database.ask(query + " and key like 'loss/%'") == [(2000, 0.0)]
    stored = storage(bucket).list_objects_v2(Bucket="music", Prefix="artifacts/")["Contents"]
    assert any(
        o["Key"].endswith(f"{trial.info.run_id}/artifacts/salience/000100.png") for o in stored
    )
    assert "secret" not in (tmp_path / "server.log").read_text()
