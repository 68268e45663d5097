"""Every row of a sweep at its last validation, and its differences to a baseline row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.numbers.statistics import Interval, Spread, paired_bootstrap
from analysis.reading.records import REFERENCE_ROW, StoredSweep, StoredTrial
from analysis.reading.track_scores import Scores, read_track_scores
from ssmpe.errors import UserError

MEASURES = ("precision", "recall", "f1", "blank_rate")


@dataclass(frozen=True)
class Difference:
    """A row minus the baseline on one measure, each at its last validation.

    Attributes:
        spread: over the seeds that both have finished; n = 0 if there are none.
        interval: 95 % bootstrap interval over tracks of the mean over those seeds; None if the
            store has no scores by track.
    """

    spread: Spread
    interval: Interval | None

    def text(self) -> str:
        """Return "+0.012 [-0.020, +0.041]", or "–" where nothing can be compared."""
        if not self.spread.n:
            return "–"
        interval = f" {self.interval.text()}" if self.interval else ""
        return f"{self.spread.mean:+.3f}{interval}"


@dataclass(frozen=True)
class Result:
    """A row on a set.

    Attributes:
        spreads: by measure, over the seeds that count.
        differences: to the baseline, by measure; empty for the baseline itself.
        runs: trials of the row, those without a result included.
        counted, stopped: how many count, and were stopped as collapsed.
    """

    set_name: str
    row: str
    spreads: dict[str, Spread]
    differences: dict[str, Difference]
    runs: int
    counted: int
    stopped: int


@dataclass(frozen=True)
class Comparison:
    """Results of a sweep; sets outermost, rows in the table's order."""

    sweep: StoredSweep
    baseline: str
    results: tuple[Result, ...]

    @classmethod
    def of(
        cls, sweep: StoredSweep, baseline: str | None = None, scores: Scores | None = None
    ) -> "Comparison":
        """Compare rows with a baseline row; by default Ref., or the first row if there is none.

        Args:
            scores: by track; None: those of the store.

        Raises:
            UserError: there is no such row; or the store has a foreign table of scores.
        """
        rows = sweep.rows
        scores = read_track_scores(sweep, MEASURES) if scores is None else scores
        if baseline is None:
            baseline = REFERENCE_ROW if REFERENCE_ROW in rows else rows[0]
        if baseline not in rows:
            raise UserError(f"sweep {sweep.name!r}: no row {baseline!r} (rows: {', '.join(rows)})")
        results = [_result(sweep, scores, baseline, s, row) for s in sweep.sets for row in rows]
        return cls(sweep, baseline, tuple(results))

    @property
    def has_intervals(self) -> bool:
        return any(d.interval for r in self.results for d in r.differences.values())

    def result(self, row: str, set_name: str) -> Result:
        """Return the result of a row on a set."""
        return next(r for r in self.results if (r.row, r.set_name) == (row, set_name))

    def on(self, set_name: str) -> tuple[Result, ...]:
        """Return the results on one set, in the table's order."""
        return tuple(r for r in self.results if r.set_name == set_name)


def _result(sweep: StoredSweep, scores: Scores, baseline: str, set_name: str, row: str) -> Result:
    trials = sweep.of_row(row)
    counted = [t for t in trials if t.has_result]
    partners = {t.seed: t for t in sweep.of_row(baseline) if t.has_result}
    pairs = [(t, partners[t.seed]) for t in counted if t.seed in partners]
    compared = () if row == baseline else MEASURES
    return Result(
        set_name=set_name,
        row=row,
        spreads={m: Spread.of(t.final(set_name, m) for t in counted) for m in MEASURES},
        differences={m: _difference(pairs, scores, set_name, m) for m in compared},
        runs=len(trials),
        counted=len(counted),
        stopped=sum(t.stopped for t in trials),
    )


def _difference(
    pairs: Sequence[tuple[StoredTrial, StoredTrial]], scores: Scores, set_name: str, measure: str
) -> Difference:
    spread = Spread.of(a.final(set_name, measure) - b.final(set_name, measure) for a, b in pairs)
    by_track = [
        [scores[t.run_id, set_name][measure] for t in pair]
        for pair in pairs
        if all((t.run_id, set_name) in scores for t in pair)
    ]
    tracks = {frozenset(of_trial) for pair in by_track for of_trial in pair}
    if len(by_track) < len(pairs) or len(tracks) != 1:
        return Difference(spread, None)  # tables are missing, or rows were scored on other tracks
    names = sorted(next(iter(tracks)))
    over_seeds = np.mean([[a[n] - b[n] for n in names] for a, b in by_track], axis=0)
    return Difference(spread, paired_bootstrap(over_seeds))
