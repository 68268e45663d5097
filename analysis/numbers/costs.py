"""Time that the rows of a sweep have taken, and that stopping has saved them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

GPUS = "hardware.gpus_per_trial"
"""Parameter of the sweep's run"""
ALL = "all rows"


@dataclass(frozen=True)
class Costs:
    """Costs of runs; times in seconds, summed over runs.

    Attributes:
        runs, stopped: how many have been validated, and were stopped as collapsed.
        trained, configured: batches up to their last validations, and that they were to train.
        training, evaluation: as recorded at every validation.
        other: time from begin to end less both; 0 of a run that has not ended.
        saved_batches: not trained by the stopped runs.
        saved: their time, at each run's own mean time (training and evaluation) per batch.
        gpus: of a run.
    """

    row: str
    runs: int
    stopped: int
    trained: int
    configured: int
    training: float
    evaluation: float
    other: float
    saved_batches: int
    saved: float
    gpus: float

    @property
    def spent(self) -> float:
        return self.training + self.evaluation + self.other

    @property
    def gpu_hours(self) -> float:
        return self.gpus * self.spent / 3600

    @property
    def saved_gpu_hours(self) -> float:
        return self.gpus * self.saved / 3600


@dataclass(frozen=True)
class Spending:
    """Costs of every row of a sweep that has a validation.

    Runs without a result are among them: spent is spent. A run that was copied from an earlier
    sweep has cost this one nothing.
    """

    sweep: StoredSweep
    rows: tuple[Costs, ...]

    @classmethod
    def of(cls, sweep: StoredSweep) -> "Spending":
        """Add up costs by row; UserError if no run has recorded how long its training took."""
        gpus = float(sweep.params.get(GPUS, 0))
        by_row = [[t for t in sweep.of_row(row) if _own(t)] for row in sweep.rows]
        rows = tuple(_of(trials[0].row, trials, gpus) for trials in by_row if trials)
        if not rows and all(t.copied for t in sweep.trials):
            raise UserError(f"sweep {sweep.name!r}: all runs were taken from earlier sweeps")
        if not rows:
            raise UserError(
                f"sweep {sweep.name!r}: no run has recorded {schema.TRAIN_SECONDS}: nothing to add "
                "up"
            )
        return cls(sweep, rows)

    @property
    def total(self) -> Costs:
        """Costs of all rows together."""
        summed = {
            name: sum(getattr(c, name) for c in self.rows)
            for name in Costs.__dataclass_fields__
            if name not in ("row", "gpus")
        }
        return Costs(row=ALL, gpus=self.rows[0].gpus, **summed)


def _own(trial: StoredTrial) -> bool:
    return schema.TRAIN_SECONDS in trial.curves and not trial.copied


def _of(row: str, trials: Sequence[StoredTrial], gpus: float) -> Costs:
    training = [_sum(t, schema.TRAIN_SECONDS) for t in trials]
    evaluation = [_sum(t, schema.EVALUATION_SECONDS) for t in trials]
    busy = np.add(training, evaluation)
    left = {t.run_id: t.n_batches - t.last_step for t in trials if t.stopped}
    pairs = list(zip(trials, busy, strict=True))
    return Costs(
        row=row,
        runs=len(trials),
        stopped=len(left),
        trained=sum(t.last_step for t in trials),
        configured=sum(t.n_batches for t in trials),
        training=sum(training),
        evaluation=sum(evaluation),
        # the clocks of a run and of its store differ by fractions of a second
        other=sum(max(t.seconds - float(s), 0.0) for t, s in pairs if np.isfinite(t.seconds)),
        saved_batches=sum(left.values()),
        saved=sum(float(s) / t.last_step * left[t.run_id] for t, s in pairs if t.run_id in left),
        gpus=gpus,
    )


def _sum(trial: StoredTrial, metric: str) -> float:
    curve = trial.curves.get(metric)
    return float(curve.values.sum()) if curve else 0.0
