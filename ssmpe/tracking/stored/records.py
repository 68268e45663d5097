"""A finished sweep as plain data: trials, their curves and how they ended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import nan

import numpy as np
from numpy.typing import NDArray

from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason

REFERENCE_ROW = "Ref."
"""Row of the closed condition: every objective, no added excerpts (paper section 3.3)"""

CEILING_ROW = "ceiling"
"""Row in which all tracks of the added set are labelled: what labels would be worth"""

WEIGHTS = "objectives.weights."
"""What paths of objectives' weights begin with, in a configuration"""
RECENT = 3
"""Validations at the end of a trial whose mean stands beside the last one"""
_ADDED, _CAPS = "data.added.", ("data.max_hours.", "data.max_tracks.")


@dataclass(frozen=True)
class MetricCurve:
    """One metric over a trial: steps (N,) in batches, strictly increasing, and values (N,)."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    def at(self, step: int) -> float:
        """Return the value at a step, or the latest before it; NaN before the first."""
        index = int(np.searchsorted(self.steps, step, side="right")) - 1
        return float(self.values[index]) if index >= 0 else float("nan")


def _group(metric: str) -> str:
    """Return what a metric is of: a set, or losses; undefined ones are not logged with the rest."""
    return metric.rpartition("/")[0]


@dataclass(frozen=True)
class StoredTrial:
    """One trial.

    Attributes:
        added_set: the unlabelled set it adds, "" if none.
        added_excerpts: excerpts of that set in a batch.
        end_reason: None while it is running.
        collapsed_at: set -> batch from which it was blank to the end, or None if it was not.
        curves: by metric, named as ``schema.set_metric`` and ``schema.loss_metric`` name them.
        params: configuration, dotted path -> text.
        started: when its run was begun, in seconds since 1970.
        seconds: from then to its run's end; NaN while it is running, and of a copy.
        copied_from: id of the run that its own is a copy of, which an earlier sweep has trained; ""
            of one that was trained here.
        order: its place in the table as planned; "" of trials of version 0.3.0.
    """

    run_id: str
    row: str
    seed: int
    added_set: str
    added_excerpts: int
    end_reason: EndReason | None
    collapsed_at: Mapping[str, int | None]
    curves: Mapping[str, MetricCurve]
    params: Mapping[str, str]
    started: float = float("nan")
    seconds: float = float("nan")
    copied_from: str = ""
    order: str = ""

    @property
    def copied(self) -> bool:
        """Whether it was taken from an earlier sweep."""
        return bool(self.copied_from)

    @property
    def has_result(self) -> bool:
        """Whether its last state is a result: trained to the end, or stopped for its collapse.

        A stopped run counts like any other, or the rows that degenerate would look healthier than
        they are. A failed, pruned or interrupted one says nothing about where its row ends.
        """
        return self.end_reason in schema.RESULTS

    @property
    def stopped(self) -> bool:
        """Whether it was ended early because it had collapsed."""
        return self.end_reason is EndReason.COLLAPSED

    @property
    def learns(self) -> bool:
        """Whether there is a network; without one, the signal itself is scored, and stays."""
        return schema.learns(self.params)

    @property
    def supervised_only(self) -> bool:
        weights = [p for p in self.params if p.startswith(WEIGHTS)]
        return weights == [f"{WEIGHTS}supervised"]

    @property
    def joined(self) -> frozenset[str]:
        """Sets that it adds, those included whose labels it uses."""
        return frozenset(p.removeprefix(_ADDED) for p in self.params if p.startswith(_ADDED))

    @property
    def added_settings(self) -> frozenset[str]:
        """Paths of what is added: excerpts in a batch, and how much there is to draw them from."""
        counts = {f"{_ADDED}{name}" for name in self.joined}
        return frozenset(counts | {p.replace(_ADDED, cap) for p in counts for cap in _CAPS})

    @property
    def n_batches(self) -> int:
        """Batches it was meant to train."""
        return int(self.params["training.n_batches"])

    @cached_property
    def last_step(self) -> int:
        """Batches trained at its last validation, 0 if it had none."""
        return max((int(c.steps[-1]) for c in self.curves.values()), default=0)

    def curve(self, set_name: str, measure: str) -> MetricCurve | None:
        """Return a measure on a set over batches; None if it was not logged."""
        return self.curves.get(schema.set_metric(set_name, measure))

    def last(self, metric: str) -> float:
        """Return a metric as it was last, by what is logged together with it; NaN if undefined."""
        curve, steps = self.curves.get(metric), self._steps.get(_group(metric))
        return curve.at(steps[-1]) if curve and steps and curve.steps[-1] == steps[-1] else nan

    def final(self, set_name: str, measure: str) -> float:
        """Return a measure at the last validation, not the best checkpoint's; NaN if undefined."""
        return self.last(schema.set_metric(set_name, measure))

    def recent(self, set_name: str, measure: str, k: int = RECENT) -> float:
        """Return the mean over the last k validations where it is defined; NaN if nowhere.

        Scores move from one validation to the next, and the last one alone may be a good or a bad
        one.
        """
        metric = schema.set_metric(set_name, measure)
        curve, steps = self.curves.get(metric), self._steps.get(_group(metric), [])[-k:]
        known = curve.values[np.isin(curve.steps, steps)] if curve else np.empty(0)
        return float(known.mean()) if len(known) else nan

    @cached_property
    def _steps(self) -> dict[str, list[int]]:
        """Steps at which anything was logged of a set, or of the losses, and so on."""
        found: dict[str, set[int]] = {}
        for metric, curve in self.curves.items():
            found.setdefault(_group(metric), set()).update(curve.steps.tolist())
        return {group: sorted(steps) for group, steps in found.items()}

    @property
    def tuned(self) -> bool:
        """Whether it was scored at a tuned threshold, which versions up to 0.3.0 did not.

        Told by the average precision that is logged with it, for an output without any peak has no
        such threshold.
        """
        suffix = schema.set_metric("", "average_precision")
        return any(metric.endswith(suffix) for metric in self.curves)


@dataclass(frozen=True)
class StoredSweep:
    """A sweep.

    Attributes:
        data: what the data are, in words, or the data root's path.
        state: running, finished, failed (a trial has, or the sweep itself) or interrupted.
        experiment_id: MLflow experiment of its runs.
        uri: address of the store that has it.
        tags: what its run has as tags beside those above.
        params: what its run has as parameters: versions, hardware, rows, seeds.
        planned: number of trials it was to have.
        trials: in the order of ``in_table_order``.
        seconds: from the begin of its run to the end; NaN while it is running.
    """

    name: str
    script: str
    question: str
    preset: str
    data: str
    state: str
    run_id: str
    experiment_id: str
    params: Mapping[str, str]
    planned: int
    trials: tuple[StoredTrial, ...]
    seconds: float = float("nan")
    uri: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_search(self) -> bool:
        """Whether rows were suggested, not listed."""
        return any(p.startswith(schema.SUGGESTED) for t in self.trials for p in t.params)

    @property
    def unfinished(self) -> int:
        """Trials that a resumed sweep would still bring to an end."""
        ended = [t for t in self.trials if t.end_reason not in (None, EndReason.INTERRUPTED)]
        return max(self.planned, len(self.trials)) - len(ended)

    @property
    def finished(self) -> bool:
        return self.state in ("finished", "failed") and not self.unfinished

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(t.row for t in self.trials))

    @property
    def signal_rows(self) -> tuple[str, ...]:
        """Rows without a network."""
        return tuple(dict.fromkeys(t.row for t in self.trials if not t.learns))

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted({t.seed for t in self.trials}))

    @property
    def added_sets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(t.added_set for t in self.trials if t.added_set))

    @cached_property
    def tuned(self) -> bool:
        """Whether all rows can be compared at thresholds tuned on the labelled validation set.

        Not if a trial that counts was scored at a salience of one half alone, as by 0.3.0.
        """
        counted = [t for t in self.trials if t.has_result] or self.trials
        return bool(counted) and all(t.tuned for t in counted)

    @property
    def f1(self) -> str:
        """The measure of F1 that stands for a row: tuned, or at one half in an old store."""
        return "f1_tuned" if self.tuned else "f1"

    @property
    def blank(self) -> str:
        """The blank rate that goes with ``f1``."""
        return "blank_rate_tuned" if self.tuned else "blank_rate"

    @property
    def validation(self) -> str:
        return self.trials[0].params["data.validation"]

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """Sets scored: the validation set, those of an added set's kind, then the others."""
        suffix = schema.set_metric("", "blank_rate")
        names = {
            metric.removesuffix(suffix)
            for trial in self.trials
            for metric in trial.curves
            if metric.endswith(suffix)
        }
        added = [dataset_of(s) for s in self.added_sets]
        others = sorted(names - {self.validation}, key=lambda s: (dataset_of(s) not in added, s))
        return (self.validation, *others)

    @property
    def added_kinds(self) -> tuple[str, ...]:
        """Scored sets of the kinds that are added."""
        kinds = (self.kind_of(name) for name in self.added_sets)
        return tuple(dict.fromkeys(k for k in kinds if k is not None))

    def kind_of(self, added_set: str) -> str | None:
        """Return the scored set of an added set's kind; None if there is none."""
        kind = dataset_of(added_set)
        return next((s for s in self.sets if dataset_of(s) == kind), None)

    def of_row(self, row: str) -> tuple[StoredTrial, ...]:
        """Return the trials of a row by seed."""
        return tuple(sorted((t for t in self.trials if t.row == row), key=lambda t: t.seed))

    @property
    def data_label(self) -> str:
        """What the data are, with the warning that rendered audio needs."""
        if not self.data.startswith("embedded"):
            return self.data
        return f"{self.data} – sampled General MIDI, not comparable with published scores"


def dataset_of(set_name: str) -> str:
    """Return "MusicNet" of "MusicNet/test"."""
    return set_name.partition("/")[0]


def in_table_order(trials: Iterable[StoredTrial]) -> tuple[StoredTrial, ...]:
    """Sort as planned; without a plan, from the foot of a ladder to its top.

    That is without a network, supervised only, nothing added, then by added set and count, the
    ceiling; rows of one step stay as given.
    """

    def step(trial: StoredTrial) -> tuple[bool, bool, bool, str, int]:
        first = (trial.row == CEILING_ROW, trial.learns, not trial.supervised_only)
        return (*first, trial.added_set, trial.added_excerpts)

    given = list(trials)
    if given and all(t.order for t in given):
        return tuple(sorted(given, key=lambda t: t.order))
    return tuple(sorted(given, key=step))
