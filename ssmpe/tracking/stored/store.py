"""Reads sweeps from an MLflow store by the names of the tracking schema."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.reading import open_store, reading
from ssmpe.tracking.stored.histories import curves_of
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial, in_table_order

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PAGE = 1000
"""Number of runs that are asked for at a time"""
_TRIAL_TAGS = (schema.ROW, schema.SEED, schema.ADDED_SET, schema.ADDED_EXCERPTS)
_TRIAL_PARAMS = (
    "data.labelled",
    "data.labelled_excerpts",
    "data.validation",
    "training.n_batches",
)


@contextmanager
def opened(uri: str) -> Iterator["MlflowClient"]:
    """Open a store that is there already; UserError if there is none, or it cannot be read."""
    client = open_store(uri)
    with reading(uri):
        yield client


def read_sweep(uri: str, name: str, partial: bool = False) -> StoredSweep:
    """Read a sweep with all its curves.

    Args:
        uri: tracking URI of the store.
        name: the sweep's own name (tag ``schema.SWEEP``).
        partial: accept a sweep that has not finished.

    Raises:
        UserError: there is no store at the URI, it holds no such sweep, the sweep has not finished
            (unless ``partial``), or none of its trials has.
    """
    sweep = read_any(uri, name)
    _check_finished(sweep, partial)
    return sweep


def read_any(uri: str, name: str) -> StoredSweep:
    """Read a sweep as it stands, even if none of its trials has ended; else as ``read_sweep``."""
    with opened(uri) as client:
        parents = _parents(client, uri)
        if name not in _names(parents):
            raise UserError(f"{uri}: no sweep {name!r} (there are: {', '.join(_names(parents))})")
        parent = parents[_names(parents).index(name)]
        children = [run for run in _children(client, parent) if not _is_being_begun(run)]
        for child in children:
            _require_trial(child)
        curves = curves_of(client, children)
        trials = in_table_order(_trial(child, curves[child.info.run_id]) for child in children)
    tags = parent.data.tags
    return StoredSweep(
        name=name,
        script=tags.get(schema.SCRIPT, ""),
        question=tags.get(schema.QUESTION, ""),
        preset=tags.get(schema.PRESET, ""),
        data=tags.get(schema.DATA, ""),
        state=tags.get(schema.STATE, "running"),
        run_id=parent.info.run_id,
        experiment_id=parent.info.experiment_id,
        params=parent.data.params,
        planned=_planned(parent),
        trials=trials,
        seconds=_seconds(parent),
        uri=uri,
        tags=tags,
    )


def sweep_names(uri: str) -> tuple[str, ...]:
    """Return the names of the sweeps in a store, the latest first; UserError if there is none."""
    with opened(uri) as client:
        return _names(_parents(client, uri))


def find_sweep(uri: str, name: str | None = None) -> tuple[str, str]:
    """Return the name of a sweep, by default the latest, and the id of its experiment.

    Raises:
        UserError: there is no such store or sweep.
    """
    with opened(uri) as client:
        parents = _parents(client, uri)
        names = _names(parents)
    if name is not None and name not in names:
        raise UserError(f"{uri}: no sweep {name!r} (there are: {', '.join(names)})")
    index = 0 if name is None else names.index(name)
    return names[index], parents[index].info.experiment_id


def log_files(uri: str, run_id: str, files: Iterable[Path]) -> None:
    """Attach figures and tables to a sweep's parent run, in place of those of the same name."""
    with opened(uri) as client:
        for file in files:
            client.log_artifact(run_id, str(file), schema.FIGURES_ARTIFACTS)


def artifacts(client: "MlflowClient", run_id: str, folder: str, scratch: Path) -> Path:
    """Copy a folder of a run's artifacts into a scratch folder; an empty one if the run has none.

    Returns:
        The copy.
    """
    copy = scratch / run_id
    copy.mkdir()
    if not client.list_artifacts(run_id, folder):
        return copy
    return Path(client.download_artifacts(run_id, folder, str(copy)))


def _check_finished(sweep: StoredSweep, partial: bool) -> None:
    if not any(t.has_result for t in sweep.trials):
        raise UserError(f"sweep {sweep.name!r} ({sweep.state}): no trial has finished yet")
    if partial or sweep.finished:
        return
    raise UserError(
        f"sweep {sweep.name!r} has not finished (it is {sweep.state}; trials that have not ended: "
        f"{sweep.unfinished}): resume it, or draw what there is (--partial)"
    )


def _parents(client: "MlflowClient", uri: str) -> list["Run"]:
    """Return the parent runs of all sweeps, the latest first."""
    experiments = [e.experiment_id for e in client.search_experiments()]
    parents = _search(
        client, experiments, f"tags.`{schema.KIND}` = '{schema.KIND_SWEEP}'", "start_time DESC"
    )
    if not parents:
        raise UserError(f"{uri}: an MLflow store, but no sweep of ssmpe in it")
    return parents


def _names(parents: list["Run"]) -> tuple[str, ...]:
    """Return names of sweeps; UserError if one, which becomes a folder's, could lead elsewhere."""
    names = tuple(p.data.tags.get(schema.SWEEP, "") for p in parents)
    for name, parent in zip(names, parents, strict=True):
        if name in ("", "..") or Path(name).name != name:
            raise UserError(f"run {parent.info.run_id}: {name!r:.80} is no name of a sweep")
    return names


def _children(client: "MlflowClient", parent: "Run") -> list["Run"]:
    """Return the trials of a sweep in the order in which they started."""
    of_parent = f"tags.`{schema.PARENT_RUN}` = '{parent.info.run_id}'"
    condition = f"{of_parent} AND tags.`{schema.KIND}` = '{schema.KIND_TRIAL}'"
    return _search(client, [parent.info.experiment_id], condition, "start_time ASC")


def _search(
    client: "MlflowClient", experiments: list[str], condition: str, order: str
) -> list["Run"]:
    found: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs(
            experiments, condition, max_results=PAGE, order_by=[order], page_token=token
        )
        found += page
        token = page.token
        if not token:
            return found


def _planned(parent: "Run") -> int:
    """Return the number of trials: that of a search; otherwise every row with every seed."""
    if planned := parent.data.tags.get(schema.PLANNED):
        return int(planned)
    rows, seeds = (parent.data.params.get(p, "") for p in ("rows", "seeds"))
    return len(rows.split(", ")) * len(seeds.split(", ")) if rows and seeds else 0


def _is_being_begun(run: "Run") -> bool:
    """Tell whether a run's parameters, which come right after its tags, are still on their way."""
    described = run.data.params or any(t not in run.data.tags for t in _TRIAL_TAGS)
    return run.info.status == "RUNNING" and not described


def _require_trial(run: "Run") -> None:
    tags, run_id = run.data.tags, run.info.run_id
    missing = [t for t in _TRIAL_TAGS if t not in tags]
    missing += [p for p in _TRIAL_PARAMS if p not in run.data.params]
    if missing:
        raise UserError(f"run {run_id}: tagged as a trial, but without {', '.join(missing)}")


def _trial(run: "Run", curves: Mapping[str, MetricCurve]) -> StoredTrial:
    try:
        return _read_trial(run, curves)
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"run {run.info.run_id}: not a trial of ssmpe ({error!s:.80})") from error


def _read_trial(run: "Run", curves: Mapping[str, MetricCurve]) -> StoredTrial:
    """Read a trial; ValueError or TypeError if its tags are not what a sweep would write."""
    tags, run_id = run.data.tags, run.info.run_id
    reason = tags.get(schema.END_REASON)
    return StoredTrial(
        run_id=run_id,
        row=tags[schema.ROW],
        seed=int(tags[schema.SEED]),
        added_set=tags[schema.ADDED_SET],
        added_excerpts=int(tags[schema.ADDED_EXCERPTS]),
        end_reason=schema.EndReason(reason) if reason else None,
        collapsed_at=json.loads(tags.get(schema.COLLAPSED_AT, "{}")),
        curves=curves,
        params=_configuration(run.data.params),
        started=run.info.start_time / 1000,
        seconds=float("nan") if schema.COPIED_FROM in tags else _seconds(run),
        copied_from=tags.get(schema.COPIED_FROM, ""),
        order=tags.get(schema.ORDER, ""),
    )


def _configuration(params: Mapping[str, str]) -> dict[str, str]:
    """Leave out parameters that are listed with a zero since other trials have them."""
    return {k: v for k, v in params.items() if not (k.startswith(schema.COUNTED) and not float(v))}


def _seconds(run: "Run") -> float:
    """Return the time from a run's begin to its end; NaN if it has none."""
    begin, end = run.info.start_time, run.info.end_time
    return float("nan") if end is None else (end - begin) / 1000
