"""An MLflow store with invented sweeps, written as the tracking schema says."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from analysis.figure import Drawn, SweepFigure
from ssmpe.tracking import schema
from ssmpe.tracking.stored.store import read_sweep

SETS = ("URMP/validation", "MusicNet/test", "Bach10/all", "GuitarSet/05")
N_BATCHES, EVERY = 400, 50
TRAIN_SECONDS, EVALUATION_SECONDS, START_SECONDS = 10.0, 2.0, 4.0
"""of a trial without added excerpts: training and evaluation per validation, and its start"""
AT_A_TIME = 2
"""trials that run beside each other"""
UNANNOTATED_MEASURES = (
    "blank_rate",
    "blank_rate_tuned",
    "similarity",
    "mean_peak",
    "pitches_per_frame",
)
WEIGHTS = {"supervised": 1.0, "timbre": 1.0, "percussion": 1.0, "geometric": 1.0}


@dataclass
class Invented:
    """One trial to be written: what tags say of it, and its curves."""

    row: str
    seed: int
    added_set: str = ""
    added: int = 0
    end_reason: str | None = "completed"
    last_batch: int = N_BATCHES
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    unannotated: tuple[str, ...] = ()
    half_alone: bool = False
    """Scored at a salience of one half alone, as by 0.3.0"""

    def curves(self, sets: tuple[str, ...]) -> dict[str, dict[int, float]]:
        """Metric -> batch -> value: the more is added, the blanker the added set's kind."""
        rng = np.random.default_rng([self.seed, self.added, len(self.added_set), len(self.weights)])
        skill = rng.normal(0, 0.02)
        curves: dict[str, dict[int, float]] = {}
        for index, name in enumerate(sets):
            own = name.split("/")[0] == self.added_set.split("/")[0]
            pull = (1.0 if own else 0.45 if index > 1 else 0.12) * self.added / (self.added + 2)
            pull *= rng.uniform(0.8, 1.1)
            for batch in range(EVERY, self.last_batch + 1, EVERY):
                alive = 1 - np.exp(-batch / 80)
                blank = np.clip(pull * min(batch / 250, 1) + rng.uniform(0, 0.05), 0, 1)
                blank = float(max(blank, 1 - alive * 1.3))
                closed = 0.05 * (len(self.weights) > 1)
                recall = float((0.75 + closed - 0.1 * index + skill) * alive * (1 - blank))
                precision = float(0.9 * alive - 0.03 * index + rng.uniform(0, 0.02))
                f1 = 2 * precision * recall / (precision + recall)
                values = {"f1": f1, "recall": recall, "precision": precision, "blank_rate": blank}
                if not self.half_alone:
                    content = (0.75 + closed - 0.1 * index + skill) * alive * (1 - 0.35 * blank)
                    values |= _without_a_half(float(content), blank)
                if name in self.unannotated:
                    values = {k: v for k, v in values.items() if k in UNANNOTATED_MEASURES}
                for measure, value in values.items():
                    curves.setdefault(schema.set_metric(name, measure), {})[batch] = value
        batches = range(EVERY, self.last_batch + 1, EVERY)
        if not self.half_alone:
            curves[schema.THRESHOLD] = dict.fromkeys(batches, 0.5 / (1 + self.added))
        curves[schema.TOTAL_LOSS] = {b: 100 / b for b in batches}
        curves[schema.TRAIN_SECONDS] = dict.fromkeys(batches, TRAIN_SECONDS + self.added)
        curves[schema.EVALUATION_SECONDS] = dict.fromkeys(batches, EVALUATION_SECONDS)
        return curves

    @property
    def seconds(self) -> float:
        """Of its run from begin to end."""
        validations = self.last_batch // EVERY
        return START_SECONDS + validations * (TRAIN_SECONDS + self.added + EVALUATION_SECONDS)

    def collapsed_at(self, sets: tuple[str, ...]) -> dict[str, int | None]:
        own = self.added_set.split("/")[0]
        stopped = self.end_reason == "collapsed"
        return {s: 200 if stopped and s.split("/")[0] == own else None for s in sets}

    def params(self, sets: tuple[str, ...]) -> dict[str, str]:
        added = {f"data.added.{self.added_set}": str(self.added)} if self.added else {}
        return {
            "training.n_batches": str(N_BATCHES),
            "training.seed": str(self.seed),
            "data.labelled": "URMP/train",
            "data.labelled_excerpts": "4",
            "data.validation": sets[0],
            **{f"objectives.weights.{n}": str(w) for n, w in self.weights.items()},
            **added,
        }


def _without_a_half(content: float, blank: float) -> dict[str, float]:
    """Return the measures that do not hang on a salience of one half, and what is left of 0.3.0's.

    They fall by less than those at one half, for a part of the blankness is a sunk level.
    """
    return {
        "f1_tuned": content,
        "blank_rate_tuned": 0.1 * blank,
        "f1_best": 1.04 * content,
        "average_precision": 0.95 * content,
        "top_n": 1.08 * content,
        "similarity": 0.3 + 0.3 * blank,
        "mean_peak": 0.85 * (1 - blank),
        "pitches_per_frame": 2.5 * (1 - blank),
    }


def sample_count_trials(
    seeds: int, added_sets: tuple[str, ...] = ("MusicNet/train",)
) -> list[Invented]:
    """Rows of a sweep over counts; of each set's largest count, every seed is stopped at 300."""
    short = {"MusicNet/train": "MN", "NSynth/train": "NS", "FMA/all": "FMA"}
    trials = []
    for seed in range(seeds):
        trials.append(Invented("supervised", seed, weights={"supervised": 1.0}))
        trials.append(Invented("Ref.", seed))
        for name in added_sets:
            for n in (1, 2, 4):
                trials.append(Invented(f"+{short[name]}-{n}", seed, name, n))
            row = f"+{short[name]}-8"
            trials.append(Invented(row, seed, name, 8, "collapsed", last_batch=300))
    return trials


def store_in(folder: Path, empty: Path) -> str:
    """Copy a store without runs into a folder, as to make one takes a second; return its URI."""
    return f"sqlite:///{shutil.copy(empty, folder / 'mlflow.db')}"


def write_sweep(
    uri: str,
    name: str,
    trials: list[Invented],
    sets: tuple[str, ...] = SETS,
    state: str = "finished",
    data: str = "embedded world (tiny)",
) -> str:
    """Write a sweep into the store; the parent's run id."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("sample_count")
    if experiment is None:
        artifacts = Path(uri.removeprefix("sqlite:///")).parent / "artifacts"
        experiment_id = client.create_experiment("sample_count", artifacts.as_uri())
    else:
        experiment_id = experiment.experiment_id
    info = client.create_run(
        experiment_id,
        tags={
            schema.KIND: schema.KIND_SWEEP,
            schema.SWEEP: name,
            schema.SCRIPT: "sample_count",
            schema.QUESTION: "Does the network degenerate the more, the more excerpts are added?",
            schema.PRESET: "tiny",
            schema.DATA: data,
            schema.STATE: state,
        },
    ).info
    parent, now = info.run_id, info.start_time / 1000
    rows, seeds = {t.row: None for t in trials}, {str(t.seed): None for t in trials}
    client.log_param(parent, "rows", ", ".join(rows))
    client.log_param(parent, "seeds", ", ".join(seeds))
    ends = [now] * AT_A_TIME
    for number, trial in enumerate(trials):
        # a millisecond apart, for their order is that of their begins
        started = min(ends) + number / 1000
        _write_trial(client, experiment_id, parent, name, trial, sets, started)
        ends[ends.index(min(ends))] += trial.seconds
    if state != "running":
        client.set_terminated(parent, end_time=round(max(ends) * 1000))
    return parent


def _write_trial(
    client: MlflowClient,
    experiment_id: str,
    parent: str,
    name: str,
    trial: Invented,
    sets: tuple[str, ...],
    started: float,
) -> None:
    tags = {
        schema.KIND: schema.KIND_TRIAL,
        schema.PARENT_RUN: parent,
        schema.SWEEP: name,
        schema.ROW: trial.row,
        schema.SEED: str(trial.seed),
        schema.ADDED_SET: trial.added_set,
        schema.ADDED_EXCERPTS: str(trial.added),
    }
    if trial.end_reason:
        tags[schema.END_REASON] = trial.end_reason
        tags[schema.COLLAPSED_AT] = json.dumps(trial.collapsed_at(sets))
    begin = round(started * 1000)
    run = client.create_run(experiment_id, start_time=begin, tags={}).info.run_id
    points = [
        Metric(metric, value, 1000 + batch, batch)
        for metric, curve in trial.curves(sets).items()
        for batch, value in curve.items()
    ]
    client.log_batch(
        run,
        metrics=points,
        params=[Param(k, v) for k, v in trial.params(sets).items()],
        tags=[RunTag(k, v) for k, v in tags.items()],
    )
    if trial.end_reason:
        client.set_terminated(run, end_time=begin + round(trial.seconds * 1000))


def drawn(
    figure: SweepFigure[Any],
    uri: str,
    name: str,
    out: Path,
    partial: bool = False,
    **options: Any,
) -> Drawn:
    """Draw a figure of a sweep in a store into a folder."""
    return figure.write(read_sweep(uri, name, partial), out, **options)
