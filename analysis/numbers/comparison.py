"""Every row of a sweep at its last validation, and its differences to a baseline row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from analysis.numbers.intervals import LEVEL, Effect, holm, mean_difference
from analysis.numbers.kinds import Kinds
from analysis.numbers.statistics import Spread
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import REFERENCE_ROW, StoredSweep, StoredTrial
from ssmpe.tracking.stored.track_scores import Scores, read_track_scores

MEASURES = {
    "precision": "precision at ½",
    "recall": "recall at ½",
    "f1": "F1 at ½",
    "blank_rate": "blank at ½",
    "f1_tuned": "tuned F1",
    "blank_rate_tuned": "tuned blank",
    "f1_best": "best F1",
    "average_precision": "AP",
    "top_n": "F1 of N peaks",
    "similarity": "likeness",
    "mean_peak": "mean peak",
    "pitches_per_frame": "pitches a frame",
}
"""Measures of a set, those of ``ssmpe.evaluation.scores`` (which needs torch), with what they are
called everywhere; the published ones say that they are at a salience of one half"""
PUBLISHED = ("precision", "recall", "f1", "blank_rate")


@dataclass(frozen=True)
class Difference:
    """A row minus the baseline on one measure, each at its last validation.

    Attributes:
        spread: over the seeds that both have finished; n = 0 if there are none.
        effect: 95 % interval over seeds and tracks (over tracks, of one seed); None if
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
    """Results of a sweep; sets outermost, rows in the table's order.

    Attributes:
        scores: by track, of which the intervals are.
    """

    sweep: StoredSweep
    baseline: str
    results: tuple[Result, ...]
    scores: Scores = field(repr=False)

    @classmethod
    def of(
        cls, sweep: StoredSweep, baseline: str | None = None, scores: Scores | None = None
    ) -> "Comparison":
        """Compare rows with a baseline row.

        By default that is Ref., or else the first row as planned that has a network; of a search,
        its start.

        Args:
            scores: by track; None: those of the store.

        Raises:
            UserError: there is no such row; or the store has a foreign table of scores.
        """
        rows = sweep.rows
        scores = read_track_scores(sweep, MEASURES) if scores is None else scores
        if baseline is None:
            networks = [r for r in rows if r not in sweep.signal_rows]
            baseline = REFERENCE_ROW if REFERENCE_ROW in rows else (networks or rows)[0]
        if baseline not in rows:
            raise UserError(f"sweep {sweep.name!r}: no row {baseline!r} (rows: {', '.join(rows)})")
        results = [_result(sweep, scores, baseline, s, row) for s in sweep.sets for row in rows]
        return cls(sweep, baseline, _corrected(results), scores)

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
    found = by_track(scores, pairs, set_name, measure)
    return Difference(spread, None if found is None else mean_difference(found[:, 0] - found[:, 1]))


def by_track(
    scores: Scores, groups: Sequence[Sequence[StoredTrial]], set_name: str, measure: str
) -> NDArray[np.float64] | None:
    """Return scores (groups, trials of a group, tracks) of trials that are compared.

    None if there are none, tables are missing, or trials were scored on other tracks.
    """
    tables = [[scores.get((t.run_id, set_name), {}).get(measure) for t in g] for g in groups]
    tracks = {frozenset(of_trial or ()) for group in tables for of_trial in group}
    if len(tracks) != 1 or not (names := sorted(next(iter(tracks)))):
        return None
    return np.array([[[t[n] for n in names] for t in g if t] for g in tables])
