"""Trials that a store has already, whichever sweep they belong to, and what it has of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ssmpe.tracking import schema
from ssmpe.tracking.connection import connect, sqlite_path
from ssmpe.tracking.reading import reading
from ssmpe.tracking.runs import quoted

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class CompletedRun:
    """The run of a trial that was trained to its end.

    Attributes:
        run: its id.
        sweep: name of the sweep that trained it.
        made_with: parameters of that sweep: versions and hardware.
        has_best: the store has its best checkpoint.
    """

    run: str
    sweep: str
    made_with: Mapping[str, str]
    has_best: bool


@dataclass(frozen=True)
class Record:
    """All that a store has of a run: tags, metrics by batch, and a copy of its artifacts."""

    tags: Mapping[str, str]
    metrics: Mapping[int, Mapping[str, float]]
    folder: Path

    def files(self) -> list[tuple[Path, str]]:
        """Every file, and the folder of the artifacts that it belongs into ("" for the topmost)."""
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        folders = [path.relative_to(self.folder).parent.as_posix() for path in found]
        return [(p, "" if f == "." else f) for p, f in zip(found, folders, strict=True)]


def completed_runs(uri: str, trial: str, data: str) -> list[CompletedRun]:
    """Runs in which a trial was trained to its end, the latest first; copies of runs are none.

    Args:
        uri: MLflow tracking URI; a SQLite file that is missing or empty has no runs.
        trial: identity of its configuration.
        data: what it was trained on, in words (tag ``schema.DATA``): that alone tells one folder
            of datasets from another.

    Raises:
        UserError: the store cannot be read.
    """
    path = sqlite_path(uri)
    if path is not None and not (path.is_file() and path.stat().st_size):
        return []
    wanted = {
        schema.KIND: schema.KIND_TRIAL,
        schema.TRIAL: trial,
        schema.END_REASON: str(schema.EndReason.COMPLETED),
    }
    condition = " and ".join(f"tags.`{tag}` = {quoted(text)}" for tag, text in wanted.items())
    with reading(uri):
        client = connect(uri)
        experiments = [e.experiment_id for e in client.search_experiments()]
        runs = client.search_runs(experiments, condition, order_by=["start_time DESC"])
        return [
            _completed(client, run)
            for run in runs
            if run.data.tags.get(schema.DATA) == data and schema.COPIED_FROM not in run.data.tags
        ]


def _completed(client: "MlflowClient", run: "Run") -> CompletedRun:
    best = client.list_artifacts(run.info.run_id, schema.BEST_CHECKPOINT_ARTIFACT)
    sweep = client.get_run(run.data.tags[schema.PARENT_RUN])
    return CompletedRun(run.info.run_id, run.data.tags[schema.SWEEP], sweep.data.params, bool(best))


def fetch_record(uri: str, run: str, folder: Path) -> Record:
    """Copy all that a store has of a run, its artifacts below ``folder``.

    Raises:
        UserError: there is no such run, or the store cannot be read.
    """
    with reading(uri, run):
        client = connect(uri)
        data = client.get_run(run).data
        metrics: dict[int, dict[str, float]] = {}
        for key in data.metrics:
            for point in client.get_metric_history(run, key):
                metrics.setdefault(point.step, {})[key] = point.value
        copied = Path(client.download_artifacts(run, "", str(folder)))
        return Record(data.tags, dict(sorted(metrics.items())), copied)
