"""Runs sweep scripts as a user does, and reads back what they stored."""

import os
import re
import subprocess
import sys
from pathlib import Path

from mlflow import MlflowClient

from ssmpe.tracking import schema

ROOT = Path(__file__).parents[2]
BRIEF = (
    *("--set", "data.labelled_excerpts=1"),
    *("--set", "data.evaluation=[]"),
    *("--set", "training.n_batches=24"),
    *("--set", "training.validate_every=3"),
)
"""a trial of some seconds with eight validations"""

# a second sweep script, with a row whose weights run away
RUNAWAY = '''
"""Does one trial that diverges leave the others alone?"""
from ssmpe.cli import main
from ssmpe.experiments.deltas import REFERENCE
from ssmpe.experiments.sweep import Delta, Sweep, row

RUNAWAY = Delta("runaway", {"training.weight_decay": 1e30})
SWEEP = Sweep("runaway", __doc__.strip(), lambda base: [row(RUNAWAY), row(REFERENCE)])
if __name__ == "__main__":
    raise SystemExit(main(SWEEP))
'''


def command(script: Path | str, *arguments: str) -> list[str]:
    path = ROOT / "sweeps" / script if isinstance(script, str) else script
    return [sys.executable, str(path), *arguments]


def start(folder: Path, script: Path | str, *arguments: str) -> subprocess.Popen[str]:
    """Start the script in a folder of its own; output and errors go to one pipe."""
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


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return what a process has said up to the first line with this text."""
    output = ""
    assert process.stdout
    for line in process.stdout:
        output += line
        if text in line:
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
