"""A sweep's runs in an MLflow store, found again by their tags; every method can be repeated."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.connection import connect
from ssmpe.tracking.inputs import dataset_input
from ssmpe.tracking.sqlite import artifact_location

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

MAX_METRICS = 1000
"""Most metric points that MLflow takes in one request"""
MAX_KEY = 250
MAX_PARAM = 6000
MAX_TAG = 8000
"""Most characters that MLflow takes for a key, and for the value of a parameter or a tag"""


class Points(NamedTuple):
    """The metrics of one report: values by key, after ``step`` batches, at ``time`` (ms)."""

    step: int
    time: int
    metrics: Mapping[str, float]


class Store:
    """The runs of one sweep at a time; None stands for the sweep's own run, the parent.

    What is known of the store is remembered, so every use belongs into ``doubted_on_error``.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._connected: MlflowClient | None = None
        self._scope = ("", "")
        self._experiment_id: str | None = None
        self._runs: dict[str | None, str] = {}
        self._last_steps: dict[str, dict[str, int]] = {}

    def enter(self, experiment: str, sweep: str) -> None:
        """Turn to a sweep; its experiment and run are created when they are first needed."""
        if self._scope != (experiment, sweep):
            self._scope = (experiment, sweep)
            self._forget()

    @contextmanager
    def doubted_on_error(self) -> Iterator[None]:
        """Ask the store anew after an error: the request may have been carried out all the same."""
        try:
            yield
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        self._experiment_id = None
        self._runs.clear()
        self._last_steps.clear()

    def experiment_id(self) -> str:
        """Return the id of the sweep's experiment, created if there is none."""
        if self._experiment_id is None:
            name = self._scope[0]
            found = self._client.get_experiment_by_name(name) or self._new_experiment(name)
            if found.lifecycle_stage != "active":
                raise UserError(
                    f"experiment {name!r} has been deleted in {self.uri}: restore it with "
                    f"'mlflow experiments restore -x {found.experiment_id}'"
                )
            self._experiment_id = found.experiment_id
        return self._experiment_id

    def _new_experiment(self, name: str) -> "Experiment":
        from mlflow.exceptions import MlflowException

        try:
            created = self._client.create_experiment(name, artifact_location(self.uri))
        except MlflowException:
            found = self._client.get_experiment_by_name(name)
            if found is None:
                raise
            return found  # another sweep of the same script was faster
        return self._client.get_experiment(created)

    def knows_sweep(self) -> bool:
        """Tell whether the store has the sweep's run; nothing is created."""
        there = self._client.get_experiment_by_name(self._scope[0]) is not None
        return there and self._find(None) is not None

    def run_id(self, trial: str | None, time: int) -> str:
        """Return the id of a trial's run, created (as of ``time``, ms) if there is none."""
        if trial not in self._runs:
            self._runs[trial] = self._find(trial) or self._create(trial, time)
        return self._runs[trial]

    def start(
        self,
        trial: str | None,
        time: int,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, str],
    ) -> str:
        """Create a run or reopen it, and return its id.

        A parameter that the run has keeps the value it was first given, as MLflow demands.
        """
        from mlflow.entities import Param, RunTag

        run = self.run_id(trial, time)
        self._client.update_run(run, status="RUNNING", name=name)
        known = self._client.get_run(run).data.params
        named = {key_of(key): value[:MAX_PARAM] for key, value in params.items()}
        self._client.log_batch(
            run,
            params=[Param(key, value) for key, value in named.items() if key not in known],
            tags=[RunTag(key, value[:MAX_TAG]) for key, value in tags.items()],
        )
        return run

    def tag_experiment(self, key: str, value: str) -> None:
        """Set a tag of the sweep's experiment."""
        self._client.set_experiment_tag(self.experiment_id(), key, value)

    def add_sets(self, trial: str | None, time: int, sets: Iterable[Mapping[str, Any]]) -> None:
        """Add datasets (``UsedSet`` as plain data) to the run's inputs; MLflow drops doubles."""
        inputs = [dataset_input(values) for values in sets]
        self._client.log_inputs(self.run_id(trial, time), inputs)

    def log(self, trial: str | None, reports: Iterable[Points]) -> None:
        """Write metric points, each metric only behind the last step that the run has of it."""
        from mlflow.entities import Metric

        reports = list(reports)
        run = self.run_id(trial, reports[0].time)
        last = self._steps_of(run)
        ahead = dict(last)
        fresh = []
        for step, time, metrics in reports:
            for key, value in metrics.items():
                if step > ahead.get(key, -1):
                    ahead[key] = step
                    fresh.append(Metric(key, value, time, step))
        for start in range(0, len(fresh), MAX_METRICS):
            batch = fresh[start : start + MAX_METRICS]
            self._client.log_batch(run, metrics=batch)
            last.update((metric.key, metric.step) for metric in batch)

    def add_file(self, trial: str | None, time: int, path: str, folder: str) -> None:
        """Copy a file into a folder ("" for the topmost) of the run's artifacts."""
        self._client.log_artifact(self.run_id(trial, time), path, folder or None)

    def end(self, trial: str | None, time: int, status: str, tags: Mapping[str, str]) -> None:
        """End a run with FINISHED, FAILED or KILLED."""
        from mlflow.entities import RunTag

        run = self.run_id(trial, time)
        self._client.log_batch(run, tags=[RunTag(k, v[:MAX_TAG]) for k, v in tags.items()])
        self._client.set_terminated(run, status, end_time=time)

    @property
    def _client(self) -> "MlflowClient":
        if self._connected is None:
            self._connected = connect(self.uri)
        return self._connected

    def _identity(self, trial: str | None) -> dict[str, str]:
        """Return the tags by which a run is found."""
        tags = {schema.SWEEP: self._scope[1]}
        if trial is None:
            return tags | {schema.KIND: schema.KIND_SWEEP}
        return tags | {schema.KIND: schema.KIND_TRIAL, schema.TRIAL: trial}

    def end_reasons(self) -> dict[str, str]:
        """Return trial -> why it ended, of the trials that have ended."""
        wanted = (
            f"tags.`{schema.SWEEP}` = {quoted(self._scope[1])} "
            f"and tags.`{schema.KIND}` = '{schema.KIND_TRIAL}'"
        )
        reasons, token = {}, None
        while True:
            page = self._client.search_runs([self.experiment_id()], wanted, page_token=token)
            for run in page:
                if reason := run.data.tags.get(schema.END_REASON):
                    reasons[run.data.tags[schema.TRIAL]] = reason
            token = page.token
            if not token:
                return reasons

    def _find(self, trial: str | None) -> str | None:
        wanted = " and ".join(
            f"tags.`{tag}` = {quoted(value)}" for tag, value in self._identity(trial).items()
        )
        oldest_first = ["attributes.start_time ASC"]
        runs = self._client.search_runs([self.experiment_id()], wanted, 1, 1, oldest_first)
        return runs[0].info.run_id if runs else None

    def _create(self, trial: str | None, time: int) -> str:
        # created with its identity: if the answer gets lost, the next attempt finds it
        tags = self._identity(trial)
        if trial is not None:
            tags[schema.PARENT_RUN] = self.run_id(None, time)
        return str(self._client.create_run(self.experiment_id(), time, tags).info.run_id)

    def _steps_of(self, run: str) -> dict[str, int]:
        """Return the last step of every metric of a run."""
        if run not in self._last_steps:
            # only the message form of a run shows the steps of its latest metrics
            latest = self._client.get_run(run).data.to_proto().metrics
            self._last_steps[run] = {metric.key: metric.step for metric in latest}
        return self._last_steps[run]


def key_of(name: str) -> str:
    """Return the name as MLflow takes it as a key: other characters become "_", 250 of them."""
    return re.sub(r"[^/\w.\- :]", "_", name)[:MAX_KEY]


def quoted(value: str) -> str:
    """Return a value as MLflow's search filters take it."""
    return f'"{value}"' if "'" in value else f"'{value}'"
