"""A trial's weights as MLflow loads them, in a process that knows nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mir_eval
import numpy as np

from ssmpe.tracking import schema
from ssmpe.tracking.mlmodel import FILES, describe
from ssmpe.tracking.tracker import Tracker, local_uri
from ssmpe.training.checkpoint import BEST
from tests.support import transcribing
from tests.support.transcribing import write_tones

checkpoint, command = transcribing.checkpoint, transcribing.command

LOADING = """
import json, sys
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
found = [model.predict(sys.argv[4:]), model.predict(sys.argv[4:], params={"threshold": 0.0})]
json.dump(found, open(sys.argv[3], "w"))
"""


def test_a_model_loaded_by_mlflow_gives_what_the_command_writes(tmp_path, checkpoint, command):
    uri = local_uri(tmp_path / "results")
    tracker = Tracker(uri, tmp_path / "spool")
    tracker.start_sweep("x", "calm-otter", {}, {})
    tracker.start_trial("a1", "closed", {}, {})
    described = describe(tmp_path)
    assert [path.name for path in described] == [*FILES]
    for file in [*(checkpoint / f"{BEST}.{s}" for s in ("pt", "json")), *described]:
        tracker.log_file("a1", file, schema.BEST_CHECKPOINT_ARTIFACT)
    assert tracker.flush(60)
    run = tracker._store.run_id("a1", 0)
    assert tracker.close(60)

    paths = [write_tones(tmp_path / f"{name}.wav", n) for name, n in (("a", 30_000), ("b", 9000))]
    out, model = tmp_path / "out", f"runs:/{run}/{schema.BEST_CHECKPOINT_ARTIFACT}"
    arguments = [sys.executable, "-c", LOADING, uri, model, str(tmp_path / "found.json")]
    settings = {**os.environ, "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    subprocess.run([*arguments, *map(str, paths)], check=True, cwd=tmp_path, env=settings)
    assert command("transcribe", *paths, "--run", run, "--tracking-uri", uri, "--out", out)[0] == 0
    found, with_all_peaks = json.loads((tmp_path / "found.json").read_text())
    n_pitches, n_peaks = (sum(map(len, f[0]["f0s"])) for f in (found, with_all_peaks))
    assert n_peaks > n_pitches
    assert sum(len(frame) for frame in found[0]["f0s"]) > 10
    for path, pitches in zip(paths, found, strict=True):
        times, f0s = mir_eval.io.load_ragged_time_series(str(out / f"{path.stem}.txt"))
        assert np.allclose(pitches["times"], times, atol=1e-6)
        for ours, written in zip(pitches["f0s"], f0s, strict=True):
            assert np.allclose(ours, written, atol=6e-4)


def test_requirements_are_the_versions_that_run(tmp_path):
    pins = Path(describe(tmp_path)[1]).read_text().splitlines()
    assert {"torch==2.13.0", f"numpy=={np.__version__}"} <= set(pins)
    assert not any(pin.startswith(("ssmpe", "pytest")) or "+" in pin for pin in pins)
