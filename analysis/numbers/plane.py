"""The plane of self-supervised weights and added excerpts, on which runs of a sweep lie."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.numbers.statistics import Spread
from ssmpe.errors import UserError
from ssmpe.evaluation import collapse
from ssmpe.tracking.stored.records import REFERENCE_ROW, WEIGHTS, StoredSweep, StoredTrial

BLANK = collapse.DEFAULT.blank
"""Blank rate at the border"""
_SUPERVISED = f"{WEIGHTS}supervised"


@dataclass(frozen=True)
class Plane:
    """Runs on a plane of self-supervised weights and added excerpts.

    They differ in a common factor of these weights, in the number of excerpts that they add from
    one set, and in the seed alone.

    Attributes:
        added_set: the set.
        cells: factor and number of added excerpts -> runs.
        relative: whether a factor is that to the reference row's weights, or (in a sweep without
            that row) the mean weight itself.
        left_out: rows that differ in more.
    """

    sweep: StoredSweep
    added_set: str
    cells: dict[tuple[float, int], tuple[StoredTrial, ...]]
    relative: bool
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, sweep: StoredSweep) -> "Plane":
        """Place the runs; UserError if the rows do not vary both factor and count."""
        reference = next((t for t in sweep.trials if t.row == REFERENCE_ROW), None)
        unit = _mean(_self_supervised(reference)) if reference else 1.0
        candidates = [t for t in sweep.trials if t.learns and _self_supervised(t)]
        held = Counter(_held(t) for t in ([reference] if reference else candidates))
        kept = [t for t in candidates if held and _held(t) == held.most_common(1)[0][0]]
        sets = dict.fromkeys(t.added_set for t in kept if t.added_set)
        cells: dict[tuple[float, int], list[StoredTrial]] = {}
        for trial in kept:
            if trial.added_set in ("", *list(sets)[:1]):
                factor = round(_mean(_self_supervised(trial)) / unit, 6)
                cells.setdefault((factor, trial.added_excerpts), []).append(trial)
        varied = [len({place[axis] for place in cells}) > 1 for axis in (0, 1)]
        if not all(varied):
            raise UserError(
                f"sweep {sweep.name!r}: its rows do not vary both the factor of the "
                "self-supervised weights and the number of added excerpts: draw one of "
                "loss_weights.py"
            )
        shown = {t.row for trials in cells.values() for t in trials}
        left_out = tuple(r for r in sweep.rows if r not in shown)
        found = {place: tuple(trials) for place, trials in sorted(cells.items())}
        return cls(sweep, next(iter(sets)), found, reference is not None, left_out)

    @property
    def factors(self) -> tuple[float, ...]:
        """Factors, ascending."""
        return tuple(sorted({factor for factor, _ in self.cells}))

    @property
    def counts(self) -> tuple[int, ...]:
        """Counts, ascending; 0 is the closed condition."""
        return tuple(sorted({count for _, count in self.cells}))

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """Sets and measures that tell of a collapse, as the paper sees it, and of its price."""
        own, f1 = self.own_set, self.sweep.f1
        found = [(own, "blank_rate"), (own, f1), (self.sweep.validation, f1)]
        return tuple(dict.fromkeys(found))

    def spread(self, place: tuple[float, int], set_name: str, measure: str) -> Spread:
        """Return the spread over a cell's runs that count, at their last validations."""
        trials = self.cells.get(place, ())
        return Spread.of(t.final(set_name, measure) for t in trials if t.has_result)

    def means(self, set_name: str, measure: str) -> NDArray[np.float64]:
        """Return means (factors, counts); NaN in cells without a result."""
        return np.array(
            [[self.spread((f, c), set_name, measure).mean for c in self.counts]
             for f in self.factors]
        )  # fmt: skip

    def collapsed(self, place: tuple[float, int]) -> int:
        """Return how many of a cell's runs have collapsed on the added kind."""
        counted = [t for t in self.cells.get(place, ()) if t.has_result]
        return sum(t.collapsed_at.get(self.own_set) is not None for t in counted)

    def stopped(self, place: tuple[float, int]) -> int:
        """Return how many of a cell's runs were stopped for it."""
        return sum(t.stopped for t in self.cells.get(place, ()))

    @property
    def own_set(self) -> str:
        """The scored set of the added kind; the validation set if none is."""
        return self.sweep.kind_of(self.added_set) or self.sweep.validation


def _self_supervised(trial: StoredTrial) -> dict[str, float]:
    return {
        path: float(weight)
        for path, weight in trial.params.items()
        if path.startswith(WEIGHTS) and path != _SUPERVISED
    }


def _mean(weights: dict[str, float]) -> float:
    return sum(weights.values()) / len(weights)


def _held(trial: StoredTrial) -> frozenset[tuple[str, str]]:
    """Return what all runs of a plane share: proportions of the weights, all other settings."""
    weights = _self_supervised(trial)
    shares = {p: f"{w / _mean(weights):.6f}" for p, w in weights.items()}
    free = {"training.seed", *trial.added_settings, *weights}
    rest = {p: v for p, v in trial.params.items() if p not in free}
    return frozenset({**rest, **shares}.items())
