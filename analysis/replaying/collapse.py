"""Recorded curves under other settings of the rule that stops collapsing runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from analysis.reading.records import StoredSweep, StoredTrial, dataset_of
from ssmpe.errors import UserError
from ssmpe.evaluation import collapse
from ssmpe.evaluation.collapse import Criterion
from ssmpe.tracking.schema import EndReason


@dataclass(frozen=True)
class Setting:
    """What decides when a collapsing run is stopped; by default as the runner does.

    Attributes:
        patience, certain, blank: of ``ssmpe.evaluation.collapse.Criterion``.
        grace: share of a trial's batches before which it is not stopped.
    """

    patience: int = collapse.DEFAULT.patience
    certain: float = collapse.DEFAULT.certain
    blank: float = collapse.DEFAULT.blank
    grace: float = collapse.GRACE_SHARE

    @property
    def criterion(self) -> Criterion:
        return replace(
            collapse.DEFAULT, patience=self.patience, certain=self.certain, blank=self.blank
        )


DEFAULT = Setting()
VALUES = {
    "patience": (1, 2, 3, 4),
    "certain": (0.7, 0.75, 0.8, 0.9),
    "blank": (0.6, 0.7, 0.8),
    "grace": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
}
"""Values that are tried, the default's among them"""
# to be certain of less than blankness asks for changes nothing
GRID = tuple(
    setting
    for first, *others in product(*VALUES.values())
    if (setting := Setting(int(first), *others)).certain >= setting.blank
)


@dataclass(frozen=True)
class Recorded:
    """A run as the rule sees it: blank rates at its validations.

    Attributes:
        counterparts: scored set of a kind that it adds -> its blank rates.
        labelled: those of the validation set.
    """

    trial: StoredTrial
    batches: tuple[int, ...]
    counterparts: dict[str, tuple[float, ...]]
    labelled: tuple[float, ...]

    @classmethod
    def of(cls, trial: StoredTrial, sweep: StoredSweep) -> "Recorded":
        added = {dataset_of(name) for name in trial.added_set.split(",")}
        kinds = [s for s in sweep.sets if trial.added_set and dataset_of(s) in added]
        curves = {s: c for s in kinds if (c := trial.curve(s, "blank_rate"))}
        alive = trial.curve(sweep.validation, "blank_rate")
        batches = tuple(alive.steps.tolist()) if alive else ()
        rates = {s: tuple(c.at(b) for b in batches) for s, c in curves.items()}
        return cls(trial, batches, rates, tuple(alive.values.tolist()) if alive else ())

    @property
    def complete(self) -> bool:
        """Whether the curves reach the end of training."""
        return self.trial.end_reason is EndReason.COMPLETED

    @property
    def blank_from(self) -> int | None:
        """First batch from which one of its counterparts is blank to the end, if any is.

        By the definition of a collapse, whatever the setting under test.
        """
        labels = [collapse.collapsed_at(self.batches, r, self.labelled) for r in self._rates]
        return min((b for b in labels if b is not None), default=None)

    def stopped_at(self, setting: Setting, grace: int) -> int | None:
        """Return the validation at which a setting would have stopped it before its end, if any."""
        for n, batch in enumerate(self.batches, 1):
            if grace <= batch < self.trial.n_batches and any(
                collapse.collapsing(
                    self.batches[:n], rates[:n], self.labelled[:n], setting.criterion
                )
                for rates in self._rates
            ):
                return batch
        return None

    @property
    def _rates(self) -> Sequence[tuple[float, ...]]:
        return tuple(self.counterparts.values())


@dataclass(frozen=True)
class Verdict:
    """Verdict on a setting: what it would have done to a sweep.

    Attributes:
        stops: run -> batch at which it would have been stopped, for those that would.
        wrong: of complete runs, those stopped although they do not end blank: their label would
            be another.
        early: of complete runs, those that end blank, but were not so at a validation after the
            stop.
        unknown: runs whose curves end before the setting would have stopped them, if it would.
        collapsed: complete runs that end blank, and how many batches they were to train.
        saved: batches of theirs that would not have been trained.
    """

    setting: Setting
    stops: dict[str, int]
    wrong: tuple[StoredTrial, ...]
    early: tuple[StoredTrial, ...]
    unknown: tuple[StoredTrial, ...]
    collapsed: int
    configured: int
    saved: int

    @property
    def share(self) -> float:
        """Of the collapsed runs' batches, saved."""
        return self.saved / self.configured


def recorded(sweep: StoredSweep) -> tuple[Recorded, ...]:
    """Return the runs to which the rule applies: those that add a kind which is scored.

    Raises:
        UserError: no run of the sweep has a complete curve that ends in a collapse.
    """
    runs = tuple(r for t in sweep.trials if (r := Recorded.of(t, sweep)).counterparts)
    if not runs:
        raise UserError(
            f"sweep {sweep.name!r}: no run adds excerpts of a kind that is scored, and only such "
            "runs are ever stopped as collapsed: replay another sweep"
        )
    if not any(r.complete and r.blank_from for r in runs):
        raise UserError(
            f"sweep {sweep.name!r}: no run that was trained to its end has collapsed, so that no "
            "stop can be judged: replay a sweep that ran with --no-early-stop"
        )
    return runs


def verdict(runs: Sequence[Recorded], setting: Setting, longest: int) -> Verdict:
    """Judge a setting on runs of a sweep whose longest has so many batches."""
    grace = collapse.grace_batches(longest, setting.grace)
    stops = {r.trial.run_id: b for r in runs if (b := r.stopped_at(setting, grace))}
    complete = [r for r in runs if r.complete]
    stopped = [(r, stops[r.trial.run_id]) for r in complete if r.trial.run_id in stops]
    collapsed = [r.trial for r in complete if r.blank_from is not None]
    return Verdict(
        setting=setting,
        stops=stops,
        wrong=tuple(r.trial for r, _ in stopped if r.blank_from is None),
        early=tuple(r.trial for r, stop in stopped if r.blank_from and r.blank_from > stop),
        unknown=tuple(r.trial for r in runs if not r.complete and r.trial.run_id not in stops),
        collapsed=len(collapsed),
        configured=sum(t.n_batches for t in collapsed),
        saved=sum(t.n_batches - stops[t.run_id] for t in collapsed if t.run_id in stops),
    )
