"""Counts at every threshold are those of mir_eval there; other scores, by their definition."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ssmpe.config import GeometryConfig
from ssmpe.data.files.annotation import MultiPitch
from ssmpe.evaluation.curves import Curve, Peaks, best_threshold, peak_heights, top_n
from ssmpe.evaluation.multipitch import Counts, GridReference, Growth
from tests.evaluation.test_multipitch import by_mir_eval, count, frame, measures, pitched


class Track:
    """A track's peaks, invented, and its reference."""

    def __init__(
        self, g: GeometryConfig, heights: np.ndarray, times: np.ndarray, truth: MultiPitch
    ) -> None:
        self.frequencies, self.times, self.truth = g.bin_frequencies, times, truth
        self.heights = heights.astype(np.float32)
        self.grid = GridReference(truth, times, g.bin_frequencies)
        self.found, self.growth = Peaks.of(self.heights), self.grid.growth(self.heights)
        self.curve = Curve.of(self.found, self.growth, self.grid)

    def estimate(self, threshold: float) -> MultiPitch:
        """Return the pitches at or above a threshold."""
        above = (self.heights >= np.float32(threshold)) & (self.heights >= 0)
        return MultiPitch(self.times, tuple(self.frequencies[column] for column in above.T))

    @property
    def top(self) -> Counts:
        return top_n(self.found, self.growth, self.grid)


def salience_of(rng: np.random.Generator, n_peaks: int) -> NDArray[np.float32]:
    """Draw heights: anywhere, sunk below a hundredth, near one, or with many equal ones."""
    kind = rng.integers(4)
    if kind == 0:
        return rng.random(n_peaks).astype(np.float32)
    if kind == 1:
        return (10 ** rng.uniform(-7, -2, n_peaks)).astype(np.float32)
    if kind == 2:
        return (1 - 10 ** rng.uniform(-7, -1, n_peaks)).astype(np.float32)
    return rng.choice(np.array([0.0, 1e-3, 0.25, 0.5, 1.0], np.float32), n_peaks)


def invented(rng: np.random.Generator, g: GeometryConfig, frames: int, share: float) -> Track:
    """Invent references and peaks close to each other, on equal or different grids of time."""
    times = np.arange(frames) * g.hop_length / g.sample_rate
    n = rng.integers(1, 2 * frames + 1)
    ref_times = times if rng.random() < 0.5 else np.arange(n) * 0.0058 + rng.choice([0, 0.0029])
    centres = rng.choice(g.bin_frequencies[g.bins_per_octave : -g.bins_per_octave], 3)
    most = rng.choice([1, 3, 8])
    truth = pitched(ref_times, *(frame(rng, centres, most) for _ in ref_times))
    heights = np.full((g.n_bins, frames), -1.0, np.float32)
    # most of the peaks where references are: elsewhere there is nothing to be matched
    near = np.searchsorted(g.bin_frequencies, centres)[:, None] + np.arange(-4, 5)
    bins = np.unique(np.concatenate([near.ravel(), rng.integers(0, g.n_bins, 3)]))
    where = bins[:, None] * frames + np.arange(frames)
    where = where[rng.random(where.shape) < share]
    heights.ravel()[where] = salience_of(rng, len(where))
    return Track(g, heights, times, truth)


def check_all(track: Track) -> int:
    """Compare counts with mir_eval's at every threshold; returns how many there are."""
    for threshold in track.curve.thresholds:
        found = track.curve.at(float(threshold))
        assert measures(found) == by_mir_eval(track.truth, track.estimate(float(threshold)))
    return len(track.curve.thresholds)


@pytest.mark.parametrize(
    "seed", [0, 1, 2, *(pytest.param(i, marks=pytest.mark.long) for i in range(3, 10))]
)
def test_ten_thousand_random_tracks_at_every_threshold(geometry, seed):
    """A thousand each, of one or two frames; about ten thresholds a track."""
    rng = np.random.default_rng(seed)
    n_thresholds, shared = 0, 0
    for _ in range(1000):
        track = invented(rng, geometry, int(rng.integers(1, 3)), 0.15)
        n_thresholds += check_all(track)
        shared += any(len(group.first) > 1 for group in track.grid._groups)
    assert n_thresholds > 3000
    assert shared > 200, "windows that share bins are the difficult part"


@pytest.mark.parametrize("seed", range(3))
def test_at_paper_geometry_too(seed):
    """Windows of five bins, of which three can hold peaks."""
    rng = np.random.default_rng(seed)
    for _ in range(100):
        check_all(invented(rng, GeometryConfig(), int(rng.integers(1, 4)), 0.1))


def test_counts_themselves_are_those_of_a_matching_from_nothing(geometry):
    """Ratios could agree where counts do not; and between thresholds nothing changes."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        track = invented(rng, geometry, 5, 0.3)
        for threshold in (0.0, 1e-6, 1e-3, 0.1, 0.5, 0.9, 0.99999, 1.0, 2.0):
            assert track.curve.at(threshold) == count(track.truth, track.estimate(threshold))


def test_thresholds_are_the_peaks_own_heights(geometry):
    track = invented(np.random.default_rng(1), geometry, 30, 0.3)
    own = np.unique(track.found.heights)[::-1]
    np.testing.assert_array_equal(track.curve.thresholds, own)
    assert (np.diff(track.curve.n_matched) >= 0).all()
    assert (np.diff(track.curve.n_estimated) >= 0).all()


def test_peaks_are_strict_local_maxima_however_low():
    salience = torch.tensor([[1e-9, 0.5], [0.0, 0.5], [1e-3, 0.2], [1e-4, 0.7]])
    expected = np.array([[1e-9, -1], [-1, -1], [1e-3, -1], [-1, 0.7]])
    np.testing.assert_allclose(peak_heights(salience), expected)
    found = Peaks.of(peak_heights(salience).numpy())
    np.testing.assert_allclose(found.heights, [1e-9, 1e-3, 0.7])
    np.testing.assert_array_equal(found.frames, [0, 0, 1])


def directly(track: Track) -> float:
    """Average precision by the definition, of mir_eval's own precision and recall."""
    area, before = 0.0, 0.0
    for threshold in np.unique(track.found.heights)[::-1]:
        precision, recall, _ = by_mir_eval(track.truth, track.estimate(threshold))
        area += (recall - before) * precision
        before = recall
    return area


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_by_its_definition(geometry, seed):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        track = invented(rng, geometry, 3, 0.2)
        assert track.curve.average_precision == pytest.approx(directly(track), abs=1e-12)


def test_average_precision_as_scikit_learn_has_it(geometry):
    """Of a pitch a frame: those never found are positives of no score, which it does not know."""
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    times = np.arange(400) * geometry.hop_length / geometry.sample_rate
    bins, frames = rng.integers(20, 60, 400), np.arange(400)
    truth = pitched(times, *([geometry.bin_frequencies[i]] for i in bins))
    heights = rng.integers(1, 200, (geometry.n_bins, 400)) / 250  # some are equal
    heights[rng.random(heights.shape) < 0.98] = -1.0
    found = rng.random(400) < 0.7
    heights[bins[found], frames[found]] = rng.integers(50, 251, found.sum()) / 250
    track = Track(geometry, heights, times, truth)
    grown = track.growth.heights[track.growth.steps > 0]
    # as many right ones at each height as the matching grows by, the others wrong
    scores, right = [], []
    for height in np.unique(track.found.heights):
        n, n_right = int((track.found.heights == height).sum()), int((grown == height).sum())
        scores += [float(height)] * n
        right += [1] * n_right + [0] * (n - n_right)
    expected = metrics.average_precision_score(right, scores) * sum(right) / 400
    assert 0.2 < expected < 0.9
    assert track.curve.average_precision == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_n_strongest_peaks_of_every_frame(geometry, seed):
    """By mir_eval, of estimates chosen frame by frame."""
    rng = np.random.default_rng(seed)
    for _ in range(100):
        track = invented(rng, geometry, int(rng.integers(1, 6)), 0.2)
        frames = []
        for n, t in zip(track.grid.polyphony, track.grid.frames, strict=True):
            column = track.heights[:, t] if t < len(track.times) else np.full(1, -1.0)
            strongest = np.sort(column[column >= 0])[::-1]
            least = strongest[min(n, len(strongest)) - 1] if n and len(strongest) else math.inf
            frames.append(track.frequencies[np.flatnonzero(column >= least)])
        estimate = MultiPitch(track.truth.times, tuple(frames))
        assert measures(track.top) == by_mir_eval(track.truth, estimate)
        assert track.top == count(track.truth, estimate)


def test_what_bends_the_salience_bends_the_thresholds_alone(geometry):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        track = invented(rng, geometry, 20, 0.3)
        bent = np.where(track.heights >= 0, np.square(track.heights), np.float32(-1))
        other = Track(geometry, bent, track.times, track.truth)
        np.testing.assert_array_equal(other.curve.thresholds, np.square(track.curve.thresholds))
        np.testing.assert_array_equal(other.curve.f1, track.curve.f1)
        assert other.curve.average_precision == track.curve.average_precision
        assert other.top == track.top
        threshold = np.float32(best_threshold([track.curve]))
        assert best_threshold([other.curve]) == float(np.square(threshold))


@pytest.mark.parametrize("seed", range(5))
def test_the_best_threshold_of_a_set(geometry, seed):
    """One for all tracks; by trial of all."""
    rng = np.random.default_rng(seed)
    tracks = [invented(rng, geometry, 8, 0.2) for _ in range(5)]
    thresholds = np.unique(np.concatenate([t.found.heights for t in tracks]))[::-1]

    def mean_f1(threshold: float) -> float:
        counts = [t.curve.at(threshold) for t in tracks]
        return float(
            np.mean([2 * c.n_matched / max(1, c.n_estimated + c.n_reference) for c in counts])
        )

    means = [mean_f1(float(threshold)) for threshold in thresholds]
    best = best_threshold([t.curve for t in tracks])
    assert mean_f1(best) == pytest.approx(max(means), abs=1e-11)
    assert best == thresholds[int(np.argmax(np.round(means, 10)))]


def test_tracks_without_peaks_or_pitches(geometry):
    times = np.arange(3) * geometry.hop_length / geometry.sample_rate
    silent = np.full((geometry.n_bins, 3), -1.0)
    some = silent.copy()
    some[40, 1] = 0.3
    truth, nothing = pitched(times, [], [440.0], []), pitched(times, [], [], [])
    for heights, reference in ((silent, truth), (some, nothing), (silent, nothing)):
        track = Track(geometry, heights, times, reference)
        assert track.curve.average_precision == 0.0
        assert measures(track.top) == (0.0, 0.0, 0.0)
        assert track.curve.at(0.1).n_matched == 0
    assert math.isnan(best_threshold([]))
    assert math.isnan(best_threshold([Track(geometry, silent, times, truth).curve]))
    hopeless = Track(geometry, some, times, nothing).curve
    assert best_threshold([hopeless]) == np.float32(0.3)


def test_a_reference_without_frames(geometry):
    times = np.arange(3) * geometry.hop_length / geometry.sample_rate
    track = Track(geometry, np.zeros((geometry.n_bins, 3)), times, MultiPitch(np.empty(0), ()))
    assert track.curve.at(0.0) == track.top == Counts(0, 0, 0)


def test_a_matching_grows_by_one_at_a_peak_or_stays(geometry):
    """Whatever order peaks come in: which set is matched at a threshold hangs on nothing else."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        track = invented(rng, geometry, 2, 0.3)
        heights = track.heights
        order = rng.permutation(np.flatnonzero(heights >= 0))
        ranked = np.full(heights.shape, -1.0, np.float32)
        ranked.ravel()[order] = np.arange(1, len(order) + 1) / 100
        growth: Growth = GridReference(track.truth, track.times, track.frequencies).growth(ranked)
        assert set(growth.steps.tolist()) <= {0, 1}
