"""What a trial reports at every validation, and what its end is called."""

import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ssmpe.config import DataConfig, TrialConfig
from ssmpe.evaluation import collapse
from ssmpe.evaluation.scores import ALL_MEASURES
from ssmpe.experiments.sweep import Trial
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason
from ssmpe.training.diagnostics import Diagnosis
from ssmpe.training.trainer import Validation

BATCH, METRICS, FAILURE = "batch", "metrics", "failure"
OUT_OF_MEMORY, DIVERGED = "out_of_memory", "diverged"
"""Marks of a failed trial: memory was lacking; its own settings made it fail, and always will."""
DAMAGED = "damaged"
"""Report of what was damaged among the checkpoints when the trial was resumed."""
UNFIT = "unfit"
"""Mark of a trial that a node could not run: Ray's id of the node."""
COLLAPSED_AT, COLLAPSING = "collapsed_at", "collapsing"
OBJECTIVE = "objective"
"""Validation F1: always finite, which Tune's schedulers need."""


def trial_of(trial: Any) -> Trial:
    """Return the planned trial behind one of Tune's."""
    planned = trial.config["trial"]
    return Trial(planned["row"], TrialConfig.from_dict(planned["config"]))


@dataclass
class Curve:
    """The blank rates of a trial so far: all that decides about its collapse."""

    batches: list[int]
    blank_rates: dict[str, list[float]]

    @classmethod
    def empty(cls, config: TrialConfig) -> "Curve":
        return cls([], {name: [] for name in config.data.evaluated_sets})

    def append(self, validation: Validation) -> None:
        self.batches.append(validation.batch)
        for name, scores in validation.scores.items():
            self.blank_rates[name].append(scores.means.blank_rate)

    def to_dict(self) -> dict[str, Any]:
        return {"batches": self.batches, "blank_rates": self.blank_rates}

    def collapsed_at(self, validation_set: str) -> dict[str, int | None]:
        """Set -> the batch from which it was blank to the end of the curve, or None."""
        alive = self.blank_rates[validation_set]
        return {
            name: collapse.collapsed_at(self.batches, rates, alive)
            for name, rates in self.blank_rates.items()
        }

    def collapsing(self, data: DataConfig) -> list[str]:
        """Return the sets for which the trial may be stopped: collapsed for long, and its own.

        Rows that add nothing are never stopped, nor is one for a set it has nothing to do with.
        """
        alive = self.blank_rates[data.validation]
        return [
            name
            for name in data.counterparts
            if collapse.collapsing(self.batches, self.blank_rates[name], alive)
        ]


def metrics_of(validation: Validation) -> dict[str, float]:
    """Return the metrics of a validation, without scores of unannotated sets."""
    metrics = {schema.loss_metric(name): value for name, value in validation.losses.items()}
    for name, scores in validation.scores.items():
        metrics[schema.THRESHOLD] = scores.threshold  # one for all sets
        for measure in ALL_MEASURES:
            metrics[schema.set_metric(name, measure)] = getattr(scores.means, measure)
    if validation.diagnosis:
        metrics |= diagnostic_metrics(validation.diagnosis)
    metrics = {key: value for key, value in metrics.items() if math.isfinite(value)}
    metrics[schema.TRAIN_SECONDS] = validation.train_seconds
    metrics[schema.EVALUATION_SECONDS] = validation.evaluation_seconds
    return metrics


def diagnostic_metrics(diagnosis: Diagnosis) -> dict[str, float]:
    """Return the metrics of a diagnosis: everything but its histograms."""
    return {
        **{schema.gradient_metric(*key): value for key, value in diagnosis.gradients.items()},
        **{schema.term_metric(*key): value for key, value in diagnosis.losses.items()},
        **{schema.pull_metric(*key): value for key, value in diagnosis.pulls.items()},
        **{schema.salience_metric(*key): value for key, value in diagnosis.salience.items()},
    }


def save_histogram(validation: Validation, folder: Path) -> None:
    """Write the histograms of a diagnosis, if there is one, as a CSV: set, low, high, share."""
    if validation.diagnosis is None:
        return
    folder.mkdir()
    path = folder / schema.histogram_file(validation.batch)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(schema.HISTOGRAM_COLUMNS)
        for name, shares in validation.diagnosis.histograms.items():
            for band, share in enumerate(shares):
                edges = (f"{edge / len(shares):g}" for edge in (band, band + 1))
                table.writerow([name, *edges, share])


def save_track_scores(validation: Validation, folder: Path) -> None:
    """Write every track's scores, one CSV per set: track, batch, measures (nan if undefined)."""
    folder.mkdir()
    for name, scores in validation.scores.items():
        with (folder / schema.scores_file(name)).open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, ["track", "batch", *ALL_MEASURES], lineterminator="\n")
            table.writeheader()
            for track, measures in scores.tracks.items():
                table.writerow({"track": track, "batch": validation.batch, **asdict(measures)})


def end_reason(result: dict[str, Any], n_batches: int, errored: bool) -> EndReason:
    """Tell from its last report alone why a trial ended; ``errored``: not by itself."""
    if errored or result.get(FAILURE):
        return EndReason.FAILED
    if result.get(BATCH, 0) >= n_batches:
        return EndReason.COMPLETED
    return EndReason.COLLAPSED if result.get(COLLAPSING) else EndReason.PRUNED
