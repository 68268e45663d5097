"""What runs have left in a store that is there already."""

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ssmpe.errors import UserError
from ssmpe.storage import tells_of_full_disk
from ssmpe.tracking import schema
from ssmpe.tracking.connection import check_server, connect, reason_of, store_errors
from ssmpe.tracking.credentials import refuse_credentials
from ssmpe.tracking.runs import quoted
from ssmpe.tracking.sqlite import require_store, sqlite_path

_A_BATCH = re.compile(r":\s*\d")
"""Value in a JSON object that is not null"""

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class EndedRun:
    """The run of a trial that was trained to its end, or stopped as it had collapsed.

    Attributes:
        run: its id.
        sweep: name of the sweep that trained it.
        made_with: parameters of that sweep: versions, code and hardware; and its tags of other code
            that was accepted.
        has_best: the store has its best checkpoint.
        stopped: it was.
        collapsed: a set was blank at its end.
        digests: names and digests of the sets that it used.
    """

    run: str
    sweep: str
    made_with: Mapping[str, str]
    has_best: bool
    stopped: bool = False
    collapsed: bool = False
    digests: frozenset[tuple[str, str]] = frozenset()

    @property
    def early_stop(self) -> bool:
        """Whether its sweep stopped what had collapsed."""
        return self.made_with.get("early_stop") == "True"

    @property
    def on_gpus(self) -> bool:
        """Whether it was trained on GPUs."""
        return self.made_with.get("hardware.gpus_per_trial", "0") != "0"


@dataclass(frozen=True)
class Record:
    """Tags of a run, its metrics by batch, and a folder with a copy of its artifacts."""

    tags: Mapping[str, str]
    metrics: Mapping[int, Mapping[str, float]]
    folder: Path

    def files(self) -> list[tuple[Path, str]]:
        """Return every file, and the folder of artifacts it belongs into; "" is the topmost."""
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        folders = [path.relative_to(self.folder).parent.as_posix() for path in found]
        return [(p, "" if f == "." else f) for p, f in zip(found, folders, strict=True)]


def open_store(uri: str) -> "MlflowClient":
    """Return a client of a store that is there already; nothing is made where there is none.

    What is asked of it belongs into ``reading``.

    Raises:
        UserError: there is none, or it does not answer; or the address holds credentials.
    """
    refuse_credentials("--tracking-uri", uri)
    path, parts = sqlite_path(uri), urlsplit(uri)
    if path is not None:
        require_store(path, uri)
    elif parts.scheme not in ("", "file"):
        check_server(uri)
    elif not os.path.isdir(unquote(parts.path)):
        raise UserError(f"{uri}: no MLflow store there: give its --tracking-uri")
    # its bar would stand between the lines of the one who asks
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with reading(uri):
        return connect(uri)


@contextmanager
def reading(uri: str, run: str | None = None) -> Iterator[None]:
    """Turn whatever a store raises that is read into one line.

    Args:
        run: id of the run that is read; None: runs are searched.

    Raises:
        UserError: there is no such run, or the store cannot be read.
        OSError: the disk is full that something is copied to.
    """
    try:
        yield
    except store_errors() as error:
        if isinstance(error, OSError) and tells_of_full_disk(error):
            raise
        if run is None:
            raise UserError(f"{uri}: runs cannot be read there: {reason_of(error)}") from error
        if getattr(error, "error_code", "") in (
            "RESOURCE_DOES_NOT_EXIST",
            "INVALID_PARAMETER_VALUE",
        ):
            raise UserError(f"{uri}: no run with the id {run!r}") from error
        raise UserError(f"{uri}: run {run} cannot be read there: {reason_of(error)}") from error


def fetch_best(uri: str, run: str, folder: Path) -> Path:
    """Fetch the best checkpoint of a trial, and return its folder, which is below ``folder``.

    Args:
        uri: MLflow tracking URI.
        run: id of the trial's run.

    Raises:
        UserError: there is no such store or run, the run is no trial's or has no checkpoint, or
            the store does not answer.
    """
    client = open_store(uri)
    with reading(uri, run):
        return _fetched(client, uri, run, folder)


def sweep_tags(uri: str, experiment: str, sweep: str) -> Mapping[str, str]:
    """Return the tags of a sweep's own run; none if the store does not have it.

    Raises:
        UserError: there is no such store, or it cannot be read.
    """
    client = open_store(uri)
    wanted = {schema.KIND: schema.KIND_SWEEP, schema.SWEEP: sweep}
    condition = " and ".join(f"tags.`{tag}` = {quoted(text)}" for tag, text in wanted.items())
    with reading(uri):
        found = client.get_experiment_by_name(experiment)
        runs = client.search_runs([found.experiment_id], condition, max_results=1) if found else []
        return runs[0].data.tags if runs else {}


@dataclass(frozen=True)
class WithWeights:
    """The run of a trial that has left weights: its id, sweep, row and seed.

    Attributes:
        score: the best of its validations, by which its weights were chosen; NaN if unknown.
        learns: whether there is a network, or the row is a line without.
    """

    run: str
    sweep: str
    row: str
    seed: str
    score: float
    learns: bool

    @property
    def name(self) -> str:
        """What names it: SWEEP/ROW/SEED."""
        return f"{self.sweep}/{self.row}/{self.seed}"


def find_weights(uri: str, asked: str | None) -> WithWeights:
    """Return the trial with the best validation of those that are asked for.

    One without a network is returned only if nothing else is asked for.

    Args:
        asked: SWEEP, SWEEP/ROW or SWEEP/ROW/SEED; None: the latest sweep.

    Raises:
        UserError: there is none that has left weights.
    """
    sweep, _, row = (_latest_sweep(uri) if asked is None else asked).partition("/")
    found = runs_with_weights(uri, sweep)
    wanted = [one for one in found if row in ("", one.row, f"{one.row}/{one.seed}")]
    if not wanted:
        rows = ", ".join(dict.fromkeys(one.row for one in found))
        raise UserError(f"{uri}: {asked}: no such trial with weights (rows that have: {rows})")

    def order(one: WithWeights) -> tuple[bool, float]:
        return one.learns, -math.inf if math.isnan(one.score) else one.score

    return max(wanted, key=order)


def _latest_sweep(uri: str) -> str:
    client = open_store(uri)
    with reading(uri):
        experiments = [e.experiment_id for e in client.search_experiments()]
        condition = f"tags.`{schema.KIND}` = {quoted(schema.KIND_SWEEP)}"
        order = ["start_time DESC"]
        runs = client.search_runs(experiments, condition, order_by=order, max_results=1)
        sweep = runs[0].data.tags.get(schema.SWEEP, "") if runs else ""
    if not sweep:
        raise UserError(f"{uri}: no sweep there: give --run or --checkpoint")
    return sweep


def is_sweep(uri: str, name: str) -> bool:
    """Tell whether a store has trials of a sweep of that name."""
    client = open_store(uri)
    condition = f"tags.`{schema.SWEEP}` = {quoted(name)}"
    with reading(uri):
        experiments = [e.experiment_id for e in client.search_experiments()]
        return bool(client.search_runs(experiments, condition, max_results=1))


def runs_with_weights(uri: str, sweep: str) -> list[WithWeights]:
    """Return the runs of the trials of a sweep that have left weights, as they began.

    Raises:
        UserError: there is no such store or sweep, or none of its trials has weights in the store.
    """
    client = open_store(uri)
    wanted = {schema.KIND: schema.KIND_TRIAL, schema.SWEEP: sweep}
    condition = " and ".join(f"tags.`{tag}` = {quoted(text)}" for tag, text in wanted.items())
    with reading(uri):
        experiments = [e.experiment_id for e in client.search_experiments()]
        runs: list[Run] = []
        token: str | None = ""
        while token is not None:
            order = ["start_time ASC"]
            page = client.search_runs(experiments, condition, order_by=order, page_token=token)
            runs, token = [*runs, *page], page.token or None
        found = [
            WithWeights(
                run.info.run_id,
                sweep,
                run.data.tags.get(schema.ROW, ""),
                run.data.tags.get(schema.SEED, ""),
                _best_score(client, run),
                schema.learns(run.data.params),
            )
            for run in runs
            if client.list_artifacts(run.info.run_id, schema.BEST_CHECKPOINT_ARTIFACT)
        ]
    if not found:
        there = "none of its trials has weights in the store" if runs else "not in the store"
        remedy = " (--run shipped takes the network that comes along)" * bool(runs)
        raise UserError(f"{uri}: sweep {sweep}: {there}{remedy}")
    return found


def _best_score(client: "MlflowClient", run: "Run") -> float:
    """Return the best score of a trial on its validation set; NaN if the store has none.

    What it starts with, as one that continues another does, is not its own.
    """
    on = run.data.params.get("data.validation", "")
    keys = [schema.set_metric(on, measure) for measure in ("f1_tuned", "f1")]
    known = next((key for key in keys if key in run.data.metrics), None)
    points = client.get_metric_history(run.info.run_id, known) if known else ()
    own = (p.value for p in points if p.step > 0 and not math.isnan(p.value))
    return max(own, default=math.nan)


def ended_runs(uri: str, trial: str, data: str) -> list[EndedRun]:
    """Return the runs in which a trial has ended, the latest first, without copies of runs.

    Args:
        uri: MLflow tracking URI; a SQLite file that is missing or empty has no runs.
        trial: identity of its configuration.
        data: what it was trained on, in words (tag ``schema.DATA``), by which one folder of
            datasets is told from another.

    Raises:
        UserError: the store cannot be read.
    """
    path = sqlite_path(uri)
    if path is not None and not (os.path.isfile(path) and path.stat().st_size):
        return []
    wanted = {schema.KIND: schema.KIND_TRIAL, schema.TRIAL: trial}
    condition = " and ".join(f"tags.`{tag}` = {quoted(text)}" for tag, text in wanted.items())
    client = open_store(uri)
    with reading(uri):
        experiments = [e.experiment_id for e in client.search_experiments()]
        runs = client.search_runs(experiments, condition, order_by=["start_time DESC"])
        return [
            _ended(client, run)
            for run in runs
            if run.data.tags.get(schema.DATA) == data
            and run.data.tags.get(schema.END_REASON) in schema.RESULTS
            and schema.COPIED_FROM not in run.data.tags
        ]


def _ended(client: "MlflowClient", run: "Run") -> EndedRun:
    best = client.list_artifacts(run.info.run_id, schema.BEST_CHECKPOINT_ARTIFACT)
    sweep = client.get_run(run.data.tags[schema.PARENT_RUN])
    accepted = {k: v for k, v in sweep.data.tags.items() if k.startswith(schema.ACCEPTED_CODE)}
    made_with = {**sweep.data.params, **accepted}
    tags, inputs = run.data.tags, run.inputs.dataset_inputs if run.inputs else ()
    return EndedRun(
        run=run.info.run_id,
        sweep=tags[schema.SWEEP],
        made_with=made_with,
        has_best=bool(best),
        stopped=tags[schema.END_REASON] == schema.EndReason.COLLAPSED,
        collapsed=bool(_A_BATCH.search(tags.get(schema.COLLAPSED_AT, ""))),
        digests=frozenset((i.dataset.name, i.dataset.digest) for i in inputs),
    )


def fetch_record(uri: str, run: str, folder: Path) -> Record:
    """Fetch all that a store has of a run, its artifacts into a folder below ``folder``.

    Raises:
        UserError: there is no such run, or the store cannot be read.
    """
    client = open_store(uri)
    with reading(uri, run):
        data = client.get_run(run).data
        metrics: dict[int, dict[str, float]] = {}
        for key in data.metrics:
            for point in client.get_metric_history(run, key):
                metrics.setdefault(point.step, {})[key] = point.value
        copied = Path(client.download_artifacts(run, "", str(folder)))
        return Record(data.tags, dict(sorted(metrics.items())), copied)


def _fetched(client: "MlflowClient", uri: str, run: str, folder: Path) -> Path:
    tags = client.get_run(run).data.tags
    kind = tags.get(schema.KIND)
    if kind == schema.KIND_SWEEP:
        raise UserError(f"{uri}: run {run} is that of a whole sweep: give one of its trials")
    if kind != schema.KIND_TRIAL:
        raise UserError(f"{uri}: run {run} is no trial of a sweep")
    if not client.list_artifacts(run, schema.BEST_CHECKPOINT_ARTIFACT):
        ended = tags.get(schema.END_REASON) or "it has not ended"
        raise UserError(f"{uri}: run {run} has no checkpoint in the store ({ended})")
    return Path(client.download_artifacts(run, schema.BEST_CHECKPOINT_ARTIFACT, str(folder)))
