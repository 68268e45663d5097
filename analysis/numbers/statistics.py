"""What is said of a set of trials: means and spreads, rank correlation, paired differences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ssmpe.tracking.stored.records import StoredSweep, StoredTrial


@dataclass(frozen=True)
class Spread:
    """Mean of n values, their sample standard deviation (NaN if n < 2), lowest and highest."""

    n: int
    mean: float
    std: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Sum up the values that are not NaN; all NaN if there are none."""
        known = np.array([v for v in values if not np.isnan(v)], dtype=np.float64)
        if not len(known):
            return cls(0, *[float("nan")] * 4)
        std = float(known.std(ddof=1)) if len(known) > 1 else float("nan")
        return cls(len(known), float(known.mean()), std, float(known.min()), float(known.max()))

    def __neg__(self) -> "Spread":
        """Return that of the negative values."""
        return Spread(self.n, -self.mean, self.std, -self.high, -self.low)

    def numbers(self, prefix: str = "") -> dict[str, float]:
        """Return all of it, as columns of a table."""
        return {f"{prefix}{name}": value for name, value in vars(self).items()}

    def text(self, decimals: int = 3, signed: bool = False) -> str:
        """Return "0.812 ± 0.020", "0.812" of a single value, "–" of none."""
        mean = self.mean_text(decimals, signed)
        return mean if np.isnan(self.std) else f"{mean} ± {self.std:.{decimals}f}"

    def mean_text(self, decimals: int = 3, signed: bool = False) -> str:
        """Return the mean alone."""
        return f"{self.mean:{'+' if signed else ''}.{decimals}f}" if self.n else "–"


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of n pairs; NaN if either side does not vary, or n < 3."""

    rho: float
    n: int

    def __str__(self) -> str:
        return "ρ undefined" if np.isnan(self.rho) else f"ρ = {self.rho:+.2f}"

    @property
    def short(self) -> str:
        return "ρ –" if np.isnan(self.rho) else f"ρ {self.rho:+.2f}"


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> RankCorrelation:
    """Correlate the pairs in which neither is NaN."""
    pairs = np.array([p for p in zip(first, second, strict=True) if not np.isnan(p).any()])
    if len(pairs) < 3 or (np.ptp(pairs, axis=0) == 0).any():
        return RankCorrelation(float("nan"), len(pairs))
    from scipy.stats import spearmanr  # half a second, which a sweep's --help need not wait for

    return RankCorrelation(float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic), len(pairs))


@dataclass(frozen=True)
class PairedDifference:
    """Difference of two rows on one measure, paired by seed at equal numbers of batches.

    Attributes:
        batches: seed -> batch at which the two are compared: the last that both reached.
        differences: seed -> first row's value minus the second's.
    """

    batches: dict[int, int]
    differences: dict[int, float]

    @property
    def spread(self) -> Spread:
        return Spread.of(self.differences.values())


def paired_difference(
    first: Iterable[StoredTrial], second: Iterable[StoredTrial], set_name: str, measure: str
) -> PairedDifference:
    """Subtract the second row from the first, over the seeds that both have."""
    partners = {trial.seed: trial for trial in second}
    batches, differences = {}, {}
    for trial in sorted(first, key=lambda t: t.seed):
        if trial.seed not in partners:
            continue
        pair = [t.curve(set_name, measure) for t in (trial, partners[trial.seed])]
        if pair[0] is None or pair[1] is None:
            continue
        common = np.intersect1d(pair[0].steps, pair[1].steps)
        if len(common):
            batch = int(common[-1])
            batches[trial.seed] = batch
            differences[trial.seed] = pair[0].at(batch) - pair[1].at(batch)
    return PairedDifference(batches, differences)


@dataclass(frozen=True)
class Saved:
    """Batches that stopping collapsed runs saved."""

    runs: int
    saved: int
    configured: int

    @property
    def share(self) -> float:
        """Of the batches the stopped runs were meant to train; NaN if none was stopped."""
        return self.saved / self.configured if self.configured else float("nan")


def saved_batches(sweep: StoredSweep) -> Saved:
    """Count them over the runs stopped as collapsed."""
    stopped = [t for t in sweep.trials if t.stopped]
    configured = sum(t.n_batches for t in stopped)
    return Saved(len(stopped), configured - sum(t.last_step for t in stopped), configured)
