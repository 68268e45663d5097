"""Figures of a search, from an invented one in a real store."""

import csv
import json

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    distribution_to_json,
)

from analysis import degeneration, hyperparameters, precision_recall, report
from analysis.answers.answer import answer
from analysis.numbers.comparison import Comparison
from analysis.numbers.counts import SampleCount
from analysis.numbers.search import StoredSearch
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.store import read_sweep
from tests.support.analysis_store import drawn, sample_count_trials, store_in, write_sweep

METRICS = ("URMP/validation/f1", "MusicNet/train/blank_rate")
SPACE = {
    "weight": FloatDistribution(0.1, 2.0, log=True),
    "ratio": FloatDistribution(0.5, 2.0, step=0.25),
    "stop_gradient": CategoricalDistribution([False, True]),
    "energy": CategoricalDistribution([0.0, 0.1, 1.0]),
}


@pytest.fixture(scope="module")
def uri(empty_store, tmp_path_factory) -> str:
    """Fill a store with a search of 16 trials: F1 falls with weight, blanks with stop-gradient."""
    uri = store_in(tmp_path_factory.mktemp("store"), empty_store)
    write_sweep(uri, "listed", sample_count_trials(1))
    client = MlflowClient(uri)
    experiment = client.create_experiment("hyperparameters")
    objectives = [[METRICS[0], "maximize"], [METRICS[1], "minimize"]]
    tags = {
        schema.KIND: schema.KIND_SWEEP,
        schema.SWEEP: "search",
        schema.SCRIPT: "hyperparameters",
        schema.PRESET: "tiny",
        schema.DATA: "embedded world (tiny)",
        schema.STATE: "finished",
        schema.PLANNED: "16",
        schema.OBJECTIVES: json.dumps(objectives),
        schema.SPACE: json.dumps({n: distribution_to_json(d) for n, d in SPACE.items()}),
    }
    parent = client.create_run(experiment, tags=tags).info.run_id
    rng = np.random.default_rng(0)
    for number in range(16):
        _write_trial(client, experiment, parent, number, rng)
    return uri


def _write_trial(client, experiment, parent, number, rng) -> None:
    weight, stop = float(np.exp(rng.uniform(np.log(0.1), np.log(2)))), bool(rng.integers(2))
    end = {3: "collapsed", 5: "pruned", 9: "pruned", 12: "failed"}.get(number, "completed")
    suggested = {"weight": weight, "ratio": 0.25 * int(rng.integers(2, 9))}
    suggested |= {"stop_gradient": stop, "energy": [0.0, 0.1, 1.0][int(rng.integers(3))]}
    values = (0.7 - 0.15 * weight + rng.normal(0, 0.02), 0.7 - 0.5 * stop + rng.normal(0, 0.03))
    params = {"training.n_batches": "400", "training.seed": "0", "data.labelled": "URMP/train"}
    params |= {"data.labelled_excerpts": "4", "data.validation": "URMP/validation"}
    params |= {"objectives.weights.energy": str(suggested["energy"])}
    params |= {f"{schema.SUGGESTED}{name}": str(value) for name, value in suggested.items()}
    tags = {
        schema.KIND: schema.KIND_TRIAL,
        schema.PARENT_RUN: parent,
        schema.SWEEP: "search",
        schema.ROW: f"#{number}",
        schema.SEED: "0",
        schema.ADDED_SET: "MusicNet/train",
        schema.ADDED_EXCERPTS: str(round(4 * suggested["ratio"])),
        schema.END_REASON: end,
    }
    step = 200 if end in ("pruned", "collapsed") else 400
    metrics = [] if end == "failed" else zip(METRICS, values, strict=True)
    client.log_batch(
        client.create_run(experiment).info.run_id,
        metrics=[Metric(key, float(value), 1000, step) for key, value in metrics],
        params=[Param(k, v) for k, v in params.items()],
        tags=[RunTag(k, v) for k, v in tags.items()],
    )


def test_the_study_is_rebuilt(uri):
    search = StoredSearch.of(read_sweep(uri, "search"))
    study = search.study()
    states = [t.state.name for t in study.trials]
    assert states.count("COMPLETE") == 13
    assert states.count("PRUNED") == 2
    best = {t.number for t in study.best_trials}
    front = {search.values(t) for t in search.front}
    assert {tuple(study.trials[n].values) for n in best} == front


def test_what_matters_is_found(uri):
    f1, blank = StoredSearch.of(read_sweep(uri, "search")).importances()
    assert set(f1) == set(SPACE)
    assert max(f1, key=lambda name: f1[name]) == "weight"
    assert max(blank, key=lambda name: blank[name]) == "stop_gradient"


def test_figure_and_numbers(uri, tmp_path):
    made = drawn(hyperparameters.FIGURE, uri, "search", tmp_path)
    assert {f.suffix for f in made.files} == {".png", ".svg", ".csv"}
    assert "16 trials: 12 completed, 1 collapsed, 2 pruned, 1 failed." in made.findings
    with (tmp_path / "hyperparameters.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["trial"] for line in lines] == [f"#{n}" for n in range(16)]
    front = {t.row for t in StoredSearch.of(read_sweep(uri, "search")).front}
    assert {line["trial"] for line in lines if line["front"] == "True"} == front


def test_the_answer_names_the_best_balance(uri):
    comparison = Comparison.of(read_sweep(uri, "search"))
    counted = [t for t in comparison.sweep.trials if t.has_result]
    balance = {
        t.row: t.final("URMP/validation", "f1")
        - t.final(METRICS[1].rpartition("/")[0], "blank_rate")
        for t in counted
    }
    best = max(balance, key=lambda row: balance[row])
    first, second = answer(comparison).sentences
    assert f"Of 16 trials, 2 of them pruned, {best} weighs" in first
    assert "#0, which the search began with" in first or best == "#0"
    suggested = next(t for t in counted if t.row == best).params
    assert f"weight {float(suggested['search.weight']):.2g}" in second


def test_all_that_applies_is_drawn_though_trials_were_pruned(uri, tmp_path):
    sweep = read_sweep(uri, "search")
    text = report.write(sweep, tmp_path).file.read_text(encoding="utf-8")
    assert f"<h3>{precision_recall.FIGURE.question}</h3>" in text
    # a search varies everything at once: no two trials differ in added excerpts alone
    assert f"<h3>{degeneration.FIGURE.question}</h3>" not in text
    with pytest.raises(UserError, match="no two finished rows differ in added excerpts alone"):
        SampleCount.of(sweep)


def test_a_sweep_that_is_no_search_is_refused(uri, tmp_path):
    with pytest.raises(UserError, match="'listed' is no search"):
        drawn(hyperparameters.FIGURE, uri, "listed", tmp_path)
