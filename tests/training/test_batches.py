"""What a batch is made of."""

import numpy as np
import pytest
import torch

from ssmpe.config import TrialConfig
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.seeding import numpy_generator
from ssmpe.signal.features import frame_rms
from ssmpe.signal.hcqt import HCQT
from ssmpe.training.batches import BatchMaker, excerpt_target
from ssmpe.units import frame_times

EVERYTHING = frozenset({"percussive", "rms", "mixture"})


def make_batch(config: TrialConfig, sets, index: int = 3):
    return BatchMaker(config, sets, HCQT(config.geometry), EVERYTHING, "cpu")(index)


def test_batches_are_the_same_for_labelled_excerpts_whatever_is_added(brief, sets, world):
    closed = brief.replace({"data.added": {}})
    few = make_batch(closed, load_sets(closed.data, 22050, Locations(world), cache_dir()))
    many = make_batch(brief, sets)
    n = brief.data.labelled_excerpts
    assert few.features.shape[0] == n
    assert many.features.shape[0] == n + 1
    assert torch.equal(few.target, many.target)
    # computed in batches of different sizes: equal but for rounding near the floor
    loud = few.features > 0.2
    torch.testing.assert_close(many.features[:n][loud], few.features[loud], atol=1e-4, rtol=0)
    loud = few.percussive > 0.2
    torch.testing.assert_close(many.percussive[:n][loud], few.percussive[loud], atol=1e-4, rtol=0)


def test_the_percussive_view_is_that_of_the_mixed_audio(brief, sets):
    """Adding complex transforms is adding audio."""
    batch = make_batch(brief, sets)
    assert batch.percussive is not None
    assert not torch.equal(batch.percussive, batch.features)
    assert batch.percussive.shape == batch.features.shape


def test_drums_are_as_loud_as_the_batch_and_the_excerpt_have_drawn(brief, sets):
    """The transform is linear: bins over those of the same drums at full volume."""
    maker = BatchMaker(brief, sets, HCQT(brief.geometry), EVERYTHING, "cpu")
    volumes = []
    for index in range(4):
        drums = [excerpt for s in maker._sources for _, excerpt in s.drums.batch(index, s.count)]
        full = maker.hcqt.distinct(maker._stack(drums)).abs()
        drawn = maker._drum_bins(index, [0, 1, 2]).abs()
        loud = full > 1e-3 * full.amax()
        for own, whole, there in zip(drawn, full, loud, strict=True):
            ratio = (own[there] / whole[there]).double()
            assert float(ratio.std()) < 1e-3
            volumes.append(round(float(ratio.mean()), 3))
    told = [
        numpy_generator("volume", ("excerpts", 0, "E-GMD/train", name), index).random(
            (n, 1, 1), dtype=np.float32
        )
        for index in range(4)
        for name, n in (("URMP/train", 2), ("NSynth/train", 1))
    ]
    assert volumes == pytest.approx(np.concatenate(told).ravel().tolist(), abs=2e-3)
    assert all(0 <= volume < 1 for volume in volumes)
    assert len(set(volumes)) == 12  # of every batch, set and excerpt another
    assert max(volumes) - min(volumes) > 0.5


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_drums_are_as_loud_as_views_are_strong(brief, sets, strength):
    weak = brief.replace({"objectives.view_strength": strength})
    makers = [BatchMaker(c, sets, HCQT(c.geometry), EVERYTHING, "cpu") for c in (brief, weak)]
    whole, half = (maker._drum_bins(0, [0, 1, 2]).abs() for maker in makers)
    torch.testing.assert_close(half, strength * whole)
    assert makers[1](0).strength == strength


def test_drums_are_drawn_for_every_set_by_itself(brief, sets):
    maker = BatchMaker(brief, sets, HCQT(brief.geometry), EVERYTHING, "cpu")
    own, added = (source.drums for source in maker._sources)
    assert own.identity != added.identity
    drawn = [
        [(track, e.start) for index in range(8) for track, e in drums.batch(index, 2)]
        for drums in (own, added)
    ]
    assert drawn[0] != drawn[1]


def test_only_what_is_needed_is_made(brief, sets):
    hcqt = HCQT(brief.geometry)
    bare = BatchMaker(brief, sets, hcqt, frozenset(), "cpu")(3)
    assert (bare.percussive, bare.mixture, bare.rms) == (None, None, None)
    maker = BatchMaker(brief, sets, hcqt, EVERYTHING, "cpu")
    batch = maker(3)
    drawn = [e for s in maker._sources for _, e in s.excerpts.batch(3, s.count)]
    assert batch.rms is not None
    assert torch.equal(batch.rms, frame_rms(maker._stack(drawn), brief.geometry.hop_length))
    assert batch.rms.max() > 0
    assert torch.equal(batch.features, bare.features)


def test_what_excerpts_are_drawn_by(brief, sets):
    """Every stored number depends on it. Labelled sets begin each epoch with a fresh batch."""
    maker = BatchMaker(brief, sets, HCQT(brief.geometry), EVERYTHING, "cpu")
    drawn = [s.excerpts for s in maker._sources]
    assert [e.identity for e in drawn] == [
        ("excerpts", 0, "URMP/train", ""),
        ("excerpts", 0, "NSynth/train", ""),
    ]
    assert [e.drop_incomplete for e in drawn] == [True, False]
    assert not any(s.drums.drop_incomplete for s in maker._sources)


def test_nothing_sounds_in_the_zeros_around_a_short_track(brief):
    """A track of half a second, in an excerpt that begins a quarter of a second before it."""
    g = brief.geometry
    note = NoteAnnotation(np.array([0.0]), np.array([9.0]), g.bin_frequencies[[50]])
    times = frame_times(g.excerpt_frames, g.hop_length, g.sample_rate)
    start, length = -g.sample_rate // 4, g.sample_rate // 2
    target = excerpt_target(note, start, times, length, brief)
    assert target.shape == (g.n_bins, g.excerpt_frames)
    expected = (times >= 0.25) & (times <= 0.75)
    assert expected.any()
    assert (target[50] == expected).all()


def test_every_excerpt_is_named_by_its_set(brief, sets):
    assert make_batch(brief, sets).sets == ("URMP/train", "URMP/train", "NSynth/train")


def test_a_mixture_is_that_of_the_summed_audio(brief, sets):
    maker = BatchMaker(brief, sets, HCQT(brief.geometry), EVERYTHING, "cpu")
    drawn = [e for _, e in maker._sources[0].excerpts.batch(3, 2)]
    audio = torch.from_numpy(drawn[0].samples + drawn[1].samples)[None, None]
    mixture = make_batch(brief, sets).mixture
    expected = maker._features(maker.hcqt.distinct(audio))
    loud = expected > 0.2
    torch.testing.assert_close(mixture[:1][loud], expected[loud], atol=1e-3, rtol=0)


def test_targets_line_up_with_features(brief, sets):
    """Where the truth has a pitch, the first harmonic has more energy than elsewhere."""
    batch = make_batch(brief.replace({"data.labelled_excerpts": 8}), sets)
    first = batch.features[: batch.n_labelled, brief.geometry.harmonics.index(1.0)]
    on, off = first[batch.target > 0.9], first[batch.target == 0]
    assert len(on) > 300
    assert on.mean() > off.mean() + 0.2
    shifted = torch.roll(batch.target, 11, dims=2)
    assert on.mean() > first[shifted > 0.9].mean() + 0.02
