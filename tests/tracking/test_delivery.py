"""What reaches the store: once, in order, whatever happens to the driver on the way."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker
from tests.support.tracked import WAIT, line, log_line, points, runs_of


def test_parent_and_children_are_found_by_their_tags(uri: str, tmp_path: Path) -> None:
    tracker = Tracker(uri, tmp_path / "spool")
    parent = tracker.start_sweep("sample_count", "calm-otter", {schema.STATE: "running"}, {"m": 4})
    tracker.start_trial("a1", "closed seed 0", {schema.ROW: "closed"}, {"seed": 0, "lr": 1e-4})
    tracker.start_trial("b2", "+MN-4 seed 0", {schema.ROW: "+MN-4"}, {"seed": 0, "set": ""})
    tracker.end_trial("a1", "FINISHED", {schema.END_REASON: "completed"})
    tracker.end_trial("b2", "FAILED", {schema.END_REASON: "failed"})
    tracker.end_sweep("FINISHED", {schema.STATE: "finished"})
    assert tracker.close(WAIT)

    sweep = runs_of(uri, "sweep")["calm-otter"]
    assert sweep.info.run_id == parent
    assert sweep.info.status == "FINISHED"
    assert sweep.data.tags[schema.STATE] == "finished"
    assert sweep.data.params == {"m": "4"}
    trials = runs_of(uri, "trial")
    assert {run.data.tags[schema.TRIAL] for run in trials.values()} == {"a1", "b2"}
    assert {run.data.tags[schema.PARENT_RUN] for run in trials.values()} == {parent}
    closed, added = trials["closed seed 0"], trials["+MN-4 seed 0"]
    assert closed.data.params == {"seed": "0", "lr": "0.0001"}
    assert (closed.info.status, added.info.status) == ("FINISHED", "FAILED")
    assert added.data.tags[schema.ROW] == "+MN-4"
    assert added.data.tags[schema.END_REASON] == "failed"
    assert not (tmp_path / "spool").exists()


def test_a_retried_trial_continues_its_run(uri: str, open_tracker: Callable[[], Tracker]) -> None:
    tracker = open_tracker()
    tracker.start_trial("a1", "closed", {}, {})
    log_line(tracker, 0, 10, 20, 30)
    tracker.end_trial("a1", "FAILED", {schema.END_REASON: "failed"})
    assert tracker.flush(WAIT)
    assert runs_of(uri, "trial")["closed"].info.status == "FAILED"
    tracker.start_trial("a1", "closed", {}, {})
    log_line(tracker, 20, 30, 40)
    assert tracker.flush(WAIT)
    assert runs_of(uri, "trial")["closed"].info.status == "RUNNING"
    assert points(uri, "closed", "loss/total") == line(0, 10, 20, 30, 40)


def test_a_resumed_sweep_continues_its_runs(uri: str, open_tracker: Callable[[], Tracker]) -> None:
    for steps in [(0, 10, 20), (10, 20, 30), (0, 10, 20, 30, 40)]:
        tracker = open_tracker()
        tracker.start_trial("a1", "closed", {}, {"seed": 0})
        log_line(tracker, *steps)
        tracker.end_trial("a1", "FINISHED", {})
        assert tracker.close(WAIT)
    assert points(uri, "closed", "loss/total") == line(0, 10, 20, 30, 40)
    assert len(runs_of(uri, "sweep")) == 1


def test_a_metric_that_comes_later_is_not_taken_for_a_replay(
    uri: str, open_tracker: Callable[[], Tracker]
) -> None:
    tracker = open_tracker()
    tracker.start_trial("a1", "closed", {}, {})
    tracker.log("a1", 10, {"loss/total": 1.0})
    tracker.log("a1", 10, {"loss/total": 9.0, "URMP/validation/f1": 0.5})
    assert tracker.flush(WAIT)
    assert points(uri, "closed", "loss/total") == [(10, 1.0)]
    assert points(uri, "closed", "URMP/validation/f1") == [(10, 0.5)]


def test_a_finished_sweep_that_is_replayed_whole_stays_as_it_was(
    uri: str, open_tracker: Callable[[], Tracker], tmp_path: Path
) -> None:
    tracker = open_tracker()
    tracker.start_trial("a1", "closed", {}, {"seed": 0})
    log_line(tracker, *range(50))
    tracker.end_trial("a1", "FINISHED", {})
    tracker.end_sweep("FINISHED", {})
    assert tracker.flush(WAIT)
    before = runs_of(uri, "trial")["closed"].to_dictionary()
    # a driver that died just before it could mark all this as delivered
    (tmp_path / "second").mkdir()
    shutil.copy(tmp_path / "spool" / "operations.jsonl", tmp_path / "second")
    assert Tracker(uri, tmp_path / "second").close(WAIT)
    assert runs_of(uri, "trial")["closed"].to_dictionary() == before
    assert points(uri, "closed", "loss/total") == line(*range(50))
    assert runs_of(uri, "sweep")["calm-otter"].info.status == "FINISHED"


KILLED_DRIVER = """
import os, signal, sys
from pathlib import Path
from ssmpe.tracking.tracker import Tracker
uri, spool, source = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
tracker = Tracker(uri, spool)
tracker.start_sweep("sample_count", "calm-otter", {}, {})
tracker.start_trial("a1", "closed", {}, {})
for step in range(1000):
    tracker.log("a1", step, {"loss/total": step / 10} | {f"loss/{i}": i for i in range(20)})
    if step == 500:
        tracker.flush(0.5)  # some of it is delivered, some is not
source.write_text("before the end")
tracker.log_file("a1", source, "")
source.unlink()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_lost_or_doubled_by_a_killed_driver(uri: str, tmp_path: Path) -> None:
    arguments = [uri, str(tmp_path / "spool"), str(tmp_path / "note.txt")]
    driver = subprocess.run([sys.executable, "-c", KILLED_DRIVER, *arguments], timeout=WAIT)
    assert driver.returncode == -signal.SIGKILL
    assert Tracker(uri, tmp_path / "spool").close(WAIT)
    assert points(uri, "closed", "loss/total") == line(*range(1000))
    assert [step for step, _ in points(uri, "closed", "loss/19")] == list(range(1000))
    client, run = MlflowClient(uri), runs_of(uri, "trial")["closed"].info.run_id
    note = Path(client.download_artifacts(run, "note.txt", str(tmp_path)))
    assert note.read_text() == "before the end"


def test_what_the_store_rejects_holds_up_nothing_else(
    uri: str, open_tracker: Callable[[], Tracker], caplog: pytest.LogCaptureFixture
) -> None:
    tracker = open_tracker()
    tracker.start_trial("a1", "closed", {}, {})
    log_line(tracker, 0, 1)
    tracker.log("a1", 2, {"not//a/key": 1.0})
    log_line(tracker, 3, 4)
    assert tracker.flush(WAIT)
    assert points(uri, "closed", "loss/total") == line(0, 1, 3, 4)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
