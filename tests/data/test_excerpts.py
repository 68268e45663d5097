"""Excerpts: where they come from, and that nothing but their identity decides which."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.excerpts import Excerpt, ExcerptSampler, draw_excerpt
from ssmpe.data.store.audio_store import AudioStore

N_TRACKS = 7
LENGTH = 400


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AudioStore:
    """Store seven tracks, the first shorter than an excerpt."""
    folder: Path = tmp_path_factory.mktemp("tracks")
    tracks = []
    for i in range(N_TRACKS):
        ramp = np.arange(1, 300 + 200 * i) / 4000
        soundfile.write(folder / f"{i}.wav", ramp, 22_050, subtype="FLOAT")
        tracks.append(Track("Ramps", str(i), folder / f"{i}.wav"))
    return AudioStore.open(tracks, folder, folder / "cache", 22_050, skip_bad=False)


def sampler(store: AudioStore, *, drop: bool, seed: int = 0) -> ExcerptSampler:
    return ExcerptSampler(store, LENGTH, ("test", seed), drop_incomplete=drop)


def same(a: tuple[int, Excerpt], b: tuple[int, Excerpt]) -> bool:
    return (
        a[0] == b[0]
        and a[1].start == b[1].start
        and bool(np.array_equal(a[1].samples, b[1].samples))
    )


def draw(audio: np.ndarray, n_samples: int, rng: np.random.Generator) -> Excerpt:
    return draw_excerpt(lambda start, stop: audio[start:stop], len(audio), n_samples, rng)


# --- one excerpt ------------------------------------------------------------------------------


@given(n=st.integers(1, 50), length=st.integers(1, 50), seed=st.integers(0, 10**6))
def test_excerpt_is_a_stretch_of_the_track_padded_with_zeros(
    n: int, length: int, seed: int
) -> None:
    audio = np.arange(1, n + 1, dtype=np.float32)
    excerpt = draw(audio, length, np.random.default_rng(seed))
    assert excerpt.samples.shape == (length,)
    assert excerpt.samples.dtype == np.float32
    # sample s of the track is the number s + 1
    positions = excerpt.start + np.arange(length)
    inside = (positions >= 0) & (positions < n)
    assert np.array_equal(excerpt.samples, np.where(inside, positions + 1, 0))
    assert inside.sum() == min(n, length)


@pytest.mark.parametrize(("n", "starts"), [(14, range(5)), (10, range(1)), (6, range(-4, 1))])
def test_starts_are_uniform_both_ends_included(n: int, starts: range) -> None:
    rng = np.random.default_rng(0)
    audio = np.ones(n, np.float32)
    draws = 4000
    counts = Counter(draw(audio, 10, rng).start for _ in range(draws))
    assert sorted(counts) == list(starts)
    expected = draws / len(starts)
    chi_squared = sum((c - expected) ** 2 / expected for c in counts.values())
    assert chi_squared < 20  # 99.95 % quantile of 4 degrees of freedom


def test_excerpt_does_not_share_memory_with_the_track() -> None:
    audio = np.ones(10, np.float32)
    draw(audio, 5, np.random.default_rng(0)).samples[:] = 0
    assert audio.all()


# --- batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("drop", [True, False])
def test_batch_depends_on_its_index_alone(store: AudioStore, drop: bool) -> None:
    one, other = sampler(store, drop=drop), sampler(store, drop=drop)
    forwards = [one.batch(i, 3) for i in range(6)]
    backwards = [other.batch(i, 3) for i in reversed(range(6))][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert all(map(same, a, b))


@pytest.mark.parametrize("drop", [True, False])
def test_another_identity_draws_otherwise(store: AudioStore, drop: bool) -> None:
    a = [x for i in range(4) for x in sampler(store, drop=drop, seed=0).batch(i, 3)]
    b = [x for i in range(4) for x in sampler(store, drop=drop, seed=1).batch(i, 3)]
    assert [t for t, _ in a] != [t for t, _ in b]
    assert [e.start for _, e in a] != [e.start for _, e in b]


def test_excerpts_come_from_the_track_they_name(store: AudioStore) -> None:
    for index, excerpt in sampler(store, drop=False).batch(0, 20):
        audio = store.audio(index)
        begin, end = max(excerpt.start, 0), min(excerpt.start + LENGTH, len(audio))
        inside = excerpt.samples[begin - excerpt.start : end - excerpt.start]
        assert np.array_equal(inside, audio[begin:end])


def test_epoch_is_one_excerpt_per_track_the_incomplete_batch_dropped(store: AudioStore) -> None:
    batches = sampler(store, drop=True)
    left_out: list[int] = []
    for epoch in range(12):
        used = [t for i in (0, 1) for t, _ in batches.batch(2 * epoch + i, 3)]
        assert len(set(used)) == 6
        assert used == batches.epoch_order(epoch)[:6].tolist()
        left_out += set(range(N_TRACKS)) - set(used)
    assert len(set(left_out)) > 3  # a different track each time


def test_unlabelled_batches_run_on_through_permutations(store: AudioStore) -> None:
    small = [x for i in range(14) for x in sampler(store, drop=False).batch(i, 2)]
    for epoch in range(4):
        assert {t for t, _ in small[7 * epoch : 7 * epoch + 7]} == set(range(N_TRACKS))
    # the sequence is the same however it is cut, batches larger than the set included
    large = [x for i in range(2) for x in sampler(store, drop=False).batch(i, 14)]
    assert all(map(same, small, large))


def test_every_epoch_has_an_order_and_starts_of_its_own(store: AudioStore) -> None:
    batches = sampler(store, drop=True)
    orders = {tuple(batches.epoch_order(epoch)) for epoch in range(10)}
    starts = {e.start for epoch in range(10) for t, e in batches.batch(epoch, 7) if t == 6}
    assert len(orders) > 8  # two may well be the same
    assert len(starts) > 8


def test_batch_larger_than_a_labelled_set_draws_its_tracks_again(store: AudioStore) -> None:
    drawn = [x for i in range(7) for x in sampler(store, drop=True).batch(i, 8)]
    for epoch in range(8):
        assert {t for t, _ in drawn[7 * epoch : 7 * epoch + 7]} == set(range(N_TRACKS))
    starts = {e.start for t, e in drawn if t == 6}
    assert len(starts) > 4  # the same tracks, but other stretches of them
