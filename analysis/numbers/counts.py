"""The controlled comparison within a sweep: added excerpts vary, all else is held."""

from collections import Counter
from dataclasses import dataclass

from analysis.numbers.statistics import (
    PairedDifference,
    RankCorrelation,
    paired_difference,
    rank_correlation,
)
from ssmpe.errors import UserError
from ssmpe.tracking.stored.records import REFERENCE_ROW, StoredSweep, StoredTrial

SEVERITY = "blank_rate"
"""Measure of degeneration that is correlated with the count by default: what the paper sees"""


@dataclass(frozen=True)
class SampleCount:
    """Trials that differ in added excerpts and seed alone, and those of supervision alone.

    Attributes:
        supervised: trials with the supervised objective alone.
        closed: trials without added excerpts.
        added: set -> trials that add it.
        left_out: rows that differ in more, which the comparison cannot use.
    """

    sweep: StoredSweep
    supervised: tuple[StoredTrial, ...]
    closed: tuple[StoredTrial, ...]
    added: dict[str, tuple[StoredTrial, ...]]
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, sweep: StoredSweep) -> "SampleCount":
        """Pick the trials; UserError if no two finished rows differ in added excerpts alone."""
        supervised = tuple(t for t in sweep.trials if t.supervised_only)
        others = tuple(t for t in sweep.trials if t.learns and not t.supervised_only)
        if not any(t.added_set and t.has_result for t in others):
            raise UserError(f"sweep {sweep.name!r}: no finished row adds unlabelled excerpts")
        held = _held_configuration(others)
        kept = tuple(t for t in others if _held(t) == held)
        closed = tuple(t for t in kept if not t.added_set)
        added = {s: tuple(t for t in kept if t.added_set == s) for s in sweep.added_sets}
        added = {s: own for s, own in added.items() if _n_counts(closed + own) > 1}
        if not added:
            raise UserError(
                f"sweep {sweep.name!r}: no two finished rows differ in added excerpts alone"
            )
        return cls(
            sweep=sweep,
            supervised=supervised,
            closed=closed,
            added=added,
            left_out=tuple(dict.fromkeys(t.row for t in others if _held(t) != held)),
        )

    @property
    def counts(self) -> tuple[int, ...]:
        """Counts of added excerpts, ascending; 0 is the closed condition."""
        added = {t.added_excerpts for trials in self.added.values() for t in trials}
        return tuple(sorted(added | ({0} if self.closed else set())))

    def series(self, added_set: str) -> tuple[StoredTrial, ...]:
        """Return trials over all counts of one added set, the closed ones first."""
        return self.closed + self.added[added_set]

    def ends(self, added_set: str) -> list[tuple[int, list[StoredTrial]]]:
        """Return the lowest count and the highest of an added set, and the trials that count."""
        trials = [t for t in self.series(added_set) if t.has_result]
        counts = sorted({t.added_excerpts for t in trials})
        return [(n, [t for t in trials if t.added_excerpts == n]) for n in (counts[0], counts[-1])]

    def correlation(
        self, added_set: str, set_name: str, measure: str = SEVERITY
    ) -> RankCorrelation:
        """Correlate a measure on a set with the count of excerpts, over all trials that count."""
        trials = [t for t in self.series(added_set) if t.has_result]
        values = [t.final(set_name, measure) for t in trials]
        return rank_correlation([t.added_excerpts for t in trials], values)

    def closed_gain(self) -> PairedDifference:
        """Return F1 on the validation set, closed condition minus supervised only."""
        closed = [t for t in self.closed if t.has_result]
        supervised = [t for t in self.supervised if t.has_result]
        return paired_difference(closed, supervised, self.sweep.validation, self.sweep.f1)

    def own_set(self, added_set: str) -> str:
        """Return the scored set of an added set's kind; the validation set if there is none."""
        return self.sweep.kind_of(added_set) or self.sweep.validation


def _n_counts(trials: tuple[StoredTrial, ...]) -> int:
    return len({t.added_excerpts for t in trials if t.has_result})


def _held(trial: StoredTrial) -> frozenset[tuple[str, str]]:
    """Return the part of a configuration that a comparison of counts holds fixed.

    How much there is of an added set to draw from goes with the set.
    """
    free = {"training.seed", *trial.added_settings}
    return frozenset((path, value) for path, value in trial.params.items() if path not in free)


def _held_configuration(trials: tuple[StoredTrial, ...]) -> frozenset[tuple[str, str]]:
    """Return what is held fixed in the reference row, or, in a sweep without it, in most trials."""
    reference = [t for t in trials if t.row == REFERENCE_ROW]
    return Counter(_held(t) for t in reference or trials).most_common(1)[0][0]
