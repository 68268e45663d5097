"""Curves of many runs at once are what MLflow says of each alone: of a file, and by a server."""

import math

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from ssmpe.tracking.stored import histories
from tests.support.servers import TrackingServer

N_RUNS = 7


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("histories")
    server = TrackingServer(folder)
    server.start()
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    for number in range(N_RUNS):
        points = [Metric(f"loss/{i}", number + s / 7, s, s) for i in range(3) for s in range(5)]
        # told again, with another value; not a number; of some runs only
        points += [Metric("loss/0", -1.0, 9, 4), Metric("loss/1", math.nan, 9, 5)]
        points += [Metric("f1", math.inf, 1, 1)] * (number % 2)
        client.log_batch(client.create_run("0").info.run_id, metrics=points)
    client.create_run("0")  # without any
    yield server, f"sqlite:///{folder}/mlflow.db"
    server.kill()


def one_by_one(client, runs):
    return {
        run.info.run_id: {
            metric: {p.step: p.value for p in client.get_metric_history(run.info.run_id, metric)}
            for metric in run.data.metrics
        }
        for run in runs
    }


@pytest.mark.parametrize("points_of_an_answer", [25_000, 12, 3])
def test_curves_of_many_runs_are_those_of_each(server, monkeypatch, points_of_an_answer):
    monkeypatch.setattr(histories, "POINTS_OF_A_SERVER", points_of_an_answer)
    monkeypatch.setattr(histories, "RUNS_OF_A_DATABASE", 4)
    server, file = server
    for uri in (file, server.uri):
        client = MlflowClient(uri)
        runs = client.search_runs(["0"])
        assert len(runs) == N_RUNS + 1
        expected = one_by_one(client, runs)
        found = histories.curves_of(client, runs)
        assert found.keys() == expected.keys()
        for run_id, curves in expected.items():
            assert found[run_id].keys() == curves.keys()
            for metric, values in curves.items():
                curve = found[run_id][metric]
                assert curve.steps.tolist() == sorted(values)
                np.testing.assert_array_equal(curve.values, [values[s] for s in sorted(values)])


def test_a_server_that_cannot_answer_for_many_is_asked_one_by_one(server, monkeypatch):
    monkeypatch.setattr(histories, "BULK", "/ajax-api/2.0/mlflow/metrics/of-another-release")
    server, file = server
    client = MlflowClient(server.uri)
    runs = client.search_runs(["0"])
    found = histories.curves_of(client, runs)
    expected = histories.curves_of(MlflowClient(file), runs)
    for run_id, curves in expected.items():
        for metric, curve in curves.items():
            np.testing.assert_array_equal(found[run_id][metric].values, curve.values)
