"""The function that Ray runs for every trial."""

import gc
import tempfile
from pathlib import Path
from typing import Any

import torch
from ray import tune

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.runner import reports
from ssmpe.runner.memory import keep_freed_memory, return_freed_memory
from ssmpe.runner.pictures import save_pictures
from ssmpe.runner.worker import Worker
from ssmpe.sets import Sets
from ssmpe.training import DivergedError, Trainer, Validation

PICTURES = "pictures"
"""folder of a checkpoint: <set with - for />/<batch>.png"""
SCORES = "scores"
"""folder of a checkpoint: every track's scores at its validation, a table per set"""
HISTOGRAMS = "histograms"
"""folder of a checkpoint: the salience of training, if measured, in a table <batch>.csv"""


def run_trial(parameters: dict[str, Any]) -> None:
    """Train a trial from its last checkpoint, or from the start, reporting every validation.

    Args:
        parameters: "trial": {"row", "config", "checkpoints", "parent"}: checkpoints left by earlier
            attempts at the sweep, newest first, and the last one of the trial that it continues,
            if it does; and "worker": fields of ``Worker``.
    """
    config = TrialConfig.from_dict(parameters["trial"]["config"])
    worker = Worker(**parameters["worker"])
    # a reused process keeps the state of the trial before it
    torch.set_num_threads(worker.threads)
    keep_freed_memory()
    gc.collect()
    return_freed_memory()
    if worker.use_gpu:
        torch.cuda.empty_cache()
    sets = worker.sets(config)
    try:
        trainer = _begin(config, sets, worker, parameters["trial"]["parent"])
    except UserError as error:
        _report_failure(0, error)
        return
    curve = _resume(trainer, parameters["trial"]["checkpoints"])
    try:
        for validation in trainer.run():
            curve.append(validation)
            _report(trainer, validation, curve)
    except DivergedError as error:
        _report_failure(trainer.batch, error)


def _begin(config: TrialConfig, sets: Sets, worker: Worker, parent: str | None) -> Trainer:
    """A trial at its beginning; UserError if what it continues cannot be used."""
    if parent is None:
        return Trainer(config, sets, worker.device, diagnostics=worker.diagnostics)
    with tune.Checkpoint(parent).as_directory() as folder:
        return Trainer(config, sets, worker.device, Path(folder), worker.diagnostics)


def _report_failure(batch: int, error: Exception) -> None:
    # an ordinary report: raised, it would be retried, to the same end
    failed = {reports.BATCH: batch, reports.OBJECTIVE: 0.0, reports.COLLAPSING: []}
    tune.report({**failed, reports.FAILURE: str(error)})


def _resume(trainer: Trainer, earlier: list[str]) -> reports.Curve:
    """Go back to the newest checkpoint that can be used; the curve up to it.

    Its report is made again: whether it has been heard is not known, and whoever hears it twice
    can tell.
    """
    own = tune.get_checkpoint()
    for checkpoint in [own] if own else map(tune.Checkpoint, earlier):
        with checkpoint.as_directory() as folder:
            try:
                plain = trainer.load(Path(folder))
            except UserError:
                continue  # cut short by a full disk, say; the one before it will do
            tune.report(plain["report"], checkpoint=tune.Checkpoint.from_directory(folder))
            return reports.Curve(**plain["curve"])
    return reports.Curve.empty(trainer.config)


def _report(trainer: Trainer, validation: Validation, curve: reports.Curve) -> None:
    data = trainer.config.data
    result = {
        reports.BATCH: validation.batch,
        reports.OBJECTIVE: validation.scores[data.validation].means.f1,
        reports.METRICS: reports.metrics_of(validation),
        reports.COLLAPSED_AT: curve.collapsed_at(data.validation),
        reports.COLLAPSING: curve.collapsing(data),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "checkpoint"
        trainer.save(folder, curve=curve.to_dict(), report=result)
        save_pictures(trainer, folder / PICTURES)
        reports.save_track_scores(validation, folder / SCORES)
        reports.save_histogram(validation, folder / HISTOGRAMS)
        tune.report(result, checkpoint=tune.Checkpoint.from_directory(folder))
