"""What a trial reports at every validation, and what its end is called."""

import csv
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssmpe.config import DataConfig, TrialConfig
from ssmpe.evaluation import collapse
from ssmpe.evaluation.collapse import Course, Criterion
from ssmpe.experiments.sweep import Trial
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason

if TYPE_CHECKING:
    from ssmpe.training.diagnostics import Diagnosis
    from ssmpe.training.trainer import Validation

Report = dict[str, Any]
"""What a trial tells of a validation, by the names below"""
BATCH, METRICS, FAILURE = "batch", "metrics", "failure"
OUT_OF_MEMORY, DIVERGED = "out_of_memory", "diverged"
"""Marks of a failed trial: memory was lacking; its own settings made it fail, and always will."""
DAMAGED = "damaged"
"""Report of what was damaged among the checkpoints when the trial was resumed."""
UNFIT = "unfit"
"""Mark of a trial that a node could not run: Ray's id of the node."""
COLLAPSED_AT, COLLAPSING = "collapsed_at", "collapsing"
COLLAPSE_KIND = "collapse_kind"
OBJECTIVE = "objective"
"""Validation F1 at its own threshold: always finite, which Tune's schedulers need."""
PICTURES = "pictures"
"""Folder of a checkpoint: <set with - for />/<batch>.png."""
SCORES = "scores"
"""Folder of a checkpoint: every track's scores at its validation, a table per set."""
HISTOGRAMS = "histograms"
"""Folder of a checkpoint: the salience of training, if measured, in a table <batch>.csv."""
BEST = ("best.pt", "best.json")
"""Files of a checkpoint: the best weights, as ``ssmpe.training.checkpoint`` calls them."""


def trial_of(trial: Any) -> Trial:
    """Return the planned trial behind one of Tune's."""
    planned = trial.config["trial"]
    return Trial(planned["row"], TrialConfig.from_dict(planned["config"]))


_RECORDED = (
    *("blank_rate", "blank_rate_tuned", "mean_peak"),
    *("pitches_per_frame", "average_precision", "similarity"),
)
"""Measures by which a collapse, and its kind, are known."""


@dataclass
class Curve:
    """The course of a trial so far: all that decides about its collapse, and of which kind it is.

    Attributes:
        batches: of the validations.
        values: measure of ``_RECORDED`` -> set -> its values at them; NaN where one is undefined,
            or was not recorded: version 0.3.0 kept blank rates at one half alone.
    """

    batches: list[int]
    values: dict[str, dict[str, list[float]]]

    @classmethod
    def empty(cls, config: TrialConfig) -> "Curve":
        return cls([], {m: {name: [] for name in config.data.evaluated_sets} for m in _RECORDED})

    def append(self, validation: "Validation") -> None:
        self.batches.append(validation.batch)
        for measure, sets in self.values.items():
            for name, scores in validation.scores.items():
                sets[name].append(getattr(scores.means, measure))

    def to_dict(self) -> dict[str, Any]:
        return {"batches": self.batches, "values": self.values}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Curve":
        """Read what ``to_dict`` gave, or gave in version 0.3.0.

        Raises:
            LookupError, TypeError, AttributeError: it is none of them.
        """
        if "values" in given:
            return cls(given["batches"], given["values"])
        batches, rates = given["batches"], given["blank_rates"]
        values = {m: {name: [math.nan] * len(batches) for name in rates} for m in _RECORDED}
        return cls(batches, {**values, "blank_rate": rates})

    def collapsed_at(
        self, validation_set: str, criterion: Criterion = collapse.DEFAULT
    ) -> dict[str, int | None]:
        """Set -> the batch from which it was blank to the end of the curve, or None."""
        rates = self.values[criterion.measure]
        return {
            name: collapse.collapsed_at(self.batches, own, rates[validation_set], criterion)
            for name, own in rates.items()
        }

    def collapsing(self, data: DataConfig, criterion: Criterion = collapse.DEFAULT) -> list[str]:
        """Return the sets for which the trial may be stopped: collapsed for long, and its own.

        Rows that add nothing are never stopped, nor is one for a set it has nothing to do with.
        """
        rates = self.values[criterion.measure]
        alive = rates[data.validation]
        return [
            name
            for name in data.counterparts
            if collapse.collapsing(self.batches, rates[name], alive, criterion)
        ]

    def kinds(self, validation_set: str) -> dict[str, str | None]:
        """Set -> how its output has degenerated, without a reference to compare with, or None."""
        found = {}
        for name in self.values["blank_rate"]:
            kind = collapse.kind(self._course(name, validation_set))
            found[name] = None if kind is None else str(kind)
        return found

    def _course(self, name: str, validation_set: str) -> Course:
        return Course(
            batches=self.batches,
            blank_rates=self.values["blank_rate"][name],
            mean_peaks=self.values["mean_peak"][name],
            pitches_per_frame=self.values["pitches_per_frame"][name],
            average_precisions=self.values["average_precision"][name],
            similarities=self.values["similarity"][name],
            labelled=self.values["blank_rate"][validation_set],
        )


def objective_of(validation: "Validation", data: DataConfig) -> float:
    """Return the ``OBJECTIVE``."""
    score = validation.scores[data.validation].means.f1_tuned
    return score if math.isfinite(score) else 0.0


def metrics_of(validation: "Validation") -> dict[str, float]:
    """Return the metrics of a validation, without scores of unannotated sets."""
    metrics = {schema.loss_metric(name): value for name, value in validation.losses.items()}
    for name, scores in validation.scores.items():
        metrics[schema.THRESHOLD] = scores.threshold  # one for all sets
        for measure, value in asdict(scores.means).items():
            metrics[schema.set_metric(name, measure)] = value
    if validation.diagnosis:
        metrics |= diagnostic_metrics(validation.diagnosis)
    metrics = {key: value for key, value in metrics.items() if math.isfinite(value)}
    metrics[schema.TRAIN_SECONDS] = validation.train_seconds
    metrics[schema.EVALUATION_SECONDS] = validation.evaluation_seconds
    return metrics


def diagnostic_metrics(diagnosis: "Diagnosis") -> dict[str, float]:
    """Return the metrics of a diagnosis: everything but its histograms."""
    return {
        **{schema.gradient_metric(*key): value for key, value in diagnosis.gradients.items()},
        **{schema.term_metric(*key): value for key, value in diagnosis.losses.items()},
        **{schema.pull_metric(*key): value for key, value in diagnosis.pulls.items()},
        **{schema.salience_metric(*key): value for key, value in diagnosis.salience.items()},
    }


def save_histogram(validation: "Validation", folder: Path) -> None:
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


def save_track_scores(validation: "Validation", folder: Path) -> None:
    """Write every track's scores, one CSV per set: track, batch, measures (nan if undefined)."""
    folder.mkdir()
    for name, scores in validation.scores.items():
        columns = ["track", "batch", *(field.name for field in fields(scores.means))]
        with (folder / schema.scores_file(name)).open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns, lineterminator="\n")
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
