"""Notes of saliences: by hand, in any pieces, and what no notes ever are."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssmpe.config import GeometryConfig
from ssmpe.config.presets import tiny
from ssmpe.signal.features import DYNAMIC_RANGE
from ssmpe.signal.notes import NoteRule, Notes, NoteTracker, Semitones, rule_of
from ssmpe.units import hz_to_midi

RATE = 10.0
EVERY = NoteRule(on=0.0, off=0.0, least=1e-6, gap=0.0, strike=1000.0)
"""Whatever reaches the threshold is a note"""
SEMITONES = Semitones(tiny().geometry)


def odds(salience: float) -> float:
    return math.log(salience / (1 - salience))


def notes_of(
    heights: Mapping[int, Sequence[float]],
    rule: NoteRule = EVERY,
    levels: Mapping[int, Sequence[float]] | None = None,
    cuts: tuple[int, ...] = (),
    threshold: float = 0.5,
) -> Notes:
    """Make notes of the largest peaks of semitones, by MIDI number, at ten frames a second.

    Args:
        levels: dB of the first harmonic, where it is not constant.
        cuts: frames before which a new piece begins.
    """
    n_frames = len(next(iter(heights.values())))
    values = np.full((2, len(SEMITONES.pitches), n_frames), -1.0, np.float32)
    values[1] = 0.5
    for pitch, row in heights.items():
        values[0, SEMITONES.pitches == pitch] = row
    for pitch, row in (levels or {}).items():
        values[1, SEMITONES.pitches == pitch] = 1 + np.array(row) / DYNAMIC_RANGE
    tracker = NoteTracker(SEMITONES, RATE, threshold, rule)
    for part in np.split(values, cuts, axis=-1):
        tracker.add(part)
    return tracker.notes()


def found(notes: Notes) -> list[tuple[int, float, float]]:
    """Pitch, onset and offset in frames."""
    times = np.round(np.stack([notes.onsets, notes.offsets], axis=1) * RATE, 4)
    return [(p, *t) for p, t in zip(notes.pitches.tolist(), times.tolist(), strict=True)]


def test_times_are_where_the_salience_passes_the_thresholds():
    """On a straight line between frames; with no peak in a frame, on one from 0."""
    #              0    1    2    3    4
    row = {60: [0.0, 0.4, 0.8, 0.6, 0.1], 64: [-1.0, -1.0, 1.0, -1.0, -1.0]}
    assert found(notes_of(row)) == [(60, 1.25, 3.2), (64, 1.5, 2.5)]
    # a higher threshold on, a lower one off: 0.7 and 0.3
    rule = NoteRule(on=odds(0.7), off=odds(0.3), least=1e-6, strike=1000.0)
    assert found(notes_of(row, rule)) == [(64, 1.7, 2.7), (60, 1.75, 3.6)]


def test_a_note_goes_on_above_the_lower_threshold_and_needs_the_higher_one():
    row = {60: [0.0, 0.4, 0.4, 0.0, 0.4, 0.6, 0.4, 0.4, 0.0, 0.6, 0.0]}
    rule = NoteRule(on=0.0, off=odds(0.3), least=1e-6, strike=1000.0)
    assert found(notes_of(row, rule)) == [(60, 4.5, 7.25), (60, 8.8333, 9.5)]


def test_thresholds_follow_that_of_pitches():
    rule = NoteRule(on=odds(0.7), off=odds(0.3))
    assert rule.thresholds(0.5) == pytest.approx((0.7, 0.3))
    # odds of 1 : 99 times those of 0.7 and of 0.3
    assert rule.thresholds(0.01) == pytest.approx((7 / 304, 3 / 696))
    assert rule.thresholds(0.0) == (0.0, 0.0)
    assert rule.thresholds(1.0) == (1.0, 1.0)
    assert NoteRule(on=50.0, off=-50.0).thresholds(1.0) == (1.0, 1.0)
    assert NoteRule(on=50.0, off=-50.0).thresholds(0.5) == pytest.approx((1.0, 0.0))


def test_gaps_are_closed_and_short_notes_left_out():
    row = {60: [0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0], 72: [0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0]}
    assert found(notes_of(row)) == [
        *((60, 0.5, 2.5), (72, 2.5, 3.5), (60, 3.5, 5.5)),
        *((60, 7.5, 8.5), (72, 8.5, 10.5)),
    ]
    closed = NoteRule(0.0, 0.0, 1e-6, 0.1, 1000.0)
    assert found(notes_of({60: row[60]}, closed)) == [(60, 0.5, 5.5), (60, 7.5, 8.5)]
    both = NoteRule(0.0, 0.0, 0.15, 0.2, 1000.0)
    assert found(notes_of(row, both)) == [(60, 0.5, 8.5), (72, 8.5, 10.5)]


def test_a_rise_of_the_signal_strikes_a_note_again():
    row = {60: [0, 1, 1, 1, 1, 0.9, 1, 1, 1, 0]}
    quiet = [-40, -10, -12, -14, -16, -8, -6, -9, -11, -20]
    rule = NoteRule(0.0, 0.0, 1e-6, 0.5, strike=7.0)
    # from -14 to -8: 6 dB, no strike; from -16 to -6: 10 dB, the steepest, in frame 5
    assert found(notes_of(row, rule, {60: quiet})) == [(60, 0.5, 4.5), (60, 4.5, 8.5)]
    assert found(notes_of(row, EVERY, {60: quiet})) == [(60, 0.5, 8.5)]
    # that of another semitone strikes nothing
    assert found(notes_of(row, rule, {61: quiet})) == [(60, 0.5, 8.5)]
    # a gap is not closed where the second note is struck
    broken = {60: [0, 1, 1, 1, 0, 1, 1, 1, 1, 0]}
    assert found(notes_of(broken, rule)) == [(60, 0.5, 8.5)]
    assert found(notes_of(broken, rule, {60: quiet})) == [(60, 0.5, 3.5), (60, 4.5, 8.5)]


def test_a_note_is_as_loud_as_its_loudest_frame():
    row = {60: [0, 1, 1, 0, 1, 1], 67: [0, 0, 0, 0, 0, 1]}
    levels = {60: [0, -40, -20, 0, -60, -80], 67: [0, 0, 0, 0, 0, -79]}
    for cuts in ((), (1,), (2,), (3, 5)):
        notes = notes_of(row, EVERY, levels, cuts)
        assert notes.levels == pytest.approx([0.75, 0.25, 0.0125], abs=1e-6)


def test_notes_at_either_end_begin_and_end_there():
    row = {60: [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]}
    assert found(notes_of(row)) == [(60, 0.0, 1.5), (60, 2.5, 5.0)]
    assert found(notes_of({60: [1.0]})) == []


def test_nothing_is_no_note():
    tracker = NoteTracker(SEMITONES, RATE, 0.5, EVERY)
    assert len(tracker.notes()) == 0
    tracker.add(np.empty((2, len(SEMITONES.pitches), 0), np.float32))
    assert len(tracker.notes()) == 0
    assert len(notes_of({60: [0.0] * 9}, threshold=0.1)) == 0
    # at a threshold of 0, every peak is one, and what is none is not
    assert found(notes_of({60: [-1, 0, 0.2, -1, -1]}, threshold=0.0)) == [(60, 0.0, 3.0)]


def test_semitones_are_those_of_midi(geometry: GeometryConfig):
    """Half a semitone above belongs to the next, in all of them; MIDI ends at 0 and 127."""
    semitones = Semitones(geometry)
    salience = torch.zeros(geometry.n_bins, 1)
    midi = hz_to_midi(geometry.bin_frequencies)
    for k in range(geometry.n_bins):
        salience.zero_()[k] = 0.9
        values = semitones.of(salience, salience / 2)
        (row,) = np.flatnonzero(values[0, :, 0] > 0.5)
        assert semitones.pitches[row] == math.floor(midi[k] + 0.5 + 1e-6)
        assert (values[1, row, 0], (values[0] < 0).sum()) == (
            np.float32(0.45),
            len(semitones.pitches) - 1,
        )
    # between two semitones, at the top of the parabola: nearer to that of the stronger neighbour
    between = int(np.flatnonzero(np.isclose(midi % 1, 0.5))[7])
    for below, above, nearest in ((0.5, 0.3, -1), (0.3, 0.5, 1), (0.4, 0.4, 1)):
        salience.zero_()[between - 1 : between + 2, 0] = torch.tensor([below, 0.9, above])
        (row,) = np.flatnonzero(semitones.of(salience, salience)[0, :, 0] > 0.5)
        assert semitones.pitches[row] == midi[between] + nearest / 2
    wide = GeometryConfig(fmin=4.0, n_bins=144, bins_per_octave=12, harmonics=(1.0,))
    outside = hz_to_midi(wide.bin_frequencies)
    assert (outside.min(), outside.max()) < (0, 127)
    assert Semitones(wide).pitches.min() >= 0
    high = GeometryConfig(
        sample_rate=96_000, fmin=14_000.0, n_bins=46, bins_per_octave=60, harmonics=(1.0,)
    )
    nothing = Semitones(high)
    values = nothing.of(torch.ones(46, 3), torch.ones(46, 3))
    tracker = NoteTracker(nothing, RATE, 0.5, EVERY)
    tracker.add(values)
    assert len(tracker.notes()) == 0


def test_the_signal_is_a_second_opinion(geometry: GeometryConfig):
    """Logits of both add up; at 16 dB below the maximum, the signal has none."""
    semitones, salience = Semitones(geometry), torch.zeros(geometry.n_bins, 3)
    level = torch.full_like(salience, 0.8)
    salience[80], level[80, 1], level[80, 2] = 0.4, 1.0, 0.0
    rows = semitones.of(salience, level, 10.0)[0].max(axis=0)
    expected = [0.4, 0.4 * math.exp(2) / (0.6 + 0.4 * math.exp(2))]
    assert rows[:2] == pytest.approx(expected, rel=1e-5)
    assert rows[2] < 0.001
    assert np.array_equal(semitones.of(salience, level, 0.0), semitones.of(salience, level))


RULES = st.builds(
    lambda on, below, least, gap, strike: NoteRule(on, on - below, least, gap, strike),
    st.floats(-1, 1),
    st.floats(0, 2),
    st.floats(0.01, 0.4),
    st.floats(0, 0.4),
    st.floats(1, 40),
)


@given(st.integers(0, 2**32), st.integers(1, 60), RULES, st.lists(st.integers(0, 60), max_size=4))
def test_what_no_notes_are(seed, n_frames, rule, cuts):
    """Cut differently, overlapping within a pitch, too short, or outside the recording."""
    rng = np.random.default_rng(seed)
    values = rng.random((2, len(SEMITONES.pitches), n_frames), np.float32)
    values[0] = np.where(values[0] < 0.3, -1.0, values[0])
    tables = []
    for parts in (sorted(cuts), []):
        tracker = NoteTracker(SEMITONES, RATE, 0.5, rule)
        for part in np.split(values, parts, axis=-1):
            tracker.add(part)
        notes = tracker.notes()
        tables.append(np.stack([notes.pitches, notes.onsets, notes.offsets, notes.levels]))
    assert np.array_equal(tables[0], tables[1])
    assert (notes.offsets - notes.onsets >= rule.least).all()
    assert ((notes.onsets >= 0) & (notes.offsets <= (n_frames - 1) / RATE)).all()
    assert ((notes.levels >= 0) & (notes.levels <= 1)).all()
    order = np.lexsort((notes.onsets, notes.pitches))
    same = np.diff(notes.pitches[order]) == 0
    assert (notes.onsets[order][1:] >= notes.offsets[order][:-1])[same].all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"on": "0"}, "no number"),
        ({"strike": True}, "no number"),
        ({"off": float("nan")}, "beyond bounds"),
        ({"on": 51.0}, "beyond bounds"),
        ({"gap": 1e300}, "beyond bounds"),
        ({"off": 1.0}, "off <= on"),
        ({"least": 0.0}, "least > 0"),
        ({"gap": -0.1}, "gap >= 0"),
        ({"signal": -1.0}, "signal >= 0"),
        ({"more": 1.0}, "no rule of notes"),
    ],
)
def test_rules_that_are_none(change, said):
    plain = {"on": 0.0, "off": -0.5, "least": 0.1, "gap": 0.0, "strike": 7.0, "signal": 0.0}
    assert rule_of(plain) == NoteRule(least=0.1)
    assert rule_of(None) is None
    with pytest.raises(ValueError, match=said):
        rule_of({**plain, **change})
    with pytest.raises(ValueError, match="no rule of notes"):
        rule_of([1])
