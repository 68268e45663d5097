"""Arrangements longer than their score, and tempo that sways."""

import numpy as np
import pytest

from ssmpe.world.music.arrangement import arrange
from ssmpe.world.music.casting import one_part_each
from ssmpe.world.music.scores import read_score
from ssmpe.world.music.tempo import FINAL, PHRASE, Tempo, swaying

CHORALE = "bach/bwv269.mxl"
RAG = "joplin/maple_leaf_rag.mxl"
STRING_QUARTET = one_part_each("violin", "violin", "viola", "cello")


@pytest.fixture(scope="module")
def chorale():
    return read_score(CHORALE)


def longest_pause(arrangement, seconds):
    """Return the longest time in s for which nobody plays, from the beginning to ``seconds``."""
    tempo = arrangement.tempo
    notes = sorted((n for voice in arrangement.voices for n in voice.notes), key=lambda n: n.onset)
    silences, sounding_until = [], 0.0
    for note in notes:
        silences.append(tempo.at(note.onset) - sounding_until)
        ended = tempo.at(note.onset) + tempo.lasting(note.onset, note.duration)
        sounding_until = max(sounding_until, ended)
    return max(*silences, seconds - sounding_until)


@pytest.mark.parametrize("rubato", [0.0, 0.06])
@pytest.mark.parametrize("piece", [CHORALE, RAG, "schoenberg/opus19/movement6.mxl"])
def test_a_short_score_goes_on_with_further_movements(piece, rubato):
    score = read_score(piece)
    players = [("piano", slice(None, 4))]
    arrangement = arrange(score, players, 120.0, np.random.default_rng(8), rubato)
    assert longest_pause(arrangement, 120.0) < 12.0
    (voice,) = arrangement.voices
    first, last = (
        [n.key for n in voice.notes if lower <= arrangement.tempo.at(n.onset) < upper]
        for lower, upper in ((0, 20), (100, 120))
    )
    assert len(first) > 5
    assert len(last) > 5
    assert first[:5] != last[:5]


def test_movements_differ_in_key_and_tempo(chorale):
    arrangement = arrange(chorale, STRING_QUARTET, 120.0, np.random.default_rng(6))
    tempo = arrangement.tempo
    starts, paces = tempo.beats[::2], tempo.paces[::2]  # without the rests between them
    assert len(starts) >= 3
    assert len(set(paces)) == len(paces)
    begins = [
        next(n.key for n in arrangement.voices[0].notes if n.onset >= start) for start in starts
    ]
    assert len(set(begins)) > 1


def test_rubato_sways_around_the_tempo_and_slows_down_at_the_end():
    lengths = [1.0] * 400
    paces = swaying(lengths, 0.06, np.random.default_rng(0))
    assert np.mean(paces) == pytest.approx(1)
    body = paces[: -len(FINAL)]
    assert 0.03 < np.std(body) < 0.12
    assert np.abs(np.diff(np.log(body))).mean() < np.std(np.log(body))  # slowly
    assert paces[-1] > 1.25
    assert np.mean(paces[PHRASE - 1 :: PHRASE]) > 1.1
    np.testing.assert_array_equal(swaying(lengths, 0.0, np.random.default_rng(0)), 1)


def test_rubato_leaves_the_length_as_it_was(chorale):
    ends = []
    for rubato in (0.0, 0.08):
        arrangement = arrange(chorale, STRING_QUARTET, 20.0, np.random.default_rng(3), rubato)
        last = max(n.onset + n.duration for voice in arrangement.voices for n in voice.notes)
        ends.append(arrangement.tempo.at(last))
    assert ends[1] == pytest.approx(ends[0], abs=0.05)


def test_notes_last_from_beat_to_beat():
    tempo = Tempo.of(60, (2.0, 4.0, 1.0), (1.0, 0.5, 2.0))
    assert [tempo.at(beat) for beat in (0, 1, 2, 4, 6, 8)] == [0, 1, 2, 3, 4, 8]
    assert tempo.lasting(0.5, 1.0) == 1.0
    assert tempo.lasting(1.0, 2.0) == 1.5
    assert tempo.lasting(5.0, 2.0) == 2.5
