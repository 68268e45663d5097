"""A sweep that outlives its tracking server, with a real one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker, check_server
from tests.support.servers import START, TrackingServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TrackingServer]:
    server = TrackingServer(tmp_path)
    server.start()
    yield server
    server.kill()


def report(tracker: Tracker, steps: range) -> None:
    for trial in ("a1", "b2"):
        for step in steps:
            tracker.log(trial, step, {f"loss/{i}": step + i / 10 for i in range(30)})


def test_an_outage_of_the_server_is_bridged(server: TrackingServer, tmp_path: Path) -> None:
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
