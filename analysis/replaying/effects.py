"""What a replayed rule would have changed in a sweep's conclusions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from analysis.numbers.statistics import Spread
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

MEASURES = ("f1", "blank_rate")
"""At a salience of one half"""
FREE_MEASURES = ("f1_tuned", "average_precision")
"""Those that do not depend on it"""


@dataclass(frozen=True)
class Shift:
    """Change of a row's mean on a set, and where it is."""

    row: str
    set_name: str
    measure: str
    change: float


@dataclass(frozen=True)
class Swap:
    """Two rows whose means on a set change places."""

    rows: tuple[str, str]
    set_name: str
    measure: str


def shifts(
    sweep: StoredSweep, stops: Mapping[str, int], measures: Sequence[str] = MEASURES
) -> tuple[Shift, ...]:
    """Return the shift of every row, set and measure, the largest first.

    It is the mean over runs in the state in which each would have been stopped, minus that at
    their ends.
    """
    found = []
    for row in sweep.rows:
        counted = [t for t in sweep.of_row(row) if t.has_result]
        if not any(t.run_id in stops for t in counted):
            continue
        for set_name in sweep.sets:
            for measure in measures:
                changes = [_changed(t, set_name, measure, stops) for t in counted]
                change = Spread.of(after - before for before, after in changes).mean
                found.append(Shift(row, set_name, measure, change))
    return tuple(sorted(found, key=lambda s: -abs(s.change)))


def swaps(
    sweep: StoredSweep, stops: Mapping[str, int], measures: Sequence[str] = MEASURES
) -> tuple[Swap, ...]:
    """Return pairs of rows that change places on a set."""
    found = []
    for set_name in sweep.sets:
        for measure in measures:
            before, after = {}, {}
            for row in sweep.rows:
                counted = [t for t in sweep.of_row(row) if t.has_result]
                ends = [_changed(t, set_name, measure, stops) for t in counted]
                before[row] = Spread.of(b for b, _ in ends).mean
                after[row] = Spread.of(a for _, a in ends).mean
            found += [
                Swap(pair, set_name, measure)
                for pair in combinations(sweep.rows, 2)
                if (before[pair[0]] - before[pair[1]]) * (after[pair[0]] - after[pair[1]]) < 0
            ]
    return tuple(found)


def lost_rows(sweep: StoredSweep, cuts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the rows of which no seed would have been trained to its end."""
    kept = {t.row for t in sweep.trials if t.has_result and t.run_id not in cuts}
    return tuple(r for r in sweep.rows if r not in kept)


def _changed(
    trial: StoredTrial, set_name: str, measure: str, stops: Mapping[str, int]
) -> tuple[float, float]:
    """Return a trial's value at its end, and in the state in which it would have been stopped."""
    final, curve = trial.final(set_name, measure), trial.curve(set_name, measure)
    stop = stops.get(trial.run_id)
    return final, final if stop is None or curve is None else curve.at(stop)
