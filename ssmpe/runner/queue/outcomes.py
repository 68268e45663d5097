"""How the trials of a run of Tune's have ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.exceptions import OutOfMemoryError, RayActorError

from ssmpe.errors import last_line
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.trial import reports
from ssmpe.tracking.schema import EndReason


@dataclass(frozen=True)
class Outcome:
    """How a trial has ended, or that it has not.

    Attributes:
        ended: False: the sweep was interrupted before.
        reason: only of a trial that ended.
        batch: of its last report.
        why: it failed, if it did.
        out_of_memory: it failed for lack of memory.
        lost: its process died again and again, or before it had begun.
        declined: by a node that could not run it.
    """

    trial: Trial
    ended: bool
    reason: EndReason | None
    batch: int
    why: str
    out_of_memory: bool
    lost: bool
    declined: bool


def outcomes(grid: tune.ResultGrid, trials: Sequence[Trial]) -> list[Outcome]:
    """Of every trial; a result without reports is known by its folder."""
    results = {Path(result.path).name: result for result in grid if result.path}
    return [_outcome(trial, results.get(trial.identity)) for trial in trials]


def _outcome(trial: Trial, result: Any | None) -> Outcome:
    metrics = (result.metrics if result else None) or {}
    error = result.error if result else None
    ended = bool(error or metrics.get("done"))
    reason = reports.end_reason(metrics, trial.config.training.n_batches, bool(error))
    why = metrics.get(reports.FAILURE, "")
    if error:
        assert result
        why = f"{last_line(error)} (in full: {result.path}/error.txt)"
    return Outcome(
        trial=trial,
        ended=ended,
        reason=reason if ended else None,
        batch=metrics.get(reports.BATCH, 0),
        why=why,
        out_of_memory=lacked_memory(metrics, error),
        lost=is_lost(error),
        declined=bool(metrics.get(reports.UNFIT)),
    )


def is_lost(error: BaseException | None) -> bool:
    """Whether a trial's process died, for another reason than a lack of memory."""
    return isinstance(error, RayActorError) and not _is_out_of_memory(error)


def lacked_memory(metrics: Mapping[str, Any], error: BaseException | None) -> bool:
    """Whether a trial failed for lack of memory: it said so, or Ray ended its process."""
    return bool(metrics.get(reports.OUT_OF_MEMORY)) or _is_out_of_memory(error)


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Whether Ray ended a process because the node's memory ran out."""
    return isinstance(error, OutOfMemoryError) or "low on memory" in str(error or "")
