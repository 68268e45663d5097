"""What reaches the store: once, in order, whatever happens to the driver on the way."""

import base64
import json
import math
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.connection import connect
from ssmpe.tracking.inputs import UsedSet
from ssmpe.tracking.tracker import Tracker, check_server, local_uri
from ssmpe.tracking.ui import run_url, trial_url, ui_command
from ssmpe.tracking.view import View, varied

WAIT = 30.0
"""seconds that a store on this machine certainly needs less than"""


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite store without runs: making one takes seconds, copying it none."""
    folder = tmp_path_factory.mktemp("store")
    connect(local_uri(folder))
    return folder / "mlflow.db"


@pytest.fixture
def uri(empty_store: Path, tmp_path: Path) -> str:
    results = tmp_path / "results of #1"
    results.mkdir()
    shutil.copy(empty_store, results)
    return local_uri(results)


@pytest.fixture
def open_tracker(uri: str, tmp_path: Path) -> Iterator[Callable[[], Tracker]]:
    trackers: list[Tracker] = []

    def opened() -> Tracker:
        trackers.append(Tracker(uri, tmp_path / "spool"))
        trackers[-1].start_sweep("sample_count", "calm-otter", {}, {})
        return trackers[-1]

    yield opened
    for tracker in trackers:
        tracker.close(WAIT)


def runs_of(uri: str, kind: str) -> dict[str, Run]:
    """Return the runs of a kind in a store by name; fails if a name is there twice."""
    client = MlflowClient(uri)
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`{schema.KIND}` = '{kind}'")
    assert len({run.info.run_name for run in runs}) == len(runs)
    return {run.info.run_name: run for run in runs}


def points(uri: str, run: str, metric: str) -> list[tuple[int, float]]:
    """Return (step, value) of every point of a trial's metric, in order of their timestamps."""
    run_id = runs_of(uri, "trial")[run].info.run_id
    history = MlflowClient(uri).get_metric_history(run_id, metric)
    return [(m.step, m.value) for m in sorted(history, key=lambda m: (m.timestamp, m.step))]


def line(*steps: int) -> list[tuple[int, float]]:
    return [(step, step / 10) for step in steps]


def log_line(tracker: Tracker, *steps: int, trial: str = "a1") -> None:
    for step in steps:
        tracker.log(trial, step, {"loss/total": step / 10})


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


def test_values_that_are_not_finite_are_missing_points(
    uri: str, open_tracker: Callable[[], Tracker]
) -> None:
    tracker = open_tracker()
    tracker.start_trial("a1", "closed", {}, {})
    for step, value in enumerate([0.5, math.nan, math.inf, -math.inf, 0.25]):
        tracker.log("a1", step, {"URMP/validation/f1": value, "loss/total": step / 10})
    tracker.log("a1", 5, {"URMP/validation/f1": math.nan})
    assert tracker.flush(WAIT)
    assert points(uri, "closed", "URMP/validation/f1") == [(0, 0.5), (4, 0.25)]
    assert points(uri, "closed", "loss/total") == line(0, 1, 2, 3, 4)


def test_parameters_keep_their_first_value_and_fit_the_store(
    uri: str, open_tracker: Callable[[], Tracker], caplog: pytest.LogCaptureFixture
) -> None:
    tracker = open_tracker()
    tracker.start_trial("a1", "closed", {}, {"lr": 1e-4, "a#b": "#", "long": "x" * 7000})
    tracker.start_trial("a1", "closed", {schema.DATA: "y" * 9000}, {"lr": 1e-3, "new": None})
    tracker.start_trial("a1", "closed", {}, {"lr": 1e-4, "k" * 300: 1})
    assert tracker.flush(WAIT)
    data = runs_of(uri, "trial")["closed"].data
    assert data.params == {
        "lr": "0.0001",
        "a_b": "#",
        "long": "x" * 6000,
        "new": "None",
        "k" * 250: "1",
    }
    assert data.tags[schema.DATA] == "y" * 8000
    assert not caplog.records


def test_files_arrive_in_their_folders_though_their_source_is_gone(
    uri: str, open_tracker: Callable[[], Tracker], tmp_path: Path
) -> None:
    tracker = open_tracker()
    tracker.start_trial("a1", "closed", {}, {})
    picture, config, missing = (tmp_path / name for name in ("000100.png", "config.json", "no"))
    picture.write_bytes(b"a picture")
    tracker.log_file("a1", picture, "salience/URMP-validation")
    picture.unlink()
    for text in ("first", "second"):
        config.write_text(text)
        tracker.log_file("a1", config, "")
        tracker.log_file(None, config, schema.FIGURES_ARTIFACTS)
    tracker.log_file("a1", missing, "")
    assert tracker.flush(WAIT)
    client, run = MlflowClient(uri), runs_of(uri, "trial")["closed"].info
    assert [entry.path for entry in client.list_artifacts(run.run_id)] == [
        "config.json",
        "salience",
    ]
    folder = Path(client.download_artifacts(run.run_id, "", str(tmp_path)))
    assert (folder / "salience/URMP-validation/000100.png").read_bytes() == b"a picture"
    assert (folder / "config.json").read_text() == "second"
    sweep = runs_of(uri, "sweep")["calm-otter"].info
    figures = [entry.path for entry in client.list_artifacts(sweep.run_id, "figures")]
    assert figures == ["figures/config.json"]
    # beside the database, wherever the sweep was started
    assert Path(run.artifact_uri).is_relative_to(tmp_path / "results of #1" / "artifacts")
    assert not list((tmp_path / "spool" / "files").iterdir())


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


def saved_view(uri: str, experiment: str, key: str) -> dict[str, Any]:
    """Return the interface's state as it reads it from an experiment's tag."""
    tags = MlflowClient(uri).get_experiment(experiment).tags
    saved = json.loads(tags[f"mlflow.sharedViewState.{key}"])
    assert saved["name"] == key
    form, _, packed = saved["state"].partition(";")
    assert form == "deflate"
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return state


def test_a_view_of_what_differs_is_saved_for_the_interface(uri: str, tmp_path: Path) -> None:
    trials: list[dict[str, Any]] = [
        {"data.added.MusicNet/train": 0, "objectives.weights.timbre": 0.25, "training.seed": 0},
        {"data.added.MusicNet/train": 8, "objectives.weights.timbre": 0.25, "model.extra": 1},
    ]
    trials[0] |= {"decay": None, "parent": ""}
    trials[1] |= {"decay": 0.9, "parent": "abc"}
    assert varied(trials) == {
        "data.added.MusicNet/train": True,
        "training.seed": False,
        "model.extra": False,
        "decay": False,
        "parent": False,
    }
    many = tuple(f"objectives.weights.a_term_with_a_long_name_{i}" for i in range(40))
    f1 = schema.set_metric("URMP/validation", "f1")
    view = View(many, many, (f1,), (f1,), (f1,), n_runs=10_000, averaged=True)
    tracker = Tracker(uri, tmp_path / "spool")
    for shown in (View(), view):  # a resumed sweep's is the one that counts
        tracker.start_sweep("sample_count", "calm-otter", {}, {}, shown)
    assert tracker.close(WAIT)
    (experiment,) = MlflowClient(uri).search_experiments(filter_string="name = 'sample_count'")
    state = saved_view(uri, experiment.experiment_id, "calm-otter")
    assert state["selectedColumns"][1] == f"params.`{many[0]}`"
    assert state["selectedColumns"][-1] == f"metrics.`{f1}`"
    assert state["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": schema.ROW}]
    axes, curve = state["compareRunCharts"]
    assert (axes["selectedParams"], axes["selectedMetrics"]) == ([*many], [f1])
    assert curve["metricKey"] == f1
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {axes["metricSectionId"], curve["metricSectionId"]} == sections


def test_sets_are_inputs_of_every_run_that_uses_them_and_of_none_twice(
    uri: str, open_tracker: Callable[[], Tracker]
) -> None:
    size = {"tracks": 2, "hours": 0.5}
    labelled = UsedSet("URMP/train", "1" * 20, "embedded-tiny/URMP/train", "labelled", size)
    added = UsedSet("MusicNet/train", "2" * 20, "embedded-tiny/MusicNet/train", "added", size)
    for _ in range(2):
        tracker = open_tracker()
        for trial, sets in {"a1": [labelled], "b2": [labelled, added]}.items():
            tracker.start_trial(trial, trial, {}, {})
            tracker.log_sets(trial, sets)
            tracker.log_sets(trial, sets)
        assert tracker.close(WAIT)
    client = MlflowClient(uri)
    found = {}
    for name, run in runs_of(uri, "trial").items():
        logged = client.get_run(run.info.run_id).inputs
        assert logged
        inputs = logged.dataset_inputs
        found[name] = {
            i.dataset.name: (i.dataset, {t.key: t.value for t in i.tags}) for i in inputs
        }
        assert len(inputs) == len(found[name])
    assert {name: sorted(sets) for name, sets in found.items()} == {
        "a1": ["URMP/train"],
        "b2": ["MusicNet/train", "URMP/train"],
    }
    dataset, context = found["b2"]["MusicNet/train"]
    assert context == {"mlflow.data.context": "added"}
    assert dataset.digest == "2" * 20
    assert json.loads(dataset.profile or "") == size
    assert json.loads(dataset.source) == {"uri": "embedded-tiny/MusicNet/train"}


def test_the_interface_is_opened_on_the_trials_of_the_sweep(
    uri: str, open_tracker: Callable[[], Tracker]
) -> None:
    tracker = open_tracker()
    tracker.start_trial("a1", "closed", {schema.ROW: "closed"}, {"data.added.MusicNet/train": 0})
    assert tracker.flush(WAIT)
    words = shlex.split(ui_command(uri))
    assert words[0] == "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false"
    assert words[words.index("--backend-store-uri") + 1] == uri
    link = urlsplit(urlsplit(tracker.url).fragment)
    assert urlsplit(tracker.url).port == int(words[words.index("--port") + 1])
    experiment = link.path.split("/")[2]
    state = saved_view(uri, experiment, parse_qs(link.query)["viewStateShareKey"][0])
    plain = parse_qs(urlsplit(urlsplit(run_url(uri, experiment, "calm-otter")).fragment).query)
    # what either page asks the store for finds the trial and not the sweep
    for wanted, order in [
        (state["searchFilter"], state["orderByKey"]),
        (plain["searchFilter"][0], plain["orderByKey"][0]),
    ]:
        found = MlflowClient(uri).search_runs([experiment], wanted, order_by=[f"{order} ASC"])
        assert [run.info.run_name for run in found] == ["closed"]
    assert run_url("https://runs.example.org/", "7", "s").startswith("https://runs.example.org/#/")
    assert (
        trial_url("sqlite:///x.db", "7", "abc") == "http://127.0.0.1:5000/#/experiments/7/runs/abc"
    )
    assert ui_command("https://runs.example.org").endswith("webbrowser https://runs.example.org")
