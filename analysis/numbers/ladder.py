"""Between what is known without a network and what labels would be worth: where a row stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan

from analysis.numbers.comparison import Comparison, by_track
from analysis.numbers.intervals import ratio_interval
from analysis.numbers.statistics import Spread
from ssmpe.tracking.stored.records import CEILING_ROW, StoredSweep, dataset_of

MEASURES = ("f1_tuned", "average_precision")
"""Measures of which a row without a network is a line: no threshold of its own enters"""
NARROW = 0.02
"""Gap below which no share of it is told"""


@dataclass(frozen=True)
class Foot:
    """The best that is known of a set without a network.

    Attributes:
        row: that has it.
        score: its mean over seeds.
    """

    row: str
    score: float


def foot(sweep: StoredSweep, set_name: str, measure: str) -> Foot | None:
    """Return the best of the rows without a network; None where there is none."""
    found = [
        Foot(row, spread.mean)
        for row in sweep.signal_rows
        if (spread := _spread(sweep, row, set_name, measure)).n
    ]
    return max(found, key=lambda f: f.score, default=None)


def below(sweep: StoredSweep, row: str, set_name: str, measure: str) -> bool:
    """Tell whether a row's network scores less, in the mean, than is known without one."""
    line = foot(sweep, set_name, measure) if measure in MEASURES else None
    if line is None or row in sweep.signal_rows:
        return False
    return _spread(sweep, row, set_name, measure).mean < line.score


def _spread(sweep: StoredSweep, row: str, set_name: str, measure: str) -> Spread:
    return Spread.of(t.final(set_name, measure) for t in sweep.of_row(row) if t.has_result)


@dataclass(frozen=True)
class Share:
    """Share of a gap that a row closes, and its 95 % interval (NaN where there is none)."""

    value: float
    low: float
    high: float

    @property
    def bounded(self) -> bool:
        return not isnan(self.low)

    def text(self) -> str:
        """Return "33 % [20, 47]"."""
        bounds = f" [{100 * self.low:.0f}, {100 * self.high:.0f}]" if self.bounded else ""
        return f"{100 * self.value:.0f} %{bounds}"


@dataclass(frozen=True)
class Gap:
    """What labels of the added tracks would be worth on a set of their kind.

    Attributes:
        width: the ceiling's mean minus the baseline's, over the seeds that both have.
        shares: row -> what it closes of it; empty where there is no gap to speak of.
    """

    set_name: str
    measure: str
    width: float
    shares: Mapping[str, Share]


def gaps(comparison: Comparison) -> list[Gap]:
    """Return the gaps between a sweep's baseline and its ceiling; none if it has no such row."""
    sweep, baseline = comparison.sweep, comparison.baseline
    ceiling = sweep.of_row(CEILING_ROW)
    if baseline == CEILING_ROW or not any(t.has_result for t in ceiling):
        return []
    kinds = {dataset_of(name) for name in ceiling[0].joined}
    sets = [s for s in sweep.sets if dataset_of(s) in kinds]
    found = [_gap(comparison, s, m) for s in sets for m in MEASURES]
    return [gap for gap in found if not isnan(gap.width)]


def _gap(comparison: Comparison, set_name: str, measure: str) -> Gap:
    rows = [r for r in comparison.sweep.rows if r not in (comparison.baseline, CEILING_ROW)]
    width = comparison.result(CEILING_ROW, set_name).differences[measure].spread.mean
    shares = {r: _share(comparison, r, set_name, measure) for r in rows if width >= NARROW}
    return Gap(set_name, measure, width, {r: s for r, s in shares.items() if s})


def _share(comparison: Comparison, row: str, set_name: str, measure: str) -> Share | None:
    """Return what a row closes, over the seeds that it, the baseline and the ceiling have."""
    by_seed = [
        {t.seed: t for t in comparison.sweep.of_row(r) if t.has_result}
        for r in (row, comparison.baseline, CEILING_ROW)
    ]
    seeds = sorted(set.intersection(*map(set, by_seed)))
    groups = [[of_row[seed] for of_row in by_seed] for seed in seeds]
    scores = [[t.final(set_name, measure) for t in group] for group in groups]
    gained, gap = (Spread.of(s[k] - s[1] for s in scores).mean for k in (0, 2))
    if isnan(gained) or not gap > 0:
        return None
    tracks = by_track(comparison.scores, groups, set_name, measure)
    bounds = None
    if tracks is not None:
        bounds = ratio_interval(tracks[:, 0] - tracks[:, 1], tracks[:, 2] - tracks[:, 1])
    return Share(gained / gap, *(bounds or (nan, nan)))
