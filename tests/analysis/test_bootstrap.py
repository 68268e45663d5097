"""Intervals over seeds and tracks, and the correction of many comparisons."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.numbers import bootstrap
from analysis.numbers.bootstrap import Effect, holm, two_level_bootstrap


def crossed(rng: np.random.Generator, seeds: float, tracks: float, noise: float) -> np.ndarray:
    """Draw differences of five seeds on twelve tracks, whose true mean is zero."""
    size = 5, 12
    return (
        rng.normal(0, seeds, size[0])[:, None]
        + rng.normal(0, tracks, size[1])
        + rng.normal(0, noise, size)
    )


@pytest.mark.parametrize("one", ["seeds", "tracks"])
def test_one_level_is_scipy_s_bootstrap(one):
    values = np.random.default_rng(3).normal(0.2, 1.0, 30)
    found = two_level_bootstrap(values if one == "tracks" else values[:, None])
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert found is not None
    assert found.mean == pytest.approx(values.mean())
    width = theirs.high - theirs.low
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.03 * width)
    assert (found.n_seeds, found.n_tracks) == ((30, 1) if one == "seeds" else (1, 30))


def test_both_levels_are_resampled_by_hand():
    """The variance of resampled means, of indices drawn one by one."""
    differences = crossed(np.random.default_rng(0), 0.5, 1.0, 0.3) + 0.4
    found = two_level_bootstrap(differences, level=0.9)
    rng = np.random.default_rng(5)
    means = []
    for _ in range(10_000):
        seeds, tracks = rng.integers(5, size=5), rng.integers(12, size=12)
        means.append(differences[np.ix_(seeds, tracks)].mean())
    low, high = np.quantile(means, [0.05, 0.95])
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * (high - low))


def stratified(differences: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Interval that draws other seeds for every track, as where tracks were tasks of their own."""
    n_seeds, n_tracks = differences.shape
    seeds = rng.integers(n_seeds, size=(1000, n_seeds, n_tracks))
    tracks = rng.integers(n_tracks, size=(1000, 1, n_tracks))
    low, high = np.quantile(differences[seeds, tracks].mean(axis=(1, 2)), [0.025, 0.975])
    return float(low), float(high)


def test_it_holds_the_truth_as_often_as_it_says_where_seeds_differ(monkeypatch):
    """Nearly: five seeds are few. One over tracks alone, or with seeds apart, is far from it."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 1000)
    rng, hits = np.random.default_rng(0), np.zeros(3)
    n = 100
    for _ in range(n):
        differences = crossed(rng, seeds=1.0, tracks=0.5, noise=0.5)
        both, of_tracks = (two_level_bootstrap(d) for d in (differences, differences.mean(axis=0)))
        assert both is not None
        assert of_tracks is not None
        apart = stratified(differences, rng)
        intervals = ((both.low, both.high), (of_tracks.low, of_tracks.high), apart)
        hits += [low <= 0 <= high for low, high in intervals]
    assert hits[0] / n > 0.8
    assert hits[1] / n < 0.6
    assert hits[2] / n < 0.7


def test_where_seeds_agree_it_is_that_over_tracks():
    differences = np.tile(np.random.default_rng(0).normal(0.1, 0.2, 20), (5, 1))
    both, of_tracks = two_level_bootstrap(differences), two_level_bootstrap(differences[0])
    assert both is not None
    assert of_tracks is not None
    width = of_tracks.high - of_tracks.low
    assert (both.low, both.high) == pytest.approx((of_tracks.low, of_tracks.high), abs=0.05 * width)


def test_what_is_missing_is_left_out():
    rng = np.random.default_rng(0)
    differences = crossed(rng, 0.1, 0.1, 0.1)
    holed = np.pad(differences, ((0, 1), (0, 2)), constant_values=np.nan)
    assert two_level_bootstrap(holed) == two_level_bootstrap(differences)
    holed[0, 0] = np.nan
    found = two_level_bootstrap(holed)
    assert found is not None
    assert found.mean == pytest.approx(np.nanmean(holed))
    for few in ([], [0.3], [[0.3, math.nan], [math.nan, math.nan]]):
        assert two_level_bootstrap(few) is None


def test_p_values_say_what_intervals_say():
    """At most 0.05 where the interval of 95 % leaves zero out."""
    rng = np.random.default_rng(0)
    seen = set()
    for shift in np.linspace(0, 1.5, 40):
        found = two_level_bootstrap(crossed(rng, 0.3, 0.5, 0.5) + shift)
        assert found is not None
        outside = found.low > 0 or found.high < 0
        if abs(found.p_value - 0.05) > 0.005:
            assert (found.p_value < 0.05) == outside
        seen.add(outside)
    assert seen == {True, False}
    certain = two_level_bootstrap(np.full((5, 12), 0.1))
    assert certain is not None
    assert 0 < certain.p_value < 0.001


def test_in_words_and_the_other_way_round():
    effect = Effect(0.0214, -0.012, 0.0336, 0.2, 5, 12)
    assert effect.interval() == "[-0.012, +0.034]"
    assert (-effect).interval(2) == "[-0.03, +0.01]"
    assert (-effect).mean == -effect.mean


def test_of_one_seed_it_covers_the_truth_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 2000)
    rng = np.random.default_rng(0)
    intervals = [two_level_bootstrap(rng.normal(0.3, 1, 40)) for _ in range(200)]
    share = np.mean([i.low <= 0.3 <= i.high for i in intervals if i])
    assert 0.89 <= share <= 0.98


def test_limits():
    assert two_level_bootstrap([0.1]) is None
    same = two_level_bootstrap([0.25] * 5)
    assert same is not None
    assert (same.low, same.high, same.n_tracks) == pytest.approx((0.25, 0.25, 5))
    assert two_level_bootstrap([0.1, 0.5, -0.2]) == two_level_bootstrap([0.1, 0.5, -0.2])


@pytest.mark.parametrize(
    ("given_values", "corrected"),
    [
        ([], []),
        ([0.04], [0.04]),
        # of three: times 3, 2, 1
        ([0.01, 0.02, 0.03], [0.03, 0.04, 0.04]),
        ([0.03, 0.01, 0.02], [0.04, 0.03, 0.04]),
        # 0.04 times 1 would be below 0.03 times 2
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.9], [1.0, 1.0]),
        # NaN is no comparison
        ([math.nan, 0.01, 0.02], [math.nan, 0.02, 0.02]),
    ],
)
def test_holm_by_hand(given_values, corrected):
    assert holm(given_values) == pytest.approx(corrected, nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_its_procedure_rejects(p_values):
    """From the smallest on, against alpha / m, alpha / (m - 1), ..., until the first that fails."""
    alpha, corrected = 0.05, holm(p_values)
    rejected, left = set(), len(p_values)
    for i in np.argsort(np.array(p_values), kind="stable"):
        if p_values[i] * left > alpha:
            break
        rejected.add(int(i))
        left -= 1
    assert {i for i, p in enumerate(corrected) if p <= alpha} == rejected
