"""A stored sweep as tidy tables: one line for each trial, validation or track."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ssmpe.tracking.stored.records import StoredSweep, StoredTrial
from ssmpe.tracking.stored.store import find_sweep, read_any
from ssmpe.tracking.stored.track_scores import read_track_scores

MEASURES = ("f1_tuned", "average_precision", "precision", "recall", "f1", "blank_rate")
"""Measures of single tracks"""
_KEY, _HOW = ("row", "seed", "run"), ("ended", "batches", "seconds")


@dataclass(frozen=True)
class Tables:
    """The numbers of a sweep.

    Attributes:
        sweep: what the store has of it.
    """

    sweep: StoredSweep

    def __repr__(self) -> str:
        return f"Tables({self.sweep.name!r}: trials, curves, tracks)"

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A line per trial: row, seed, run, how it ended, last scores, settings.

        Scores are those of the last validation, as "SET/MEASURE"; settings go by their dotted
        paths.
        """
        lines = [_trial(trial) for trial in self.sweep.trials]
        return pd.DataFrame(lines, columns=None if lines else [*_KEY, *_HOW])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A line per value: row, seed, run, metric, batch, value."""
        found = (
            {**_key(trial), "metric": metric, "batch": int(batch), "value": float(value)}
            for trial in self.sweep.trials
            for metric, curve in trial.curves.items()
            for batch, value in zip(curve.steps, curve.values, strict=True)
        )
        return pd.DataFrame(found, columns=[*_KEY, "metric", "batch", "value"])

    @cached_property
    def tracks(self) -> pd.DataFrame:
        """A line per track and measure: row, seed, run, set, track, measure, value.

        Of the last validation of the trials that count: those that were not interrupted.
        """
        columns = [*_KEY, "set", "track", "measure", "value"]
        return pd.DataFrame(self._tracks(), columns=columns)

    def _tracks(self) -> Iterator[dict[str, Any]]:
        trials = {trial.run_id: trial for trial in self.sweep.trials}
        for (run, name), scores in read_track_scores(self.sweep, MEASURES).items():
            for measure, values in scores.items():
                for track, value in values.items():
                    of = {"set": name, "track": track, "measure": measure, "value": value}
                    yield {**_key(trials[run]), **of}


def read_tables(uri: str, name: str | None) -> Tables:
    """Read a sweep, by default the latest, whether it has finished or not.

    Raises:
        UserError: there is no such store or sweep.
    """
    return Tables(read_any(uri, find_sweep(uri, name)[0]))


def _key(trial: StoredTrial) -> dict[str, Any]:
    return {"row": trial.row, "seed": trial.seed, "run": trial.run_id}


def _trial(trial: StoredTrial) -> dict[str, Any]:
    last = {metric: trial.last(metric) for metric in trial.curves}
    ended = str(trial.end_reason) if trial.end_reason else None
    how = {"ended": ended, "batches": trial.last_step, "seconds": trial.seconds}
    return {**_key(trial), **how, **last, **trial.params}
