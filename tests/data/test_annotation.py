"""What is active when, and whether that fits the audio."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpe.data.datasets.nsynth import sounding
from ssmpe.data.files.annotation import FrameAnnotation, MultiPitch, NoteAnnotation, check_fit
from ssmpe.errors import DataError


def test_nearest_frame_is_taken_and_the_ends_are_held() -> None:
    annotation = FrameAnnotation.from_parts(
        np.array([1.0, 2.0, 4.0]), np.array([[100.0, 0.0, 300.0]])
    )
    # 1.5 and 3.0 lie halfway: the earlier frame counts
    times = np.array([-5.0, 1.0, 1.5, 1.51, 3.0, 3.01, 4.0, 99.0])
    assert [f.tolist() for f in annotation.at(times).f0s] == [
        [100.0], [100.0], [100.0], [], [], [300.0], [300.0], [300.0]
    ]  # fmt: skip


def test_single_frame_is_held_everywhere() -> None:
    annotation = FrameAnnotation.from_parts(np.array([1.0]), np.array([[50.0]]))
    assert [f.tolist() for f in annotation.at(np.array([0.0, 1.0, 2.0])).f0s] == [[50.0]] * 3


def test_unison_counts_twice() -> None:
    parts = FrameAnnotation.from_parts(np.array([0.0]), np.array([[440.0], [440.0], [0.0]]))
    assert parts.at(np.array([0.0])).f0s[0].tolist() == [440.0, 440.0]


@given(
    notes=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30), st.integers(21, 108))),
    start=st.integers(-10, 80),
    n=st.integers(0, 70),
)
def test_note_is_active_from_onset_to_before_offset(
    notes: list[tuple[int, int, int]], start: int, n: int
) -> None:
    onsets, lengths, f0s = np.array(notes, dtype=float).reshape(-1, 3).T
    annotation = NoteAnnotation(onsets / 8, (onsets + lengths) / 8, f0s)
    times = np.arange(start, start + n) / 8
    found = annotation.at(times).f0s
    assert len(found) == n
    for time, active in zip(times, found, strict=True):
        expected = f0s[(onsets / 8 <= time) & (time < (onsets + lengths) / 8)]
        assert sorted(active) == sorted(expected)


@pytest.mark.parametrize(
    ("times", "f0s"), [([0.0, 0.0], 2), ([1.0, 0.0], 2), ([0.0, 1.0], 1), ([0.0, np.nan], 2)]
)
def test_multi_pitch_rejects_times_that_do_not_increase_or_match(
    times: list[float], f0s: int
) -> None:
    with pytest.raises(ValueError, match="times"):
        MultiPitch(np.array(times), (np.empty(0),) * f0s)


def test_fit_allows_what_real_data_need_and_no_more() -> None:
    def frames(first: float, last: float) -> FrameAnnotation:
        return FrameAnnotation.from_parts(np.array([first, last]), np.zeros((1, 2)))

    check_fit(frames(0.0, 30.0), 30.0, "a")
    check_fit(frames(0.023, 30.0 + 2 * 256 / 44_100), 30.0, "a")  # GuitarSet's grid
    check_fit(frames(0.0, 30.409), 30.0, "a")  # its late annotations
    check_fit(frames(0.0, 5.0), 30.0, "a")
    check_fit(NoteAnnotation(np.empty(0), np.empty(0), np.empty(0)), 30.0, "a")
    for first, last in ((0.0, 31.1), (30.1, 30.2), (-1.1, 3.0)):
        with pytest.raises(DataError, match=f"a: .*{first:.3f} to {last:.3f} s .*30.000 s"):
            check_fit(frames(first, last), 30.0, "a")


@pytest.mark.parametrize("n", [1, 100, 64_000])
def test_silence_has_no_note(n: int) -> None:
    onsets, offsets = sounding(np.zeros(n, np.float32), 16_000, 27.5)
    assert len(onsets) == len(offsets) == 0


def test_note_that_returns_sounds_twice() -> None:
    times = np.arange(64_000) / 16_000
    tone = np.sin(2 * np.pi * 330 * times) * ((times < 1) | (times > 2))
    onsets, offsets = sounding(tone.astype(np.float32), 16_000, 27.5)
    assert onsets == pytest.approx([0.0, 2.0], abs=0.051)
    assert offsets == pytest.approx([1.0, 4.0], abs=0.051)
    assert offsets[-1] == 4.0
