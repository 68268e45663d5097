"""Recorded curves under other settings of the rule that stops collapsing runs, and other signs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product

from analysis.numbers import kinds
from ssmpe.errors import UserError
from ssmpe.evaluation import collapse
from ssmpe.evaluation.collapse import Criterion, Kind
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial, dataset_of


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


class Sign(StrEnum):
    """A sign by which a run may be stopped, and what must be so at the end for it to be right."""

    HALF = "blank at 0.5"
    """What the runner goes by"""
    TUNED = "blank at the tuned threshold"
    CONTENT = "content lost"
    """Average precision below a share of what the run itself has had, once it, or the labelled set,
    has been alive; of other rows a running trial knows nothing"""
    BOTH = "blank at 0.5 and content lost"


@dataclass(frozen=True)
class Curves:
    """Measures of a set at a run's validations; NaN where one was not recorded.

    Attributes:
        half, tuned: blank rates at a salience of one half and at the tuned threshold.
        content: average precisions.
    """

    half: tuple[float, ...]
    tuned: tuple[float, ...]
    content: tuple[float, ...]

    @classmethod
    def of(cls, trial: StoredTrial, set_name: str, batches: Sequence[int]) -> "Curves":
        measures = ("blank_rate", "blank_rate_tuned", "average_precision")
        found = (trial.curve(set_name, m) for m in measures)
        return cls(*(tuple(c.at(b) if c else math.nan for b in batches) for c in found))

    def blank(self, sign: Sign) -> tuple[float, ...]:
        """Return the blank rates that a sign goes by."""
        return self.tuned if sign is Sign.TUNED else self.half


@dataclass(frozen=True)
class Recorded:
    """A run as the rule sees it: its validations.

    Attributes:
        counterparts: scored set of a kind that it adds -> its curves.
        labelled: those of the validation set.
        ends: counterpart -> ``kinds.kind`` of its output at the end.
    """

    trial: StoredTrial
    batches: tuple[int, ...]
    counterparts: dict[str, Curves]
    labelled: Curves
    ends: dict[str, str]

    @classmethod
    def of(cls, trial: StoredTrial, sweep: StoredSweep) -> "Recorded":
        """Pick from a run what the rule sees."""
        added = {dataset_of(name) for name in trial.added_set.split(",")}
        own = [s for s in sweep.sets if trial.added_set and dataset_of(s) in added]
        scored = [s for s in own if trial.curve(s, "blank_rate")]
        alive = trial.curve(sweep.validation, "blank_rate")
        batches = tuple(alive.steps.tolist()) if alive else ()
        return cls(
            trial,
            batches,
            {s: Curves.of(trial, s, batches) for s in scored},
            Curves.of(trial, sweep.validation, batches),
            {s: kinds.kind(sweep, trial, s) for s in scored},
        )

    @property
    def complete(self) -> bool:
        """Whether the curves reach the end of training."""
        return self.trial.end_reason is EndReason.COMPLETED

    @property
    def signs(self) -> tuple[Sign, ...]:
        """Signs of which its curves tell something."""
        scored = [c for c in self.counterparts.values() if not all(map(math.isnan, c.content))]
        return tuple(Sign) if scored else (Sign.HALF,)

    @property
    def content_kept(self) -> bool:
        """Whether its output at the end is known to be whole, or sunk without loss of content."""
        whole = all(end in ("", Kind.LEVEL_SUNK) for end in self.ends.values())
        return whole and Sign.CONTENT in self.signs

    def lasts_from(self, sign: Sign = Sign.HALF) -> int | None:
        """Return the first batch from which a sign holds to the end on a counterpart, if any.

        By the definition of a collapse, whatever the setting under test.
        """
        begins = [self._lasts_from(sign, curves) for curves in self.counterparts.values()]
        return min((b for b in begins if b is not None), default=None)

    def stopped_at(self, setting: Setting, grace: int, sign: Sign = Sign.HALF) -> int | None:
        """Return the validation at which a setting would have stopped it before its end, if any."""
        for n, batch in enumerate(self.batches, 1):
            if grace <= batch < self.trial.n_batches and any(
                self._stops(setting, sign, curves, n) for curves in self.counterparts.values()
            ):
                return batch
        return None

    def _lasts_from(self, sign: Sign, curves: Curves) -> int | None:
        begins = []
        if sign is not Sign.CONTENT:
            labelled = self.labelled.blank(sign)
            begins.append(collapse.collapsed_at(self.batches, curves.blank(sign), labelled))
        if sign in (Sign.CONTENT, Sign.BOTH):
            begins.append(self._lost_from(curves))
        known = [b for b in begins if b is not None]
        return max(known) if len(known) == len(begins) else None

    def _lost_from(self, curves: Curves) -> int | None:
        start = len(self.batches)
        while start > 0 and self._lost(curves, start):
            start -= 1
        return self.batches[start] if start < len(self.batches) else None

    def _lost(self, curves: Curves, n: int) -> bool:
        """Tell whether content is lost at the n-th validation, as far as the run itself knows."""
        rates = (*curves.half[:n], *self.labelled.half[:n])
        started = any(rate <= collapse.DEFAULT.alive for rate in rates)
        return started and collapse.content_lost(curves.content[:n])

    def _stops(self, setting: Setting, sign: Sign, curves: Curves, n: int) -> bool:
        """Tell whether the first n validations on a counterpart end a run."""
        blank = sign is Sign.CONTENT or collapse.collapsing(
            self.batches[:n],
            curves.blank(sign)[:n],
            self.labelled.blank(sign)[:n],
            setting.criterion,
        )
        lost = sign in (Sign.HALF, Sign.TUNED) or all(
            self._lost(curves, n - k) for k in range(setting.patience)
        )
        return blank and lost


@dataclass(frozen=True)
class Verdict:
    """What a setting would have done to the runs of a sweep.

    Of the runs with complete curves it is known whether a stop would have been right.

    Attributes:
        sign: by which the setting stops runs.
        stops: run -> batch, of all runs that it would have stopped before their end.
        right: those of them whose curves are complete and end with what it goes by.
        wrong: those whose curves are complete and do not end with what it goes by.
        early: of the right ones, those with a validation after the stop at which they did not.
        kept: those with complete curves whose content at the end is not lost.
        unknown: runs with incomplete curves, which it would have stopped later, if at all.
        collapsed: complete runs that end with what it goes by.
        configured, saved: batches of these, and those of theirs that would not have been trained.
        trained, spared: batches of all complete runs, and of those which would not have been.
    """

    setting: Setting
    sign: Sign
    stops: dict[str, int]
    right: tuple[StoredTrial, ...]
    wrong: tuple[StoredTrial, ...]
    early: tuple[StoredTrial, ...]
    kept: tuple[StoredTrial, ...]
    unknown: tuple[StoredTrial, ...]
    collapsed: int
    configured: int
    saved: int
    trained: int
    spared: int

    @property
    def share(self) -> float:
        """Of the collapsed runs' batches, saved; 0 if none is collapsed by its sign."""
        return self.saved / self.configured if self.configured else 0.0

    @property
    def spared_share(self) -> float:
        """Of the complete runs' batches, spared; 0 if there are none."""
        return self.spared / self.trained if self.trained else 0.0


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
    if not any(r.lasts_from(s) is not None for r in runs if r.complete for s in r.signs):
        raise UserError(
            f"sweep {sweep.name!r}: no run that was trained to its end has collapsed, so that no "
            "stop can be judged: replay a sweep that ran with --no-early-stop"
        )
    return runs


def verdict(
    runs: Sequence[Recorded], setting: Setting, longest: int, sign: Sign = Sign.HALF
) -> Verdict:
    """Judge a setting on runs of a sweep whose longest has so many batches."""
    grace = collapse.grace_batches(longest, setting.grace)
    stops = {r.trial.run_id: b for r in runs if (b := r.stopped_at(setting, grace, sign))}
    complete = {r.trial.run_id: r for r in runs if r.complete}
    begins = {run: r.lasts_from(sign) for run, r in complete.items()}
    stopped = {run: complete[run].trial for run in stops if run in complete}
    collapsed = [r.trial for run, r in complete.items() if begins[run] is not None]
    left = {run: t.n_batches - stops[run] for run, t in stopped.items()}
    return Verdict(
        setting=setting,
        sign=sign,
        stops=stops,
        right=tuple(t for run, t in stopped.items() if begins[run] is not None),
        wrong=tuple(t for run, t in stopped.items() if begins[run] is None),
        early=tuple(t for run, t in stopped.items() if (begins[run] or 0) > stops[run]),
        kept=tuple(t for run, t in stopped.items() if complete[run].content_kept),
        unknown=tuple(r.trial for r in runs if not r.complete and r.trial.run_id not in stops),
        collapsed=len(collapsed),
        configured=sum(t.n_batches for t in collapsed),
        saved=sum(left.get(t.run_id, 0) for t in collapsed),
        trained=sum(r.trial.n_batches for r in complete.values()),
        spared=sum(left.values()),
    )
