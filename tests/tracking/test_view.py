"""What MLflow's interface shows of a sweep, and where it is opened."""

import base64
import json
import shlex
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mlflow import MlflowClient

from ssmpe.experiments.sweep import Trial
from ssmpe.runner.planning.presentation import Presentation
from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker
from ssmpe.tracking.ui import run_url, trial_url, ui_command
from ssmpe.tracking.view import View, varied
from tests.support.invented import planned
from tests.support.tracked import WAIT


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


def test_scores_that_hang_on_no_fixed_threshold_come_first(tmp_path: Path) -> None:
    """Of the labelled validation set, and of the kind that is added; others are columns alone."""
    plan = planned(1, tmp_path)
    changes = {"data.added.MusicNet/train": 8, "data.evaluation": ("Bach10/all", "MusicNet/test")}
    config = plan.trials[0].config.replace(changes)
    view = Presentation(plan, (Trial("+MN-8", config),), {}).view
    measures = ("f1_tuned", "average_precision", "blank_rate", "f1")
    asked = [f"{name}/{m}" for name in ("URMP/validation", "MusicNet/test") for m in measures]
    assert view.curves == tuple(asked)
    assert view.scores == (*asked, *(f"Bach10/all/{m}" for m in measures))
    ends = ("URMP/validation", "MusicNet/test")
    assert view.outcome == tuple(f"{n}/{m}" for n in ends for m in ("f1_tuned", "blank_rate"))


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
