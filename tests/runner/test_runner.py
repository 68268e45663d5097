"""Sweeps with real Ray and a real MLflow store, run as a user runs them."""

import json
import os
import subprocess

import pytest
from mlflow.artifacts import download_artifacts

from ssmpe.config.presets import tiny
from ssmpe.network.model import Autoencoder
from ssmpe.tracking import schema
from ssmpe.training import checkpoint
from tests.support import sweeping


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    return sweeping.measured(tmp_path_factory)


def test_every_report_is_a_line_of_a_log(undisturbed):
    _, output = undisturbed
    lines = [line for line in output.splitlines() if "Ref. seed 0" in line and "/24" in line]
    batches = [int(line.split("/24")[0].split()[-1]) for line in lines]
    assert batches[0] == 0
    assert set(range(3, 25, 3)) <= set(batches)
    assert "blank: URMP" in lines[1]
    assert any("completed" in line for line in lines)


def test_the_parent_run_says_what_was_asked(undisturbed):
    folder, output = undisturbed
    (parent,) = sweeping.runs(folder, "sweep")
    assert parent.data.tags[schema.SWEEP] == sweeping.sweep_name(output)
    assert parent.data.tags[schema.STATE] == "finished"
    assert parent.data.tags[schema.QUESTION].endswith("?")
    assert parent.data.tags[schema.DATA].startswith("embedded world")
    assert parent.data.params["version.torch"].startswith("2.13")
    assert parent.info.status == "FINISHED"


def test_every_trial_has_its_run(undisturbed):
    folder, _ = undisturbed
    (parent,) = sweeping.runs(folder, "sweep")
    added, closed = sweeping.runs(folder, "trial")
    assert (added.data.tags[schema.ROW], closed.data.tags[schema.ROW]) == ("+NS-1", "Ref.")
    assert added.data.tags[schema.ADDED_SET] == "NSynth/train"
    assert added.data.tags[schema.ADDED_EXCERPTS] == "1"
    for run in (added, closed):
        assert run.data.tags[schema.PARENT_RUN] == parent.info.run_id
        assert run.data.tags[schema.END_REASON] == "completed"
        assert json.loads(run.data.tags[schema.COLLAPSED_AT]) == {"URMP/validation": None}
        assert json.loads(run.data.tags[schema.COLLAPSE_KIND]).keys() == {"URMP/validation"}
        assert run.data.params["training.n_batches"] == "24"


def test_a_trial_is_told_from_others_by_its_name_parameters_and_description(undisturbed):
    added, closed = sweeping.runs(undisturbed[0], "trial")
    assert (added.info.run_name, closed.info.run_name) == ("+NS-1", "Ref.")  # of a single seed
    count = "data.added.NSynth/train"
    assert (added.data.params[count], closed.data.params[count]) == ("1", "0")
    assert f"`{count}`: 1 (none)" in added.data.tags[schema.NOTE]
    assert count not in closed.data.tags[schema.NOTE]
    (parent,) = sweeping.runs(undisturbed[0], "sweep")
    assert parent.data.tags[schema.QUESTION] in parent.data.tags[schema.NOTE]


def test_trials_name_the_sets_they_use(undisturbed):
    folder, _ = undisturbed
    used = [{name: role for name, *_, role in t["sets"]} for t in sweeping.content(folder).values()]
    closed = {
        "URMP/train": "labelled",
        "URMP/validation": "validation",
        "E-GMD/train": "percussion",
    }
    assert sorted(used, key=len) == [closed, {**closed, "NSynth/train": "added"}]
    inputs = [i for run in sweeping.runs(folder, "trial") for i in run.inputs.dataset_inputs]
    profiles = {i.dataset.name: json.loads(i.dataset.profile) for i in inputs}
    assert profiles["URMP/train"]["tracks"] == 35
    assert 0 < profiles["NSynth/train"]["hours"] < 1


def test_metrics_at_every_validation_once(undisturbed):
    folder, _ = undisturbed
    for trial in sweeping.content(folder).values():
        assert {"loss/total", "URMP/validation/f1", "URMP/validation/blank_rate"} <= set(
            trial["curves"]
        )
        for points in trial["curves"].values():
            assert [step for step, _ in points] == list(range(3, 25, 3))


def test_diagnostics_are_logged_at_every_validation(undisturbed):
    folder, _ = undisturbed
    run = sweeping.runs(folder, "trial")[0]
    assert run.data.metrics.keys() >= {
        "gradient/decoder/cosine/timbre",
        "gradient/encoder/norm/supervised",
        "term/geometric/NSynth/train",
        "pull/target/mean/percussion/NSynth/train",
        "salience/URMP/train/entropy",
    }
    tables = sweeping.client(folder).list_artifacts(run.info.run_id, schema.HISTOGRAM_ARTIFACTS)
    names = [table.path.split("/")[-1] for table in tables]
    assert names == [schema.histogram_file(batch) for batch in range(3, 25, 3)]


def test_artifacts_can_be_used(undisturbed, tmp_path):
    folder, _ = undisturbed
    run = sweeping.runs(folder, "trial")[1]
    uri = f"sqlite:///{folder / 'results' / 'mlflow.db'}"
    path = download_artifacts(
        run_id=run.info.run_id, artifact_path="checkpoint/best", dst_path=tmp_path, tracking_uri=uri
    )
    from pathlib import Path

    network = Autoencoder(tiny().geometry, tiny().model)
    network.load_state_dict(checkpoint.load_tensors(Path(path), "best"))
    pictures = sweeping.client(folder).list_artifacts(
        run.info.run_id, f"{schema.SALIENCE_ARTIFACTS}/URMP-validation"
    )
    assert [p.path.split("/")[-1] for p in pictures] == [f"{b:06d}.png" for b in range(3, 25, 3)]


def test_the_figure_is_drawn_and_logged(undisturbed):
    folder, output = undisturbed
    name = sweeping.sweep_name(output)
    figure = folder / "results" / "figures" / name / "degeneration.png"
    assert figure.stat().st_size > 10_000
    assert f"report: {figure.with_name('report.html')}" in output
    (parent,) = sweeping.runs(folder, "sweep")
    logged = sweeping.client(folder).list_artifacts(parent.info.run_id, schema.FIGURES_ARTIFACTS)
    assert {"degeneration.png", "degeneration.svg", "report.html"} <= {
        f.path.split("/")[-1] for f in logged
    }
    assert "mlflow server --backend-store-uri" in output
    assert f": ssmpe transcribe song.wav --run {name}\n" in output


@pytest.fixture
def small_disk(tmp_path):
    """Make a folder on a disk of 3 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_ends_the_sweep_and_it_can_be_resumed(
    undisturbed, small_disk, tmp_path, tmp_path_factory
):
    code, output = sweeping.run(tmp_path, *sweeping.BOTH, "--storage", str(small_disk))
    assert code == 1, output
    # one line; under load, the engine may have a last word of its own
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, output
    (error,) = errors
    assert "disk" in error
    name = sweeping.sweep_name(output)
    assert f"--resume {name}" in error
    assert "Traceback" not in output
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    code, resumed = sweeping.run(tmp_path, *sweeping.BOTH[:2], "--resume", name)
    assert code == 0, resumed
    assert sweeping.content(tmp_path) == sweeping.undisturbed(tmp_path_factory)
