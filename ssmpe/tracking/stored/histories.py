"""Curves of many runs at once: MLflow's client reads one metric of one run at a time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ssmpe.tracking.stored.records import MetricCurve

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

BULK = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
"""Request by which MLflow's pages draw several runs of a tracking server in one chart"""
RUNS_OF_A_SERVER, POINTS_OF_A_SERVER = 100, 25_000
"""Most that it answers for in one request"""
RUNS_OF_A_DATABASE = 500
"""Runs read in one query; SQLite takes no more than 999 values in some builds"""


class _Point(NamedTuple):
    run: str
    step: int
    value: float


_Bulk = Callable[[Sequence[str], str], Iterable[_Point]]
"""From runs and a metric to their points, of each run in the order of its client's history"""


def curves_of(client: "MlflowClient", runs: Sequence["Run"]) -> dict[str, dict[str, MetricCurve]]:
    """Return run id -> metric -> curve, of all metrics of the runs.

    Where a step has several values, the last counts.

    Raises:
        MlflowException, SQLAlchemyError
    """
    having: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for metric in run.data.metrics:
            having[metric].append(run.info.run_id)
    size, bulk = _bulk(client)
    found: dict[str, dict[str, MetricCurve]] = {run.info.run_id: {} for run in runs}
    for metric, ids in having.items():
        for first in range(0, len(ids), size):
            points: dict[str, dict[int, float]] = defaultdict(dict)
            for run_id, step, value in bulk(ids[first : first + size], metric):
                points[run_id][step] = value
            for run_id, values in points.items():
                found[run_id][metric] = _curve(values)
    return found


def _curve(values: Mapping[int, float]) -> MetricCurve:
    steps = sorted(values)
    return MetricCurve(np.array(steps, dtype=np.int64), np.array([values[s] for s in steps]))


def _bulk(client: "MlflowClient") -> tuple[int, _Bulk]:
    """Return how to read from this client's store, and of how many runs in one go."""
    store: Any = client._tracking_client.store
    if hasattr(store, "get_metric_history_bulk"):
        return RUNS_OF_A_DATABASE, lambda ids, metric: _of_database(store, ids, metric)
    if hasattr(store, "get_host_creds"):
        return RUNS_OF_A_SERVER, lambda ids, metric: _of_server(client, ids, metric)
    return 1, lambda ids, metric: _one_by_one(client, ids, metric)


def _of_database(store: Any, ids: Sequence[str], metric: str) -> Iterable[_Point]:
    for found in store.get_metric_history_bulk(list(ids), metric, max_results=None):
        yield _Point(found.run_id, found.step, found.value)


def _of_server(client: "MlflowClient", ids: Sequence[str], metric: str) -> Iterable[_Point]:
    """Ask for half of the runs at a time if all have more points than one answer holds."""
    from mlflow.utils.rest_utils import http_request

    asked = {"run_id": list(ids), "metric_key": metric, "max_results": POINTS_OF_A_SERVER}
    credentials = client._tracking_client.store.get_host_creds()
    answer = http_request(credentials, BULK, "GET", params=asked)
    if answer.status_code != 200:  # a server of another make, or of another release
        return _one_by_one(client, ids, metric)
    points = answer.json()["metrics"]
    if len(points) < POINTS_OF_A_SERVER:
        return [_Point(p["run_id"], int(p["step"]), float(p["value"])) for p in points]
    if len(ids) == 1:
        return _one_by_one(client, ids, metric)
    half = len(ids) // 2
    return [*_of_server(client, ids[:half], metric), *_of_server(client, ids[half:], metric)]


def _one_by_one(client: "MlflowClient", ids: Sequence[str], metric: str) -> Iterable[_Point]:
    for run_id in ids:
        for point in client.get_metric_history(run_id, metric):
            yield _Point(run_id, point.step, point.value)
