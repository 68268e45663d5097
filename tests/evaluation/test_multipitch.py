"""Vectorised multi-pitch scores are those of mir_eval: equal, not close."""

import math
import warnings

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpe.config import GeometryConfig
from ssmpe.data.files import annotation
from ssmpe.data.files.annotation import MultiPitch
from ssmpe.evaluation.multipitch import (
    WINDOW,
    Counts,
    GridReference,
    check,
    matched,
    nearest,
    semitones,
)

NONE = np.empty(0)


def by_mir_eval(reference: MultiPitch, estimate: MultiPitch) -> tuple[float, float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nothing to be found or estimated
        result = mir_eval.multipitch.metrics(
            reference.times, list(reference.f0s), estimate.times, list(estimate.f0s)
        )
    return float(result[0]), float(result[1]), float(result[2])


def count(reference: MultiPitch, estimate: MultiPitch) -> Counts:
    """Compare any pitches, on any time grids, all frames at once.

    Raises:
        ValueError: times or pitches that mir_eval does not accept.
    """
    check(reference)
    check(estimate)
    frames = nearest(estimate.times, reference.times)
    truth, found = semitones(reference.f0s), semitones((*estimate.f0s, np.empty(0)))[:, frames]
    low, high = found - WINDOW, found + WINDOW
    first, stop = np.zeros((2, *truth.shape), np.int32)
    for row, voice in enumerate(truth):
        # comparisons with NaN, which fills the frames up, are false
        first[row], stop[row] = (high < voice).sum(axis=0), (low <= voice).sum(axis=0)
    n_matched = matched(first, stop)
    n_reference, n_estimated = (int((~np.isnan(x)).sum()) for x in (truth, found))
    return Counts(int(n_matched.sum()), n_reference, n_estimated)


def measures(counts: Counts) -> tuple[float, float, float]:
    """Return precision, recall and accuracy: TP / (TP + FP + FN)."""
    total = counts.n_estimated + counts.n_reference - counts.n_matched
    return counts.precision, counts.recall, counts.n_matched / total if total else 0.0


def pitched(times, *f0s) -> MultiPitch:
    return MultiPitch(np.asarray(times, float), tuple(np.asarray(f, float) for f in f0s))


def on_grid(geometry: GeometryConfig, reference: MultiPitch, times, peaks: np.ndarray) -> Counts:
    """Count as a network's peaks (F, T) are counted."""
    grid = GridReference(reference, times, geometry.bin_frequencies)
    heights = np.where(peaks, np.float32(1), np.float32(-1))
    n_estimated = int((peaks.sum(axis=0) * grid.uses).sum())
    return Counts(int(grid.growth(heights).steps.sum()), grid.n_reference, n_estimated)


def frame(rng: np.random.Generator, centres: np.ndarray, most: int) -> np.ndarray:
    """Draw F0s in Hz: anywhere, close together, quarter tones apart to the last bit, twice."""
    n, kind = rng.integers(most + 1), rng.integers(4)
    if kind == 0:
        return 27.5 * 2 ** rng.uniform(0, 7, n)
    if kind == 1:
        return 220 * 2 ** (rng.normal(0, 1.5, n) / 12)
    f0s = rng.choice(centres, n) * 2 ** (rng.integers(-2, 3, n) / 24)
    return f0s if kind == 2 else np.nextafter(f0s, rng.choice([0.0, 1e4], n))


def grids(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw times of reference and estimate: equal, shifted, coarser or finer, longer or shorter."""
    n_ref, n_est = rng.integers(1, 5, 2)
    ref = np.arange(n_ref) * 0.01 + rng.choice([0.0, 0.005])
    if rng.random() < 0.4:
        return ref, ref.copy()
    if rng.random() < 0.5:
        return ref, np.sort(rng.choice(40, n_est, replace=False)) * 0.0025
    return ref, np.arange(n_est) * rng.choice([0.004, 0.005, 0.01, 0.023]) + rng.choice([0, 1e-9])


@pytest.mark.parametrize(
    "seed", [0, 1, 2, *(pytest.param(i, marks=pytest.mark.long) for i in range(3, 10))]
)
def test_ten_thousand_random_tracks(geometry, seed):
    """A thousand each; of up to 13 voices, on any grids."""
    rng = np.random.default_rng(seed)
    seen = set()
    for _ in range(1000):
        ref_times, est_times = grids(rng)
        most = rng.choice([1, 4, 13])
        centres = rng.choice(geometry.bin_frequencies[24:-24], 4)
        reference = pitched(ref_times, *(frame(rng, centres, most) for _ in ref_times))
        estimate = pitched(est_times, *(frame(rng, centres, most) for _ in est_times))
        found = count(reference, estimate)
        assert measures(found) == by_mir_eval(reference, estimate)
        seen.add(found)
    assert len(seen) > 200


def test_every_frame_of_a_long_track():
    """Errors of single frames cannot cancel out; and many voices, most of them within reach."""
    rng = np.random.default_rng(0)
    for _ in range(3000):
        frames = [220 * 2 ** (rng.uniform(0, 8, rng.integers(14)) / 12) for _ in range(2)]
        reference, estimate = (pitched([0.0], f) for f in frames)
        midi = [mir_eval.multipitch.frequencies_to_midi([f]) for f in frames]
        expected = mir_eval.multipitch.compute_num_true_positives(*midi)[0]
        assert count(reference, estimate) == Counts(expected, len(frames[0]), len(frames[1]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("paper", [False, True])
def test_peaks_on_a_grid(geometry, seed, paper):
    g = GeometryConfig() if paper else geometry
    rng = np.random.default_rng(seed)
    for _ in range(60):
        times = np.arange(rng.integers(1, 30)) * g.hop_length / g.sample_rate
        n = len(times) if rng.random() < 0.3 else rng.integers(1, 60)
        ref_times = times if n == len(times) else np.arange(n) * 0.0058 + rng.choice([0, 0.0029])
        peaks = rng.random((g.n_bins, len(times))) < rng.choice([0, 0.01, 0.2, 1])
        centres = g.bin_frequencies[g.bins_per_octave : -g.bins_per_octave]
        reference = pitched(ref_times, *(frame(rng, centres, 8) for _ in ref_times))
        estimate = pitched(times, *(g.bin_frequencies[column] for column in peaks.T))
        found = on_grid(g, reference, times, peaks)
        assert found == count(reference, estimate)
        assert measures(found) == by_mir_eval(reference, estimate)


f0s_of_frames = st.lists(
    st.lists(st.floats(20.0, 5000.0) | st.sampled_from([440.0, 440 * 2 ** (1 / 24)]), max_size=6),
    min_size=1,
    max_size=4,
)


@given(f0s_of_frames, f0s_of_frames, st.sampled_from([1.0, 0.5, 0.3, 2.0]), st.integers(-1, 3))
def test_any_pitches_on_any_grids(ref, est, step, shift):
    reference = pitched(np.arange(len(ref)), *ref)
    estimate = pitched(np.arange(len(est)) * step + shift / 4, *est)
    assert measures(count(reference, estimate)) == by_mir_eval(reference, estimate)


@given(st.floats(0, 100), st.integers(-4, 4), st.booleans())
def test_the_edge_of_the_window_to_the_last_bit(midi, ulps, above):
    """A quarter tone away, and some floating-point numbers nearer or further."""
    reference = mir_eval.util.midi_to_hz(28 + midi / 2)
    estimate = mir_eval.util.midi_to_hz(28 + midi / 2 + (0.5 if above else -0.5))
    for _ in range(abs(ulps)):
        estimate = np.nextafter(estimate, math.copysign(math.inf, ulps))
    one, other = pitched([0.0], [reference]), pitched([0.0], [estimate])
    assert measures(count(one, other)) == by_mir_eval(one, other)


def test_both_sides_of_the_edge_are_met():
    """The test above would not tell if all its cases agreed, or none."""
    hits = set()
    for midi in np.arange(30, 90, 0.25):
        estimate = mir_eval.util.midi_to_hz(midi + 0.5)
        for hz in (np.nextafter(estimate, 0), estimate, np.nextafter(estimate, 9e9)):
            reference = pitched([0.0], [mir_eval.util.midi_to_hz(midi)])
            found = measures(count(reference, pitched([0.0], [hz])))
            assert found == by_mir_eval(reference, pitched([0.0], [hz]))
            hits.add(found[0])
    assert hits == {0.0, 1.0}


@pytest.mark.parametrize(
    ("ref", "est", "n_matched"),
    [
        ([440], [440], 1),
        ([440, 440], [440], 1),
        ([440], [440, 440], 1),
        ([440, 440], [440, 440], 2),
        ([], [440], 0),
        ([440], [], 0),
        ([], [], 0),
        # what is nearest to each is not what lets most be matched
        ([440, 452], [430, 440], 2),
        ([440, 452], [452, 460], 2),
        ([430, 440, 450], [440], 1),
        ([880, 110, 440], [111, 870, 441], 3),
    ],
)
def test_one_frame(ref, est, n_matched):
    reference, estimate = pitched([0.5], ref), pitched([0.5], est)
    assert count(reference, estimate) == Counts(n_matched, len(ref), len(est))
    assert measures(count(reference, estimate)) == by_mir_eval(reference, estimate)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ([0.0, 1.0, 2.0], [0, 1, 2]),
        ([1e-9, 1.0, 2.0], [0, 1, 2]),  # as good as the same grid
        ([-0.1, 0.5, 1.5, 2.0], [3, 0, 1, 2]),  # ties: the earlier one
        ([2.0 + 1e-9], [3]),
        ([0.51, 1.49], [1, 1]),
    ],
)
def test_nearest_frames(wanted, index):
    times = np.arange(3.0)
    np.testing.assert_array_equal(nearest(times, np.array(wanted)), index)
    frames = [np.array([float(i)]) for i in range(3)]
    if len(wanted) != 3:
        theirs = mir_eval.multipitch.resample_multipitch(times, frames, np.array(wanted))
        assert [int(f[0]) if len(f) else 3 for f in theirs] == index


def test_tracks_without_frames():
    some = pitched([0.0, 1.0], [440], [220, 880])
    nothing = MultiPitch(NONE, ())
    for reference, estimate in ((some, nothing), (nothing, some), (nothing, nothing)):
        assert measures(count(reference, estimate)) == by_mir_eval(reference, estimate) == (0, 0, 0)


@pytest.mark.parametrize("hz", [0.0, 19.9, 5000.1, -440.0, math.nan])
def test_pitches_that_cannot_be_scored(geometry, hz):
    good, bad = pitched([0.0], [440]), pitched([0.0], [hz])
    for reference, estimate in ((good, bad), (bad, good)):
        with pytest.raises(ValueError, match="pitches of 20 to 5000 Hz can be scored"):
            count(reference, estimate)
        if hz >= 0:  # anything else it lets pass, and never matches
            with pytest.raises(ValueError, match="A frequency of"):
                by_mir_eval(reference, estimate)
    with pytest.raises(ValueError, match="pitches of 20 to 5000 Hz can be scored"):
        GridReference(bad, good.times, geometry.bin_frequencies)
    with pytest.raises(ValueError, match="times up to 30000 s"):
        count(pitched([30_001.0], [440]), good)


def test_a_pitch_s_number_does_not_depend_on_its_neighbours():
    """mir_eval converts frames one by one; here all are converted at once."""
    hz = 20 * 2 ** np.random.default_rng(0).uniform(0, 7.9, 5003)
    together = 69.0 + 12.0 * np.log2(hz / 440.0)
    for size in (1, 2, 3, 5, 8, 13):
        parts = np.array_split(hz, len(hz) // size)
        apart = np.concatenate(mir_eval.multipitch.frequencies_to_midi(parts))
        np.testing.assert_array_equal(apart, together)


def test_limits_are_those_of_mir_eval() -> None:
    theirs = mir_eval.multipitch
    assert annotation.LATEST_SCORED == theirs.MAX_TIME
    assert annotation.LOWEST_SCORED == theirs.MIN_FREQ
    assert annotation.HIGHEST_SCORED == theirs.MAX_FREQ
