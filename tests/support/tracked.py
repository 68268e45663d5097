"""Runs in a store of their own, and what these hold."""

from mlflow import MlflowClient
from mlflow.entities import Run

from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker

WAIT = 30.0
"""seconds that a store on this machine certainly needs less than"""


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
