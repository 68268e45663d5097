"""A trial in its process: from its last checkpoint to its end, validation by validation."""

import gc
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import ray
import torch

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError, first_line, last_line
from ssmpe.evaluation.scores import ScoringError
from ssmpe.network.precision import PrecisionError
from ssmpe.runner.cluster.excluded import UnfitNodeError
from ssmpe.runner.trial import reports
from ssmpe.runner.trial.checkpoints import Checkpoints, DamagedError, Stage
from ssmpe.runner.trial.device import (
    keep_freed_memory,
    keep_to_share,
    make_repeatable,
    return_freed_memory,
)
from ssmpe.runner.trial.pictures import save_pictures
from ssmpe.runner.trial.reports import Report
from ssmpe.runner.trial.worker import Worker
from ssmpe.storage import PATIENCE
from ssmpe.training.trainer import DivergedError, InterruptedTrainingError, Trainer, Validation

LAST_WORDS_SECONDS = 20.0
"""Time for which a process that was asked to end tries to store a checkpoint."""


def run_trial(
    parameters: dict[str, Any], interrupted: Callable[[], bool] = lambda: False
) -> Iterator[Report]:
    """Train a trial from its last checkpoint, or from the start, reporting every validation.

    Args:
        parameters: "trial": {"row", "config"}; "worker": fields of ``Worker``; "share": what Ray
            gives it; "without": nodes on which it is not to run.
        interrupted: whether to end; there is a checkpoint then.

    Raises:
        InterruptedTrainingError: it was.
    """
    config = TrialConfig.from_dict(parameters["trial"]["config"])
    worker = Worker(**parameters["worker"])
    _clean_up(worker)
    batch = 0
    try:
        for report in _reports(config, worker, interrupted):
            batch = report[reports.BATCH]
            yield report
    except (UnfitNodeError, PrecisionError) as error:
        node = ray.get_runtime_context().get_node_id()
        yield {**_failure(batch, error), reports.UNFIT: node}
    except (UserError, ScoringError) as error:
        yield _failure(batch, error)
    except DivergedError as error:
        yield {**_failure(batch, error), reports.DIVERGED: True}
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        yield {**_failure(batch, error), reports.OUT_OF_MEMORY: True}


def _reports(
    config: TrialConfig, worker: Worker, interrupted: Callable[[], bool]
) -> Iterator[Report]:
    checkpoints = Checkpoints(worker.storage, worker.sweep)
    trainer = _begin(config, worker, checkpoints)
    resumed, damage = checkpoints.resumed(config.identity, partial(_load, trainer))
    if resumed is None and damage:  # it may have been changed in part
        trainer = _begin(config, worker, checkpoints)
    curve, last = resumed or (reports.Curve.empty(config), None)
    said = {reports.DAMAGED: damage} if damage else {}
    if last:
        yield {**last, **said}
        said = {}
    try:
        for validation in trainer.run(interrupted):
            curve.append(validation)
            last = _report(trainer, validation, curve)
            if last[reports.COLLAPSING] and worker.early_stop:  # these scores may be its last
                trainer.confirm()
            _save(trainer, checkpoints, curve, last, validation)
            yield {**last, **said}
            said = {}
    except InterruptedTrainingError:
        if trainer.batch > 0:
            _save(trainer, checkpoints, curve, last)
        raise


def _clean_up(worker: Worker) -> None:
    """Remove what the trial before this one has left in a process that is used again."""
    torch.set_num_threads(worker.threads)
    keep_freed_memory()
    gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()  # all that is imported: it stays, and to look through it takes 0.2 s a trial
    return_freed_memory()
    if worker.use_gpu:
        torch.cuda.empty_cache()
        keep_to_share(worker.gpus)
        make_repeatable()


def _begin(config: TrialConfig, worker: Worker, checkpoints: Checkpoints) -> Trainer:
    """Return a trial at its beginning; UserError if what it needs cannot be used."""
    sets, parent = worker.sets(config), config.training.parent
    stages = checkpoints.stages(parent) if parent else []
    if not stages:
        return Trainer(config, sets, worker.device, diagnostics=worker.diagnostics)
    try:
        with checkpoints.fetched(parent, stages[0]) as folder:
            return Trainer(config, sets, worker.device, folder, worker.diagnostics)
    except DamagedError as error:
        raise UserError(
            f"{error}, of the trial that this one continues: remove the folder of that trial, and "
            "--resume fetches its weights from the store"
        ) from None


def _failure(batch: int, error: BaseException) -> Report:
    # an ordinary report: raised, it would be retried, to the same end
    failed = {reports.BATCH: batch, reports.OBJECTIVE: 0.0, reports.COLLAPSING: []}
    return {**failed, reports.FAILURE: last_line(error)}


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a device refuses memory; the CPU's refusal has no class of its own."""
    refusals = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, refusals) or "can't allocate memory" in str(error)


def _load(trainer: Trainer, folder: Path) -> tuple[reports.Curve, Report | None]:
    """Go back to a checkpoint; the curve up to it, and its report.

    Its report is made again: whether it has been heard is not known, and whoever hears it twice
    can tell.

    Raises:
        UserError, LookupError, TypeError, ValueError, AttributeError: it cannot be used.
    """
    try:
        plain = trainer.load(folder)
    except RuntimeError as error:  # weights of other names or shapes
        if is_out_of_memory(error):
            raise
        raise UserError(f"{folder}: not a usable checkpoint ({first_line(error)})") from None
    return reports.Curve.from_dict(plain["curve"]), plain["report"]


def _report(trainer: Trainer, validation: Validation, curve: reports.Curve) -> Report:
    data = trainer.config.data
    return {
        reports.BATCH: validation.batch,
        reports.OBJECTIVE: reports.objective_of(validation, data),
        reports.METRICS: reports.metrics_of(validation),
        reports.COLLAPSED_AT: curve.collapsed_at(data.validation),
        reports.COLLAPSE_KIND: curve.kinds(data.validation),
        reports.COLLAPSING: curve.collapsing(data),
    }


def _save(
    trainer: Trainer,
    checkpoints: Checkpoints,
    curve: reports.Curve,
    last: Report | None,
    validation: Validation | None = None,
) -> None:
    """Store a checkpoint, with what the driver passes on of a validation; ``last``: report."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "checkpoint"
        trainer.save(folder, curve=curve.to_dict(), report=last)
        stage, patience = Stage(trainer.batch, validation is not None), LAST_WORDS_SECONDS
        if validation:
            save_pictures(trainer, folder / reports.PICTURES)
            reports.save_track_scores(validation, folder / reports.SCORES)
            reports.save_histogram(validation, folder / reports.HISTOGRAMS)
            patience = PATIENCE
        checkpoints.put(trainer.config.identity, stage, folder, patience)
