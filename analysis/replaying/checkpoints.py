"""Which checkpoint other measures of the validation set would have called the best."""

from dataclasses import dataclass

import numpy as np

from analysis.numbers.statistics import Spread
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

CHOICES = ("f1", "f1_tuned", "average_precision")
"""Measures by which the best checkpoint may be chosen on the labelled validation set"""
SCORED = (*CHOICES, "blank_rate")
"""What is said of each set at the batch that is chosen"""


@dataclass(frozen=True)
class Choice:
    """The best checkpoint of a trial by a measure.

    Attributes:
        measure: of the validation set, whose highest value is chosen.
        batch: of the validation that has it.
    """

    trial: StoredTrial
    measure: str
    batch: int

    def score(self, set_name: str, measure: str) -> float:
        """Return what a set has at that batch; NaN if it was not logged."""
        curve = self.trial.curve(set_name, measure)
        return curve.at(self.batch) if curve else float("nan")


@dataclass(frozen=True)
class Choices:
    """Choices of all trials with a result, by measure, in the table's order.

    A measure that was not logged of every trial is missing.
    """

    sweep: StoredSweep
    by: dict[str, tuple[Choice, ...]]

    @classmethod
    def of(cls, sweep: StoredSweep) -> "Choices":
        """Choose as the trainer does: the first of the highest, and never batch 0."""
        trials = [t for row in sweep.rows for t in sweep.of_row(row) if t.has_result]
        by = {m: [_chosen(t, sweep.validation, m) for t in trials] for m in CHOICES}
        return cls(sweep, {m: tuple(c for c in cs if c) for m, cs in by.items() if all(cs)})

    def row(self, measure: str, row: str, set_name: str, score: str) -> Spread:
        """Return a row's scores on a set at the checkpoints that a measure chooses."""
        chosen = (c for c in self.by[measure] if c.trial.row == row)
        return Spread.of(c.score(set_name, score) for c in chosen)


def _chosen(trial: StoredTrial, validation: str, measure: str) -> Choice | None:
    curve = trial.curve(validation, measure)
    if curve is None:
        return None
    values = np.where(curve.steps > 0, curve.values, np.nan)
    if np.isnan(values).all():
        return None
    return Choice(trial, measure, int(curve.steps[np.nanargmax(values)]))
