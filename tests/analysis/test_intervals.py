"""Intervals over seeds and tracks, and the correction of many comparisons."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.numbers.intervals import Effect, holm, mean_difference


def crossed(rng: np.random.Generator, seeds: float, tracks: float, noise: float) -> np.ndarray:
    """Draw differences of five seeds on twelve tracks, whose true mean is zero."""
    size = 5, 12
    return (
        rng.normal(0, seeds, size[0])[:, None]
        + rng.normal(0, tracks, size[1])
        + rng.normal(0, noise, size)
    )


@pytest.mark.parametrize("one", ["seeds", "tracks"])
def test_one_level_is_student_s_t(one):
    values = np.random.default_rng(3).normal(0.2, 1.0, 9)
    found = mean_difference(values if one == "tracks" else values[:, None])
    theirs = stats.ttest_1samp(values, 0.0)
    assert found is not None
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert (found.n_seeds, found.n_tracks) == ((9, 1) if one == "seeds" else (1, 9))


def test_both_levels_by_hand():
    """Two seeds on three tracks."""
    differences = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
    of_seeds, of_tracks = 2.0 / 2, 2.25 / 3  # variances of (2, 4) and (1.5, 3, 4.5), over numbers
    freedom = 1.75**2 / (of_seeds**2 / 1 + of_tracks**2 / 2)
    reach = stats.t.ppf(0.95, freedom) * 1.75**0.5
    found = mean_difference(differences, level=0.9)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((3.0 - reach, 3.0 + reach))
    assert found.p_value == pytest.approx(2 * stats.t.sf(3.0 / 1.75**0.5, freedom))


def owen(differences: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Interval of a bootstrap that draws seeds and tracks."""
    drawn = (rng.integers(n, size=(1000, n)) for n in differences.shape)
    seeds, tracks = (
        np.stack([np.bincount(one, minlength=n) for one in of])
        for of, n in zip(drawn, differences.shape, strict=True)
    )
    means = ((seeds @ differences) * tracks).sum(axis=1) / differences.size
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize(
    ("seeds", "tracks", "noise"), [(1.0, 0.5, 0.5), (0.2, 1.0, 0.5), (0.5, 0.5, 1.0)]
)
def test_it_holds_the_truth_as_often_as_it_says(seeds, tracks, noise):
    """With three seeds on twelve tracks; one over tracks alone, or drawn again, is far from it."""
    rng, hits, n = np.random.default_rng(0), np.zeros(3), 1000
    for _ in range(n):
        differences = crossed(rng, seeds, tracks, noise)[:3]
        both, of_tracks = (mean_difference(d) for d in (differences, differences.mean(axis=0)))
        assert both is not None
        assert of_tracks is not None
        drawn = owen(differences, rng)
        intervals = ((both.low, both.high), (of_tracks.low, of_tracks.high), drawn)
        hits += [low <= 0 <= high for low, high in intervals]
    assert hits[0] / n > 0.925
    assert hits[0] >= hits[2]
    if seeds > tracks:
        assert hits[1] / n < 0.6
        assert hits[2] / n < 0.85


def test_where_seeds_agree_it_is_that_over_tracks():
    differences = np.tile(np.random.default_rng(0).normal(0.1, 0.2, 20), (5, 1))
    both, of_tracks = mean_difference(differences), mean_difference(differences[0])
    assert both is not None
    assert of_tracks is not None
    assert (both.low, both.high) == pytest.approx((of_tracks.low, of_tracks.high))


def test_what_is_missing_is_left_out():
    rng = np.random.default_rng(0)
    differences = crossed(rng, 0.1, 0.1, 0.1)
    holed = np.pad(differences, ((0, 1), (0, 2)), constant_values=np.nan)
    assert mean_difference(holed) == mean_difference(differences)
    holed[0, 0] = np.nan
    found = mean_difference(holed)
    assert found is not None
    assert found.mean == pytest.approx(np.nanmean(holed))
    for few in ([], [0.3], [[0.3, math.nan], [math.nan, math.nan]]):
        assert mean_difference(few) is None


def test_p_values_say_what_intervals_say():
    """At most 0.05 where the interval of 95 % leaves zero out."""
    rng = np.random.default_rng(0)
    seen = set()
    for shift in np.linspace(0, 1.5, 40):
        found = mean_difference(crossed(rng, 0.3, 0.5, 0.5) + shift)
        assert found is not None
        outside = found.low > 0 or found.high < 0
        assert (found.p_value < 0.05) == outside
        seen.add(outside)
    assert seen == {True, False}
    certain = mean_difference(np.full((5, 12), 0.125))
    assert certain is not None
    assert certain.p_value == 0


def test_in_words_and_the_other_way_round():
    effect = Effect(0.0214, -0.012, 0.0336, 0.2, 5, 12)
    assert effect.interval() == "[-0.012, +0.034]"
    assert (-effect).interval(2) == "[-0.03, +0.01]"
    assert (-effect).mean == -effect.mean


def test_limits():
    assert mean_difference([0.1]) is None
    same = mean_difference([0.25] * 5)
    assert same is not None
    assert (same.low, same.high, same.n_tracks) == pytest.approx((0.25, 0.25, 5))
    nothing = mean_difference(np.zeros((3, 4)))
    assert nothing is not None
    assert (nothing.low, nothing.high, nothing.p_value) == (0, 0, 1)
    assert mean_difference([0.1, 0.5, -0.2]) == mean_difference([0.1, 0.5, -0.2])


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
