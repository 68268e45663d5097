"""What is labelled of a trial's data: fewer tracks, other sets, and a share of the added ones."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch

from ssmpe import units
from ssmpe.config import TrialConfig
from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.data.excerpts import ExcerptSampler
from ssmpe.data.sets import LoadedSet, Sets, load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.objectives import Batch, Step
from ssmpe.seeding import torch_generator
from ssmpe.signal.features import scaled_decibels
from ssmpe.signal.hcqt import HCQT
from ssmpe.training.batches import BatchMaker, excerpt_target
from ssmpe.training.trainer import Trainer

ADDED = {"data.added": {"MusicNet/train": 3, "NSynth/train": 2}}
SHARE = "data.labelled_share.MusicNet/train"
NEEDS = frozenset({"percussive", "rms"})


@pytest.fixture(scope="module")
def open_sets(world) -> Callable[[TrialConfig], Sets]:
    return lambda config: load_sets(
        config.data, config.geometry.sample_rate, Locations(world), cache_dir()
    )


@pytest.fixture(scope="module")
def base(brief) -> TrialConfig:
    return brief.replace(ADDED)


def batches(config: TrialConfig, sets: Sets, n: int = 6) -> list[Batch]:
    make = BatchMaker(config, sets, HCQT(config.geometry), NEEDS, "cpu")
    return [make(i) for i in range(n)]


def drawn(config: TrialConfig, source: LoadedSet, count: int, index: int):
    """Return a set's excerpts of a batch, without what makes batches."""
    identity = ("excerpts", config.training.seed, source.name, "")
    labelled = source.name == config.data.labelled
    sampler = ExcerptSampler(
        source.store, config.geometry.excerpt_samples, identity, drop_incomplete=labelled
    )
    return [(source, track, excerpt) for track, excerpt in sampler.batch(index, count)]


def all_drawn(config: TrialConfig, sets: Sets, index: int):
    """Return those of the labelled set, then of the added ones by name."""
    excerpts = drawn(config, sets.labelled, config.data.labelled_excerpts, index)
    for source in sets.added:
        excerpts += drawn(config, source, config.data.added[source.name], index)
    return excerpts


def features(config: TrialConfig, excerpts) -> torch.Tensor:
    hcqt = HCQT(config.geometry)
    audio = torch.from_numpy(np.stack([e.samples for _, _, e in excerpts]))[:, None]
    return hcqt.gather(scaled_decibels(hcqt.distinct(audio)))


def targets(config: TrialConfig, excerpts) -> torch.Tensor:
    g = config.geometry
    times = units.frame_times(g.excerpt_frames, g.hop_length, g.sample_rate)
    return torch.from_numpy(
        np.stack(
            [
                excerpt_target(s.annotations[i], e.start, times, s.store.n_samples(i), config)
                for s, i, e in excerpts
            ]
        )
    )


# --- batches ----------------------------------------------------------------------------------


def test_without_shares_a_batch_is_the_sets_one_after_the_other_bit_for_bit(base, open_sets):
    sets = open_sets(base)
    for index, batch in enumerate(batches(base, sets, 3)):
        excerpts = all_drawn(base, sets, index)
        assert batch.sets == tuple(source.name for source, _, _ in excerpts)
        assert batch.n_labelled == base.data.labelled_excerpts
        assert torch.equal(batch.features, features(base, excerpts))
        assert torch.equal(batch.target, targets(base, excerpts[: batch.n_labelled]))


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_excerpts_of_labelled_tracks_come_first_with_their_targets(base, open_sets, share):
    config = base.replace({SHARE: share})
    sets = open_sets(config)
    added = next(s for s in sets.added if s.name == "MusicNet/train")
    chosen = added.labelled_tracks(share)
    assert len(chosen) == round(share * 40)
    found = batches(config, sets)
    for index, batch in enumerate(found):
        excerpts = all_drawn(config, sets, index)
        known = [s is sets.labelled or (s is added and i in chosen) for s, i, _ in excerpts]
        first = [x for x, is_known in zip(excerpts, known, strict=True) if is_known]
        rest = [x for x, is_known in zip(excerpts, known, strict=True) if not is_known]
        assert batch.n_labelled == len(first)
        assert batch.sets == tuple(s.name for s, _, _ in first + rest)
        assert torch.equal(batch.target, targets(config, first))
        assert torch.equal(batch.features, features(config, first + rest))
    counts = {batch.n_labelled for batch in found}
    assert (counts == {5}) if share == 1 else (len(counts) > 1)


def test_labels_change_the_order_of_excerpts_alone(base, open_sets):
    """Drums and their volumes go with the excerpt they are mixed with."""
    config = base.replace({SHARE: 0.3})
    plain, labelled = batches(base, open_sets(base)), batches(config, open_sets(config))
    moved = 0
    for a, b in zip(plain, labelled, strict=True):
        assert a.percussive is not None
        assert b.percussive is not None
        assert a.rms is not None
        assert b.rms is not None
        place = {row.numpy().tobytes(): i for i, row in enumerate(a.rms)}
        order = [place[row.numpy().tobytes()] for row in b.rms]
        assert sorted(order) == list(range(7))
        moved += order != sorted(order)
        assert torch.equal(b.target[:2], a.target)
        for x, y in ((a.features, b.features), (a.percussive, b.percussive)):
            # rows of a batch in another order: equal but for rounding near the floor
            loud = x[order] > 0.2
            torch.testing.assert_close(y[loud], x[order][loud], atol=1e-4, rtol=0)
        assert tuple(a.sets[i] for i in order) == b.sets
    assert moved


def test_targets_of_added_excerpts_line_up_with_what_sounds(base, open_sets):
    """Where the truth has a pitch, the first harmonic has more energy than elsewhere."""
    config = base.replace({SHARE: 1.0})
    on, off = [], []
    for batch in batches(config, open_sets(config)):
        first = batch.features[2:5, config.geometry.harmonics.index(1.0)]
        assert batch.sets[2:5] == ("MusicNet/train",) * 3
        on.append(first[batch.target[2:] > 0.9])
        off.append(first[batch.target[2:] == 0])
    assert torch.cat(on).mean() > torch.cat(off).mean() + 0.2


# --- which tracks -----------------------------------------------------------------------------


def names(source: LoadedSet, share: float) -> set[str]:
    return {source.store.tracks[i].name for i in source.labelled_tracks(share)}


def test_shares_are_nested_and_of_one_track_at_least(base, open_sets):
    (added, _) = open_sets(base.replace({SHARE: 1.0})).added
    parts = [names(added, share) for share in (0.001, 0.05, 0.2, 0.5, 1.0)]
    assert [len(part) for part in parts] == [1, 2, 8, 20, 40]
    assert all(small < large for small, large in pairwise(parts))


def test_fewer_tracks_are_part_of_more_and_annotated_alike(brief, open_sets):
    held: list[dict[str, object]] = []
    for count in (1, 3, 20):
        own = open_sets(brief.replace({"data.max_tracks.URMP/train": count})).labelled
        held.append(dict(zip((t.name for t in own.store.tracks), own.annotations, strict=True)))
        assert len(held[-1]) == count
    whole = open_sets(brief).labelled
    annotations = dict(zip((t.name for t in whole.store.tracks), whole.annotations, strict=True))
    for fewer, more in zip(held, [*held[1:], annotations], strict=True):
        assert fewer.keys() < more.keys()
        assert all(repr(fewer[name]) == repr(more[name]) for name in fewer)


def test_a_set_smaller_than_a_batch_fills_it(brief, open_sets):
    config = brief.replace(
        {"data.max_tracks": {"URMP/train": 2, "NSynth/train": 1}, "data.labelled_excerpts": 5}
    )
    for batch in batches(config, open_sets(config), 3):
        assert batch.sets == ("URMP/train",) * 5 + ("NSynth/train",)
        assert len({target.numpy().tobytes() for target in batch.target}) == 5


def test_a_cap_on_tracks_and_one_on_hours_draw_in_one_order(brief, open_sets):
    hours = brief.replace({"data.max_hours.URMP/train": 0.02})
    own = open_sets(hours).labelled
    n = len(own.store)
    assert 1 < n < 35
    both = [
        open_sets(hours.replace({"data.max_tracks.URMP/train": count})).labelled.store
        for count in (n - 1, n + 1)
    ]
    assert [len(store) for store in both] == [n - 1, n]
    assert {t.name for t in both[0].tracks} < {t.name for t in own.store.tracks}


def test_urmp_is_divided_by_instruments(world):
    where = Locations(world)
    families = ("strings", "winds", "brass", "mixed")
    parts = {f: resolve(f"URMP/train-{f}", where).tracks for f in families}
    assert [len(tracks) for tracks in parts.values()] == [5, 10, 7, 13]
    together = sorted((t for tracks in parts.values() for t in tracks), key=lambda t: t.name)
    assert tuple(together) == resolve("URMP/train", where).tracks
    players = {f: {c for t in part for c in t.name.split("_")[2:]} for f, part in parts.items()}
    assert players["strings"] == {"vn", "va", "vc", "db"}
    assert players["winds"] == {"fl", "ob", "cl", "bn", "sax"}
    assert players["brass"] == {"tpt", "hn", "tbn", "tba"}
    assert all(players[f] & players["mixed"] for f in families)


def test_players_of_guitarset_are_apart(world):
    others = resolve("GuitarSet/00-04", Locations(world)).tracks
    evaluated = resolve("GuitarSet/05", Locations(world)).tracks
    assert {t.name.split("_")[0] for t in others} == {"00", "02"}
    assert not {t.audio for t in others} & {t.audio for t in evaluated}


def test_labels_that_a_set_has_not_are_asked_for_in_vain(brief, open_sets):
    config = brief.replace({"data.added": {"FMA/train": 2}, "data.labelled_share.FMA/train": 0.5})
    with pytest.raises(UserError, match=r"data.labelled_share.FMA/train = 0.5: .* no annotation"):
        open_sets(config)


# --- training ---------------------------------------------------------------------------------


def test_a_trial_with_shares_trains_and_its_losses_are_means_of_the_batches_that_have_them(
    base, open_sets
):
    """Terms on content see what is left without labels; where nothing is, they are skipped."""
    config = base.replace({"data.added": {"MusicNet/train": 1}, SHARE: 0.5}).replace(
        {
            "objectives.weights": {"supervised": 1.0, "percussion": 0.25, "energy": 0.1},
            "training.validate_every": 6,
            "training.learning_rate": 1e-12,  # so that every batch meets the network of the start
            "data.validation": "NSynth/valid",
        }
    )
    sets = open_sets(config)
    trainer = Trainer(config, sets)
    expected: dict[str, list[float]] = {"supervised": [], "energy": []}
    for batch in map(trainer.batches, range(6)):
        with torch.no_grad():
            _, values = trainer.loss(Step(trainer.network, batch, torch_generator))
        assert ("energy" in values) == (batch.n_labelled == 2)
        for name in expected:
            expected[name] += [float(values[name])] if name in values else []
    assert 0 < len(expected["energy"]) < len(expected["supervised"]) == 6
    (validation,) = trainer.run()
    assert all(math.isfinite(loss) for loss in validation.losses.values())
    for name, losses in expected.items():
        assert validation.losses[name] == pytest.approx(sum(losses) / len(losses), rel=1e-4)
