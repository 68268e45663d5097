"""Scores, arrangements and performances: notes, ranges and times."""

from itertools import pairwise

import numpy as np
import pytest

from ssmpe.errors import DataError
from ssmpe.world.music.arrangement import arrange
from ssmpe.world.music.instruments import INSTRUMENTS
from ssmpe.world.music.scores import ScoreNote, corpus_root, read_score
from ssmpe.world.playing.performance import DAMPING, Touch, damped, perform, record
from ssmpe.world.sound.drums import KICK, PATTERNS, perform_pattern
from ssmpe.world.sound.sampler import PitchCurve
from ssmpe.world.writers.guitarset import FRETS, OPEN_STRINGS, on_strings

CHORALE = "bach/bwv269.mxl"
RAG = "joplin/maple_leaf_rag.mxl"
STRING_QUARTET = [
    (name, slice(i, i + 1)) for i, name in enumerate(("violin", "violin", "viola", "cello"))
]


@pytest.fixture(scope="module")
def chorale():
    return read_score(CHORALE)


def test_score_has_its_notes(chorale):
    """BWV 269 begins with a chord of G major; no part overlaps with itself."""
    assert len(chorale.parts) == 4
    assert [part[0].key for part in chorale.parts] == [67, 62, 59, 43]
    for part in chorale.parts:
        for note, following in pairwise(part):
            assert note.duration > 0
            assert note.onset + note.duration <= following.onset + 1e-9


def test_ties_are_joined():
    """As many onsets as music21 finds when it strips the ties itself."""
    from music21 import converter

    path = corpus_root() / "schumann_clara/polonaise_op1n1.mxl"
    stripped = converter.parse(path).parts[0].flatten().stripTies().notes
    expected = {(float(n.offset), p.midi) for n in stripped if n.quarterLength for p in n.pitches}
    (part, _) = read_score("schumann_clara/polonaise_op1n1.mxl").parts
    assert {(note.onset, note.key) for note in part} == expected


def test_missing_piece_is_named():
    with pytest.raises(DataError, match=r"bwv0\.mxl: missing"):
        read_score("bach/bwv0.mxl")


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_arrangement_stays_in_range_and_in_single_lines(chorale, name):
    instrument = INSTRUMENTS[name]
    rng = np.random.default_rng(3)
    arrangement = arrange(chorale, [(name, slice(0, 1)), (name, slice(3, 4))], 8.0, rng)
    for voice in arrangement.voices:
        assert all(instrument.low <= note.key <= instrument.high for note in voice.notes)
        assert len(voice.notes) >= 4
        if not instrument.chords:
            onsets = [note.onset for note in voice.notes]
            assert onsets == sorted(set(onsets))


def test_excerpt_lasts_as_long_as_asked(chorale):
    arrangement = arrange(chorale, STRING_QUARTET, 8.0, np.random.default_rng(0))
    ends = [n.onset + n.duration for voice in arrangement.voices for n in voice.notes]
    assert 7.0 < arrangement.tempo.at(max(ends)) <= 8.0 + 1e-6


def test_pianist_strikes_no_key_that_is_down():
    arrangement = arrange(
        read_score(RAG), [("piano", slice(None, 4))], 10.0, np.random.default_rng(1)
    )
    (voice,) = arrangement.voices
    released: dict[int, float] = {}
    for note in sorted(voice.notes, key=lambda n: n.onset):
        assert note.onset >= released.get(note.key, 0) - 1e-9
        released[note.key] = note.onset + note.duration
    onsets = [note.onset for note in voice.notes]
    assert len(set(onsets)) < len(onsets)  # there are chords


def test_guitar_parts_fit_on_six_strings(chorale):
    players = [("steel_guitar", slice(0, 4))]
    arrangement = arrange(chorale, players, 8.0, np.random.default_rng(2))
    strings = on_strings(arrangement.voices[0].notes)
    assert len(strings) == 6
    for open_key, string in zip(OPEN_STRINGS, strings, strict=True):
        assert all(open_key <= note.key <= open_key + FRETS for note in string)
        for note, following in pairwise(string):
            assert note.onset + note.duration <= following.onset + 1e-6
    assert sum(map(len, strings)) >= 0.9 * len(arrangement.voices[0].notes)


def test_annotation_and_sound_of_a_single_line_do_not_overlap(chorale):
    rng = np.random.default_rng(4)
    arrangement = arrange(chorale, STRING_QUARTET, 7.0, rng)
    for recording in perform(arrangement, 8.0, rng):
        assert len(recording.audio) == 8 * 22050
        for note, following in pairwise(recording.notes):
            assert note.onset < note.offset <= following.onset
        assert recording.notes[-1].offset <= 8.0
        f0 = recording.f0(np.arange(0, 8, 0.01))
        assert 0.6 < np.mean(f0 > 0) < 1


def test_note_is_faded_out_before_the_next():
    touches = [
        Touch(ScoreNote(0, 1, key), start, 1.0, 90, PitchCurve(key))
        for start, key in ((0.1, 70), (0.6, 74))
    ]
    first, second = damped(touches, by_key=False)
    assert first.damped == pytest.approx(0.6 - DAMPING)
    assert second.damped == np.inf
    alone = record(71, [first], 2.0)
    assert np.all(alone.audio[round(0.6 * 22050) + 1 :] == 0)
    assert alone.notes[0].offset == pytest.approx(0.6 - DAMPING / 2)
    both = damped(touches, by_key=True)
    assert [touch.damped for touch in both] == [np.inf, np.inf]


def test_drum_pattern_keeps_the_beat():
    strikes = perform_pattern(PATTERNS["rock"], 120, 16.0, np.random.default_rng(5))
    kicks = np.array([s.time for s in strikes if s.key == KICK])
    beats = kicks / 0.125  # sixteenths at 120 bpm
    assert np.abs(beats - np.round(beats)).max() < 0.4
    assert set(np.round(beats).astype(int) % 16) == {0, 6, 8}
    assert max(s.time for s in strikes) < 16.0
