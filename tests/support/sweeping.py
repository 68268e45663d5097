"""Runs sweep scripts as a user does, and reads back what they stored."""

import io
import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ssmpe.tracking import schema
from tests.support.shared import lay_store, once

ROOT = Path(__file__).parents[2]
UNREPORTED = ROOT / "tests" / "support" / "unreported" / "sweep.py"
"""script that runs the sweep named by its first argument, without the report at its end"""
BRIEF = (
    *("--set", "data.labelled_excerpts=1"),
    *("--set", "data.evaluation=[]"),
    *("--set", "training.n_batches=24"),
    *("--set", "training.validate_every=3"),
)
"""a trial of some seconds with eight validations"""
GIVEN = ("--rows", "Ref.,+NS-1", *BRIEF)
"""options of a sweep of two such trials, which run side by side"""
BOTH = (UNREPORTED, "sample_count", *GIVEN)
"""that sweep, as it is started"""
DIAGNOSTIC = ("gradient/", "term/", "pull/", "salience/")
"""beginnings of the metrics that only a sweep with diagnostics has"""
AT_WORK = r" [1-9]\d*/24 +running"
"""line of a trial of ``BRIEF`` behind a validation; resumed, it tells its last one again"""


def command(script: Path | str, *arguments: str) -> list[str]:
    path = ROOT / "sweeps" / script if isinstance(script, str) else script
    return [sys.executable, str(path), *arguments]


def measured(factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder and the output of ``BOTH`` with diagnostics and report, run once."""

    def make(folder: Path) -> None:
        code, output = run(folder, "sample_count.py", *GIVEN, "--diagnostics", "2")
        assert code == 0, output
        (folder / "output").write_text(output)

    folder = once(factory, "undisturbed", make)
    return folder, (folder / "output").read_text()


def undisturbed(factory: pytest.TempPathFactory) -> dict:
    """Return what ``BOTH`` stores if nothing happens: what it does with diagnostics, less these."""
    stored = content(measured(factory)[0])
    for trial in stored.values():
        trial["curves"] = {k: v for k, v in trial["curves"].items() if not k.startswith(DIAGNOSTIC)}
    return stored


def start(folder: Path, script: Path | str, *arguments: str) -> subprocess.Popen[str]:
    """Start the script in a folder of its own; output and errors go to one pipe."""
    if not {"--resume", "--tracking-uri", "--dry-run"} & {*arguments}:
        lay_store(folder / "results")
    return subprocess.Popen(
        command(script, *arguments),
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, script: Path | str, *arguments: str) -> tuple[int, str]:
    """Return exit code and output of a whole run."""
    process = start(folder, script, *arguments)
    output, _ = process.communicate(timeout=600)
    return process.returncode, output


def run_here(folder: Path, script: Path, *arguments: str) -> tuple[int, str]:
    """Return the same of a script that ends before anything is started, run in this process."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
        patch.chdir(folder)
        patch.setattr(sys, "argv", [str(script), *arguments])
        try:
            try:
                runpy.run_path(str(script), run_name="__main__")
            except Exception:  # as the interpreter does at a script's top level
                sys.excepthook(*sys.exc_info())
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
    return 0, said.getvalue()


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """Return what a process has said up to the first line in which this pattern is found."""
    output = ""
    assert process.stdout
    for line in process.stdout:
        output += line
        if re.search(pattern, line):
            return output
    raise AssertionError(output)


def sweep_name(output: str) -> str:
    found = re.search(r"^sweep (\S+): ", output, re.MULTILINE)
    assert found, output
    return found[1]


def client(folder: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{folder / 'results' / 'mlflow.db'}")


def runs(folder: Path, kind: str) -> list:
    """Return runs of a kind ("sweep" or "trial"), by row and seed."""
    store = client(folder)
    experiments = [e.experiment_id for e in store.search_experiments()]
    found = store.search_runs(experiments, f"tags.`{schema.KIND}` = '{kind}'")
    return sorted(
        found, key=lambda r: (r.data.tags.get(schema.ROW, ""), r.data.tags.get(schema.SEED, ""))
    )


def content(folder: Path) -> dict:
    """Return everything that a sweep stored of its trials, times aside."""
    store, stored = client(folder), {}
    for run_ in runs(folder, "trial"):
        curves = {
            metric: [(p.step, p.value) for p in store.get_metric_history(run_.info.run_id, metric)]
            for metric in run_.data.metrics
            if not metric.startswith("time/")
        }
        tags = {
            k: v for k, v in run_.data.tags.items() if k.startswith("ssmpe.") and k != schema.SWEEP
        }
        key = run_.data.tags[schema.TRIAL]
        assert key not in stored, "a second run of one trial"
        stored[key] = {
            "curves": curves,
            "tags": tags,
            "params": run_.data.params,
            "name": run_.info.run_name,
            "sets": sorted(
                (i.dataset.name, i.dataset.digest, i.dataset.profile, i.tags[0].value)
                for i in run_.inputs.dataset_inputs
            ),
            "status": run_.info.status,
        }
    return stored
