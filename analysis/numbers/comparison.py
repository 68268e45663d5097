"""Every row of a sweep at its last validation, and its differences to a baseline row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.numbers.bootstrap import Effect, holm, two_level_bootstrap
from analysis.numbers.kinds import Kinds
from analysis.numbers.statistics import Spread
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import REFERENCE_ROW, StoredSweep, StoredTrial
from ssmpe.tracking.stored.track_scores import Scores, read_track_scores

MEASURES = (
    "precision",
    "recall",
    "f1",
    "blank_rate",
    "f1_tuned",
    "blank_rate_tuned",
    "f1_best",
    "average_precision",
    "top_n",
    "similarity",
    "mean_peak",
    "pitches_per_frame",
)
"""Measures of a set: those of ``ssmpe.evaluation.scores``, which needs torch"""
PUBLISHED = MEASURES[:4]
LEVEL = 0.05
"""Chance of any false finding among all differences of a measure in a sweep"""


@dataclass(frozen=True)
class Difference:
    """A row minus the baseline on one measure, each at its last validation.

    Attributes:
        spread: over the seeds that both have finished; n = 0 if there are none.
        effect: 95 % bootstrap interval over seeds and tracks (over tracks, of one seed); None if
            the store has no scores by track.
        corrected: its p-value after Holm's correction for all rows and sets of the sweep that are
            compared on this measure; NaN without an effect.
    """

    spread: Spread
    effect: Effect | None
    corrected: float = float("nan")

    @property
    def survives(self) -> bool:
        """Whether it is sure even among all that are looked at beside it."""
        return self.corrected <= LEVEL

    def __neg__(self) -> "Difference":
        """Return the baseline minus the row."""
        return replace(self, spread=-self.spread, effect=-self.effect if self.effect else None)

    def text(self, decimals: int = 3) -> str:
        """Return "+0.012 [-0.020, +0.041]", or "–" where nothing can be compared."""
        if not self.spread.n:
            return "–"
        interval = f" {self.effect.interval(decimals)}" if self.effect else ""
        return f"{self.spread.mean:+.{decimals}f}{interval}"


@dataclass(frozen=True)
class Result:
    """A row on a set.

    Attributes:
        spreads: by measure, over the seeds that count.
        recent: likewise, of the means over each trial's last validations.
        differences: to the baseline, by measure; empty for the baseline itself.
        kinds: how its trials have degenerated there.
        threshold: at which its trials are scored as tuned, over the seeds that count.
        runs: trials of the row, those without a result included.
        counted, stopped: how many count, and were stopped as collapsed.
    """

    set_name: str
    row: str
    spreads: Mapping[str, Spread]
    recent: Mapping[str, Spread]
    differences: Mapping[str, Difference]
    kinds: Kinds
    threshold: Spread
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
        return cls(sweep, baseline, _corrected(results))

    @property
    def has_intervals(self) -> bool:
        return any(d.effect for r in self.results for d in r.differences.values())

    @property
    def compared(self) -> int:
        """How many differences Holm's correction has looked at together, of one measure."""
        return sum(bool(d.effect) for r in self.results if (d := r.differences.get(self.sweep.f1)))

    @property
    def measures(self) -> tuple[str, ...]:
        """Measures that the store has; the published ones always."""
        there = [m for m in MEASURES if any(r.spreads[m].n for r in self.results)]
        return tuple(m for m in MEASURES if m in there or m in PUBLISHED)

    def result(self, row: str, set_name: str) -> Result:
        """Return the result of a row on a set."""
        return next(r for r in self.results if (r.row, r.set_name) == (row, set_name))

    def on(self, set_name: str) -> tuple[Result, ...]:
        """Return the results on one set, in the table's order."""
        return tuple(r for r in self.results if r.set_name == set_name)


def _corrected(results: Sequence[Result]) -> tuple[Result, ...]:
    """Correct the p-values of every measure for all rows and sets of the sweep."""
    found = [dict(r.differences) for r in results]
    for measure in MEASURES:
        of = [differences for differences in found if measure in differences]
        effects = [differences[measure].effect for differences in of]
        p_values = holm([e.p_value if e else float("nan") for e in effects])
        for differences, p_value in zip(of, p_values, strict=True):
            differences[measure] = replace(differences[measure], corrected=p_value)
    return tuple(replace(r, differences=d) for r, d in zip(results, found, strict=True))


def _result(sweep: StoredSweep, scores: Scores, baseline: str, set_name: str, row: str) -> Result:
    trials = sweep.of_row(row)
    counted = [t for t in trials if t.has_result]
    partners = {t.seed: t for t in sweep.of_row(baseline) if t.has_result}
    pairs = [(t, partners[t.seed]) for t in counted if t.seed in partners]
    compared = () if row == baseline else MEASURES
    thresholds = [c.at(t.last_step) for t in counted if (c := t.curves.get(schema.THRESHOLD))]
    return Result(
        set_name=set_name,
        row=row,
        spreads={m: Spread.of(t.final(set_name, m) for t in counted) for m in MEASURES},
        recent={m: Spread.of(t.recent(set_name, m) for t in counted) for m in MEASURES},
        differences={m: _difference(pairs, scores, set_name, m) for m in compared},
        kinds=Kinds.of(sweep, counted, set_name),
        threshold=Spread.of(thresholds),
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
        if all(measure in scores.get((t.run_id, set_name), ()) for t in pair)
    ]
    tracks = {frozenset(of_trial) for pair in by_track for of_trial in pair}
    if len(by_track) < len(pairs) or len(tracks) != 1:
        return Difference(spread, None)  # tables are missing, or rows were scored on other tracks
    names = sorted(next(iter(tracks)))
    return Difference(
        spread, two_level_bootstrap(np.array([[a[n] - b[n] for n in names] for a, b in by_track]))
    )
