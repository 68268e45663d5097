"""A part of a set that is no longer than so many hours."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpe.data import cap
from ssmpe.data.cap import capped
from ssmpe.data.datasets.dataset import Track

SECONDS = [0.5 * i for i in range(1, 21)]
ALL = sum(SECONDS) / 3600
"""hours"""


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Track, ...]:
    """Write twenty tracks of known lengths, two of them stretches of longer files, two of none."""
    folder: Path = tmp_path_factory.mktemp("set")
    made = []
    for i, seconds in enumerate(SECONDS):
        path = folder / f"{i:02d}.wav"
        stretch = (1.0, seconds) if i % 10 == 3 else (0.0, None)
        soundfile.write(path, np.zeros(round((seconds + 2 * stretch[0]) * 1000)), 1000)
        made.append(Track("Set", path.stem, path, *stretch))
    (folder / "bad.wav").write_text("no audio")
    made.append(Track("Set", "bad", folder / "bad.wav"))
    made.append(Track("Set", "missing", folder / "missing.wav"))
    return tuple(made)


def hours(tracks: tuple[Track, ...]) -> float:
    return sum(SECONDS[int(t.name)] for t in tracks if t.name.isdigit()) / 3600


@settings(max_examples=30)
@given(limit=st.floats(0.0001, 1.2 * ALL), at_once=st.integers(1, 30))
def test_cap_is_reached_by_the_last_track_drawn(
    tracks: tuple[Track, ...], limit: float, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cap, "_AT_ONCE", at_once)
        drawn = capped(tracks, limit)
    assert drawn == tuple(sorted(drawn, key=lambda track: track.name))
    assert set(drawn) <= set(tracks)
    if len(drawn) < len(tracks):
        assert limit - 1e-9 <= hours(drawn) < limit + max(SECONDS) / 3600
    else:
        assert hours(drawn) == pytest.approx(ALL)


@settings(max_examples=30)
@given(
    limits=st.tuples(st.floats(0, 1.2 * ALL), st.floats(0, 1.2 * ALL)).map(sorted),
    order=st.permutations(range(len(SECONDS) + 2)),
)
def test_larger_cap_contains_a_smaller_one_in_whatever_order_tracks_are_listed(
    tracks: tuple[Track, ...], limits: list[float], order: list[int]
) -> None:
    small, large = capped(tracks, limits[0]), capped([tracks[i] for i in order], limits[1])
    assert set(small) <= set(large)
    assert capped([tracks[i] for i in order], limits[0]) == small


def test_draw_is_not_that_of_the_listing_and_another_for_another_set(
    tracks: tuple[Track, ...],
) -> None:
    other = [Track("Other", *(t.name, t.audio, t.start, t.seconds)) for t in tracks]
    names = [[t.name for t in capped(some, ALL / 2)] for some in (tracks, other)]
    assert names[0] != [t.name for t in tracks[: len(names[0])]]
    assert names[0] != names[1]


def test_unreadable_tracks_are_left_for_decoding_to_report(tracks: tuple[Track, ...]) -> None:
    assert capped(tracks, 2 * ALL) == tracks
    assert capped(tracks[-2:], 1.0) == tracks[-2:]
