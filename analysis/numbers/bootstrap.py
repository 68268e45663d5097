"""How sure is a difference between two rows? Over seeds and tracks, and among many comparisons.

Intervals over tracks alone say how a row's one network would do on other music. Another seed makes
another network, and differences between those are often the larger ones (Weiß and Peeters, arXiv
2202.09198): three seeds whose tracks are thrown together look surer than they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
LEVEL = 0.05
"""Chance of any false finding among all differences that are looked at together"""


@dataclass(frozen=True)
class Effect:
    """A mean difference, and how sure it is.

    Attributes:
        mean: over seeds and tracks.
        low, high: bounds of its interval.
        p_value: of no difference, two-sided; to be corrected where several are looked at.
        n_seeds, n_tracks: that have a difference. Of a single seed, the interval says nothing about
            others, and of a single track likewise.
    """

    mean: float
    low: float
    high: float
    p_value: float
    n_seeds: int
    n_tracks: int

    def interval(self, decimals: int = 3) -> str:
        """Return "[-0.012, +0.034]"."""
        return f"[{self.low:+.{decimals}f}, {self.high:+.{decimals}f}]"

    def __neg__(self) -> "Effect":
        """Return the difference the other way round."""
        return replace(self, mean=-self.mean, low=-self.high, high=-self.low)


def two_level_bootstrap(differences: ArrayLike, level: float = 0.95) -> Effect | None:
    """Estimate a mean paired difference by resampling seeds and tracks with replacement.

    Differences are paired: one row's score minus the other's, of the same seed on the same track.
    Tracks and seeds are crossed, for one seed's network is scored on all tracks; so both are drawn
    independently of each other, and what is drawn twice counts twice. That is the bootstrap of
    Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1 (2007), and the percentile
    interval of Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. The
    stratified bootstrap of Agarwal et al., "Deep Reinforcement Learning at the Edge of the
    Statistical Precipice" (NeurIPS 2021; rliable), resamples tasks and runs, too, but draws other
    runs for each task: right where every task trains networks of its own, and too sure of itself
    here.

    The same differences give the same numbers. With as few as five seeds, percentile intervals are
    somewhat too short.

    Args:
        differences: (seeds, tracks); NaN where there is none.
        level: share of such intervals that are to hold the true difference.

    Returns:
        None if there are fewer than two differences, which say nothing about their spread.
    """
    given = np.atleast_2d(np.asarray(differences, dtype=np.float64))
    known = ~np.isnan(given)
    given, known = (x[known.any(axis=1)][:, known.any(axis=0)] for x in (given, known))
    if known.sum() < 2:
        return None
    n_seeds, n_tracks = given.shape
    sums, counts = _resampled(np.where(known, given, 0.0)), _resampled(known.astype(np.float64))
    means = sums[counts > 0] / counts[counts > 0]
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Effect(
        mean=float(given[known].mean()),
        low=float(low),
        high=float(high),
        p_value=_p_value(means),
        n_seeds=n_seeds,
        n_tracks=n_tracks,
    )


def bootstrapped_ratio(
    parts: ArrayLike, wholes: ArrayLike, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the interval of a ratio of two mean differences, of the same seeds and tracks.

    Both are drawn together, as in ``two_level_bootstrap``, so that what they share cancels.

    Args:
        parts, wholes: (seeds, tracks); a track with NaN in either is left out.

    Returns:
        None if a resample's whole is not positive: a ratio to what may be nothing has no bounds.
        Likewise if there are fewer than two differences.
    """
    both = np.array([parts, wholes], dtype=np.float64)
    both = both[..., ~np.isnan(both).any(axis=(0, 1))]
    if both[1].size < 2:
        return None
    part, whole = map(_resampled, both)
    if not (whole > 0).all():
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(part / whole, [tail, 1 - tail])
    return float(low), float(high)


def _resampled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of the values (seeds, tracks) that each resample has."""
    seeds, tracks = _drawn(*values.shape, RESAMPLES)
    return np.asarray(((seeds @ values) * tracks).sum(axis=1))


@lru_cache(maxsize=8)
def _drawn(
    n_seeds: int, n_tracks: int, resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how often each resample has every seed and every track: (resamples, n) of both.

    They are the same for all differences of one shape, of which a table has hundreds.
    """
    rng = np.random.default_rng(0)
    seeds, tracks = (
        rng.multinomial(n, np.full(n, 1 / n), resamples).astype(np.float64)
        for n in (n_seeds, n_tracks)
    )
    return seeds, tracks


def _p_value(means: NDArray[np.float64]) -> float:
    """Return the level at which an interval of these resampled means would just touch zero.

    With one more resample on the far side (Davison and Hinkley, "Bootstrap Methods and their
    Application" (1997), section 4.2.3): a finite number of them cannot show a p-value of 0.
    """
    beyond = min((means <= 0).sum(), (means >= 0).sum())
    return float(min(1.0, 2 * (beyond + 1) / (len(means) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for being looked at together; those at most alpha are then significant.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6 (1979): of m ascending p-values, the i-th is multiplied by m - i + 1, and is no
    smaller than the one before. The chance of any false finding among all is at most alpha, however
    they hang together. NaN is no comparison, and stays.
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given)[: (~np.isnan(given)).sum()]  # NaN sorts last
    scaled = given[order] * np.arange(len(order), 0, -1)
    corrected = np.full(len(given), np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected.tolist()
