"""Whole sets scored at once, on the embedded world: the same as track by track with mir_eval."""

import math
import re
import warnings
from dataclasses import asdict, replace

import mir_eval
import numpy as np
import pytest
import torch

from ssmpe.data.datasets.registry import Locations
from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.data.sets import load_use, use_of
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.evaluation import scoring
from ssmpe.evaluation.curves import Curve
from ssmpe.evaluation.inference import salience, saliences, track_features
from ssmpe.evaluation.scores import (
    FREE_MEASURES,
    MEASURES,
    Observed,
    f1,
    precision_recall,
)
from ssmpe.evaluation.scoring import EvaluationSet, evaluate, evaluate_all, prepare, prepare_once
from ssmpe.network.baselines import network_of
from ssmpe.network.model import Autoencoder
from ssmpe.runner.trial import reports
from ssmpe.runner.trial.checkpoints import Checkpoints
from ssmpe.runner.trial.training import run_trial
from ssmpe.signal.hcqt import HCQT
from ssmpe.signal.notes import NoteRule
from ssmpe.signal.salience import decode, peaks

NAMES = (
    *("URMP/validation", "Bach10/all", "Su/all", "TRIOS/all", "MusicNet/test", "GuitarSet/05"),
    *("MAESTRO/validation", "NSynth/valid"),
)


@pytest.fixture(scope="module")
def hcqt(geometry) -> HCQT:
    return HCQT(geometry)


@pytest.fixture(scope="module")
def network(geometry, brief) -> Autoencoder:
    """Without training, but not blank: a pitch in every sixth bin, more or less at random."""
    torch.manual_seed(0)
    network = Autoencoder(geometry, replace(brief.model, output_bias=0.0))
    return network.channels_last().eval()


@pytest.fixture(scope="module")
def evaluated(world, brief, hcqt) -> dict[str, EvaluationSet]:
    uses = [use_of(n, brief.data, brief.geometry.sample_rate, annotated=True) for n in NAMES]
    loaded = tuple(load_use(use, Locations(world), cache_dir()) for use in uses)
    return {s.name: s for s in prepare(loaded, hcqt, "cpu")}


def alone(network, evaluated: EvaluationSet, i: int) -> torch.Tensor:
    """Salience (F, T) of a track that runs through the network by itself."""
    audio = torch.from_numpy(evaluated._source.store.audio(i).copy())[None, None]
    return salience(network, track_features(audio, evaluated._hcqt))


def test_what_is_shown_of_a_set_is_what_was_scored(evaluated, network):
    one = evaluated["GuitarSet/05"]
    evaluate(network, one)
    expected = next(found for i, found in one.saliences(network) if i == 0)
    assert torch.equal(one.first_salience, expected)


def test_trials_of_a_process_share_sets_that_are_the_same(world, brief, hcqt):
    def loaded(*names: str):
        uses = [use_of(n, brief.data, brief.geometry.sample_rate, annotated=True) for n in names]
        return tuple(load_use(use, Locations(world), cache_dir()) for use in uses)

    first = prepare_once(loaded("Bach10/all"), hcqt, "cpu")
    assert prepare_once(loaded("Bach10/all"), hcqt, "cpu") is first
    others = prepare_once(loaded("Su/all"), hcqt, "cpu")
    assert [one.name for one in others] == ["Su/all"]
    wider = HCQT(replace(brief.geometry, bins_per_octave=36, n_bins=264))
    assert prepare_once(loaded("Su/all"), wider, "cpu") is not others


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_mir_eval_track_by_track(name, evaluated, network, geometry):
    """Of every dataset: annotations on frames and of notes, on grids of their own."""
    one = evaluated[name]
    scores = evaluate(network, one)
    assert list(scores.tracks) == [one.track_name(i) for i in range(len(one))]
    assert scores == evaluate(network, one, by_mir_eval=True)
    for i, estimate in one.saliences(network):
        found, truth = scores.tracks[one.track_name(i)], one.reference(i).truth
        observed = one.observed(i, Observed.packed(estimate, one.halves(i)).numpy())
        by_mir_eval = precision_recall(one.reference(i), decode(estimate, geometry))
        theirs = observed.scores(one.reference(i), *by_mir_eval)
        for measure in MEASURES:
            assert getattr(found, measure) == getattr(theirs, measure), measure
        assert truth is not None
        times = one.reference(i).times
        f0s = [geometry.bin_frequencies[column] for column in peaks(estimate).T.numpy()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # grids differ
            expected = mir_eval.multipitch.metrics(truth.times, list(truth.f0s), times, f0s)
        assert (found.precision, found.recall) == expected[:2]
    assert scores.means.precision > 0
    assert 0 < scores.means.recall < 1


@pytest.mark.parametrize("name", ["Bach10/all", "NSynth/valid"])
def test_tracks_together_are_what_they_are_alone(name, evaluated, network):
    one = evaluated[name]
    assert max(len(group) for group in one._groups) > 1
    seen = []
    for i, together in one.saliences(network):
        expected = alone(network, one, i)
        torch.testing.assert_close(together, expected, atol=1e-6, rtol=0)
        assert torch.equal(peaks(together), peaks(expected))
        seen.append(i)
    assert sorted(seen) == list(range(len(one)))


def test_only_equally_long_tracks_run_together(evaluated, monkeypatch):
    monkeypatch.setitem(scoring.GROUP_VALUES, "cpu", 1 << 30)
    for one in evaluated.values():
        groups = one._grouped()
        assert sorted(i for group in groups for i in group) == list(range(len(one)))
        for group in groups:
            assert len({len(one.reference(i).times) for i in group}) == 1
        assert len(groups) == len({len(one.reference(i).times) for i in range(len(one))})


def test_what_does_not_fit_the_memory_is_computed_again(evaluated, network, hcqt):
    cached = evaluated["Bach10/all"]
    assert cached.cached_bytes > 0
    for room in (0, cached.cached_bytes // 2):
        other = EvaluationSet(cached._source, hcqt, "cpu", room)
        other.cache()
        assert other.cached_bytes <= room
        assert evaluate(network, other) == evaluate(network, cached)
        assert torch.equal(other.features(3), cached.features(3))


@pytest.fixture(scope="module")
def apart(evaluated, network, brief):
    """Return networks with a threshold each, and their scores on Bach10, one by one."""
    one = evaluated["Bach10/all"]
    torch.manual_seed(1)
    other = Autoencoder(one.geometry, replace(brief.model, output_bias=0.0)).channels_last().eval()
    signal = network_of(one.geometry, replace(brief.model, network="energy")).eval()
    networks = [(network, 0.55), (other, 0.45), (signal, 0.3)]
    return networks, [evaluate(n, one, threshold) for n, threshold in networks]


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_networks_together_are_what_they_are_alone(at_once, evaluated, apart, monkeypatch):
    """Whether or not there is room for what is observed of all of them; features are shared."""
    one = EvaluationSet(evaluated["Bach10/all"]._source, evaluated["Bach10/all"]._hcqt, "cpu", 0)
    networks, scores = apart
    assert len({found.means.average_precision for found in scores}) == 3
    computed: list[int] = []
    done: list[int] = []

    def counted(*given):
        computed.append(1)
        return track_features(*given)

    monkeypatch.setattr(scoring, "track_features", counted)
    monkeypatch.setattr(scoring, "OBSERVED_BYTES", at_once * one.observed_bytes)
    with_rule = [(*of_network, NoteRule()) for of_network in networks]
    assert evaluate_all(with_rule, one, done.append) == scores
    assert len(computed) == len(one) * math.ceil(3 / at_once)
    assert done == list(range(1, 3 * len(one) + 1))


def test_what_is_observed_takes_no_more_than_is_said(evaluated, network):
    one = evaluated["MusicNet/test"]
    n_bytes = 0
    for i, estimate in one.saliences(network):
        curve = one.observed(i, Observed.packed(estimate, one.halves(i)).numpy()).curve
        assert curve is not None
        arrays = (curve.thresholds, curve.n_estimated, curve.n_matched)
        n_bytes += sum(array.nbytes for array in arrays)
    assert 0.1 * one.observed_bytes < n_bytes < one.observed_bytes


def test_unannotated_tracks(evaluated, network, hcqt, geometry):
    """Without pitches there is no score, but a rate of blank frames."""
    source = evaluated["Bach10/all"]._source
    bare = replace(source, annotations=(None, *source.annotations[1:]))
    one = EvaluationSet(bare, hcqt, "cpu", 0)
    scores = evaluate(network, one, by_mir_eval=True)
    first = scores.tracks[one.track_name(0)]
    assert np.isnan([first.precision, first.recall, first.f1]).all()
    assert 0 <= first.blank_rate <= 1
    assert scores.means.f1 == np.mean([t.f1 for t in [*scores.tracks.values()][1:]])


def test_pitches_beyond_mir_eval_are_refused_by_name(evaluated, hcqt):
    source = evaluated["TRIOS/all"]._source
    high = NoteAnnotation(np.array([0.0]), np.array([1.0]), np.array([6000.0]))
    bad = replace(source, annotations=(high, *source.annotations[1:]))
    with pytest.raises(UserError, match=rf"^TRIOS/all: {source.store.tracks[0].name}: .*6000 Hz$"):
        EvaluationSet(bad, hcqt, "cpu", 0)


class TestBentSalience:
    """The same network, its salience squared: other heights, in the same order."""

    @pytest.fixture(scope="class")
    def scored(self, evaluated, network):
        """Both of every set, each with the threshold of its own validation set."""

        def of_all():
            tuned, found = None, {}
            for name in NAMES:
                found[name] = evaluate(network, evaluated[name], tuned)
                tuned = found[name].threshold
            return found

        straight, plain = of_all(), saliences
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(scoring, "saliences", lambda *given: plain(*given).square())
            return straight, of_all()

    @pytest.mark.parametrize("name", NAMES)
    def test_no_score_without_a_fixed_threshold_changes(self, scored, name):
        straight, bent = (found[name] for found in scored)
        order_alone = [m for m in FREE_MEASURES if m != "similarity"]
        for track, scores in straight.tracks.items():
            for measure in order_alone:
                assert getattr(scores, measure) == getattr(bent.tracks[track], measure), measure
        for measure in order_alone:
            assert getattr(straight.means, measure) == getattr(bent.means, measure)
        for old, new in (
            (straight.threshold, bent.threshold),
            (straight.best_threshold, bent.best_threshold),
        ):
            assert new == float(np.square(np.float32(old)))

    @pytest.mark.parametrize("name", NAMES)
    def test_every_score_at_one_half_changes(self, scored, name):
        straight, bent = (found[name] for found in scored)
        for measure in MEASURES:
            assert getattr(straight.means, measure) != getattr(bent.means, measure), measure


def test_tuned_scores_are_those_at_the_threshold_given(evaluated, network, geometry):
    """By mir_eval, of whatever reaches it; the ceiling is no lower."""
    one = evaluated["GuitarSet/05"]
    scores = evaluate(network, one, 0.55)
    assert scores.threshold == 0.55
    for i, estimate in one.saliences(network):
        found, reference = scores.tracks[one.track_name(i)], one.reference(i)
        pitched = peaks(estimate, 0.55)
        f0s = [geometry.bin_frequencies[column] for column in pitched.T.numpy()]
        assert found.f1_tuned == f1(*precision_recall(reference, f0s))
        blank = ~pitched.any(dim=0).numpy()[reference.sounding]
        assert found.blank_rate_tuned == blank.mean()
    means = scores.means
    assert means.f1_best >= max(means.f1, means.f1_tuned)
    assert evaluate(network, one).means.f1_tuned == means.f1_best
    at_half = evaluate(network, one, 0.5).means
    assert (at_half.f1_tuned, at_half.blank_rate_tuned) == (at_half.f1, at_half.blank_rate)


def test_an_output_without_a_peak_is_scored_at_one_half(evaluated, network, monkeypatch):
    """All on, to the last bin: nothing can be tuned, and nothing is undefined."""
    monkeypatch.setattr(scoring, "saliences", lambda _, x: torch.ones_like(x[:, 0]))
    scores = evaluate(network, evaluated["GuitarSet/05"])
    assert scores.threshold == 0.5
    assert (scores.means.f1_tuned, scores.means.blank_rate_tuned) == (0.0, 1.0)


@pytest.mark.parametrize("name", ["Bach10/all", "MusicNet/test"])
def test_similarity_is_the_mean_cosine_of_frames_of_different_tracks(name, evaluated, network):
    one = evaluated[name]
    frames = {}
    for i, estimate in one.saliences(network):
        sounding = estimate.T.double()[torch.from_numpy(one.reference(i).sounding)]
        frames[i] = torch.nn.functional.normalize(sounding, dim=1)
    scores = evaluate(network, one)
    for i, own in frames.items():
        others = torch.cat([other for j, other in frames.items() if j != i])
        expected = float((own @ others.T).mean())
        assert scores.tracks[one.track_name(i)].similarity == pytest.approx(expected, abs=1e-5)


def test_similarity_within_a_single_track(evaluated, network):
    whole = evaluated["Bach10/all"]
    source = replace(whole._source, annotations=whole._source.annotations[:1])
    one = EvaluationSet(source, whole._hcqt, "cpu", 0)
    ((_, estimate),) = one.saliences(network)
    sounding = one.reference(0).sounding.copy()
    frames = torch.nn.functional.normalize(estimate.T.double(), dim=1)
    middle = len(sounding) // 2
    halves = [frames[:middle][sounding[:middle]], frames[middle:][sounding[middle:]]]
    expected = float((halves[0] @ halves[1].T).mean())
    assert evaluate(network, one).means.similarity == pytest.approx(expected, abs=1e-5)


def test_a_constant_pattern_is_like_itself(evaluated, network, monkeypatch):
    one = evaluated["Bach10/all"]
    pattern = torch.rand(one.geometry.n_bins, 1, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(
        scoring, "saliences", lambda _, f: pattern.expand(-1, f.shape[-1]).expand(len(f), -1, -1)
    )
    scores = evaluate(network, one)
    assert scores.means.similarity == pytest.approx(1.0, abs=1e-5)


class TestWrongScores:
    """A vectorised score that is one off."""

    @pytest.fixture(autouse=True)
    def wrong(self, monkeypatch):
        def wrong(*given):
            counts = right(*given)
            return replace(counts, n_matched=counts.n_matched + 1)

        right = Curve.at
        monkeypatch.setattr(Curve, "at", wrong)

    @pytest.fixture
    def parameters(self, world, brief, tmp_path):
        # what a sweep needs takes seconds to be imported
        from ssmpe.runner.planning.provision import Prepared
        from ssmpe.runner.tuner import worker_of
        from tests.support import invented

        plan = replace(invented.planned(1, tmp_path), data_root=str(world))
        Checkpoints(plan.storage, plan.name).begin()
        worker = asdict(worker_of(plan, Prepared(cache_dir(), {}, {}), 0.0))
        return {"worker": worker, "trial": {"row": "Ref.", "config": brief.to_dict()}}

    def test_they_fail_a_trial_at_its_end(self, parameters):
        *scored, failed = run_trial(parameters)
        assert [report[reports.BATCH] for report in scored] == [2, 4]
        assert re.match(r"URMP/validation: .* by mir_eval, but ", failed[reports.FAILURE])

    def test_they_fail_a_trial_that_would_be_stopped(self, parameters, monkeypatch):
        monkeypatch.setattr(reports.Curve, "collapsing", lambda *_: ["URMP/validation"])
        (failed,) = run_trial(parameters)
        assert re.match(r"URMP/validation: .* by mir_eval, but ", failed[reports.FAILURE])
