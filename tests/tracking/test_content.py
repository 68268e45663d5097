"""What a run in the store holds: points, parameters, files and sets, in forms that it takes."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ssmpe.tracking import schema
from ssmpe.tracking.inputs import UsedSet
from ssmpe.tracking.tracker import Tracker
from tests.support.tracked import WAIT, line, points, runs_of


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
