"""Scores of every track at a trial's last validation, read from its run's tables."""

import csv
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial
from ssmpe.tracking.stored.store import artifacts, opened

TrackScores = Mapping[str, Mapping[str, float]]
"""Measure -> track -> score"""
Scores = Mapping[tuple[str, str], TrackScores]
"""Run id and set -> scores, for the tables that are in the store"""


def read_track_scores(sweep: StoredSweep, measures: Iterable[str]) -> Scores:
    """Read scores by track of all trials that count, on all sets of which the store has them.

    Sweeps of early versions have none, and tables of 0.3.0 lack some of the measures. A table of
    another batch than the trial's last validation is left out.

    Raises:
        UserError: a file is there, but no table of scores.
    """
    wanted = tuple(measures)
    found: dict[tuple[str, str], TrackScores] = {}
    with opened(sweep.uri) as client, tempfile.TemporaryDirectory() as scratch:
        for trial in (t for t in sweep.trials if t.has_result):
            folder = artifacts(client, trial.run_id, schema.SCORES_ARTIFACTS, Path(scratch))
            for set_name in sweep.sets:
                file = folder / schema.scores_file(set_name)
                if file.is_file() and (scores := _read(file, trial, wanted)):
                    found[trial.run_id, set_name] = scores
    return found


def _read(file: Path, trial: StoredTrial, measures: tuple[str, ...]) -> TrackScores:
    """Read scores of the last validation; none if the table is of another."""
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            table = csv.DictReader(lines)
            there = [m for m in measures if m in (table.fieldnames or ())]
            scores: dict[str, dict[str, float]] = {measure: {} for measure in there}
            for line in table:
                if int(line["batch"]) != trial.last_step:
                    return {}
                for measure in there:
                    scores[measure][line["track"]] = float(line[measure])
    except (KeyError, TypeError, ValueError) as error:
        name = f"{schema.SCORES_ARTIFACTS}/{file.name}"
        raise UserError(f"run {trial.run_id}: {name} is no table of scores ({error!r})") from error
    return scores
