"""Scores, arrangements and performances: notes, ranges and times."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from ssmpe.errors import DataError, UserError
from ssmpe.world.arrangement import arrange
from ssmpe.world.casting import GUITARS
from ssmpe.world.drums import KICK, PATTERNS, perform_pattern
from ssmpe.world.instruments import INSTRUMENTS, URMP_CODES
from ssmpe.world.performance import DAMPING, Touch, damped, perform, record
from ssmpe.world.pieces import KEPT, Deal, Pool, corpus_paths
from ssmpe.world.plan import plan
from ssmpe.world.sampler import PitchCurve
from ssmpe.world.scores import ScoreNote, corpus_root, read_score
from ssmpe.world.sizes import SIZES, WorldSize
from ssmpe.world.task import Task
from ssmpe.world.tempo import FINAL, PHRASE, Tempo, swaying
from ssmpe.world.writers.bach10 import PLAYERS as BACH10_PLAYERS
from ssmpe.world.writers.guitarset import FRETS, OPEN_STRINGS, on_strings
from ssmpe.world.writers.musicnet import MusicNetTrack
from ssmpe.world.writers.urmp import UrmpPiece

CHORALE = "bach/bwv269.mxl"
RAG = "joplin/maple_leaf_rag.mxl"
POOLS: tuple[Pool, ...] = ("chorale", "madrigal", "quartet", "piano", "tune", "mass")
CORPUS = {path for pool in POOLS for path in corpus_paths(pool)}
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


def test_catalogue_is_in_the_installed_corpus():
    for pool in POOLS:
        paths = corpus_paths(pool)
        assert len(set(paths)) == len(paths)
        assert [p for p in paths if not (corpus_root() / p).is_file()] == []


def test_deal_gives_each_piece_once():
    deal = Deal()
    dealt = [deal.draw("quartet") for _ in corpus_paths("quartet")]
    assert sorted(dealt) == sorted(corpus_paths("quartet"))
    assert dealt != corpus_paths("quartet")


def test_only_unlabelled_sets_share_pieces():
    deal = Deal()
    alone = [deal.draw("piano") for _ in range(4)]
    shared = [deal.draw_shared("piano") for _ in range(30)]
    later = [deal.draw("piano") for _ in range(KEPT["piano"])]
    assert len(set(alone + later)) == 4 + KEPT["piano"]
    assert set(shared) == set(corpus_paths("piano")) - set(alone + later)
    assert shared[0] in shared[1:]
    with pytest.raises(UserError, match="too few pieces of the kind 'piano'"):
        deal.draw("piano")


def pieces_of(task):
    """Pieces of the corpus that a task performs, wherever among its fields they are named."""
    values = [getattr(task, field.name) for field in dataclasses.fields(task)]
    named = {value for value in values if isinstance(value, str) and value in CORPUS}
    return named.union(*(pieces_of(v) for v in values if dataclasses.is_dataclass(v)))


def is_unlabelled_training(task):
    sets = ("FMA", "MedleyDB", "SWD", "MagnaTagATune")
    return task.label.startswith(sets) or getattr(task, "split", "") == "train"


@pytest.mark.parametrize("size", SIZES)
def test_only_unlabelled_training_sets_share_pieces_with_each_other(size):
    used: dict[str, list[Task]] = {}
    for task in plan(SIZES[size]):
        for piece in pieces_of(task):
            used.setdefault(piece, []).append(task)
    assert len(used) > 110
    for piece, tasks in used.items():
        assert len(tasks) == 1 or all(map(is_unlabelled_training, tasks)), piece


def recordings(kind):
    return [task for task in plan(SIZES["tiny"]) if isinstance(task, kind)]


def test_unlabelled_instruments_overlap_with_the_labelled_and_go_beyond_them():
    labelled = {URMP_CODES[code] for piece in recordings(UrmpPiece) for code in piece.players}
    train, test = (
        {name for t in recordings(MusicNetTrack) if t.split == split for name, _ in t.players}
        for split in ("train", "test")
    )
    assert len(labelled & train) >= 8
    assert {"harp", "piano"} <= (train & test) - labelled


def test_instruments_that_waver_are_kept_from_sets_whose_f0_is_annotated():
    annotated = {*URMP_CODES.values(), *BACH10_PLAYERS, *GUITARS}
    assert not any(INSTRUMENTS[name].wavers for name in annotated)


@pytest.mark.parametrize("split", ["train", "test"])
def test_musicnet_has_seven_recordings_with_piano_in_ten(split):
    tracks = [track for track in recordings(MusicNetTrack) if track.split == split]
    with_piano = [t for t in tracks if any("piano" in name for name, _ in t.players)]
    assert len(with_piano) == 0.7 * len(tracks)


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


def longest_pause(arrangement, seconds):
    """Longest time in seconds for which nobody plays, from the beginning to ``seconds``."""
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


def test_sizes_make_the_world_larger_or_smaller():
    small = WorldSize(urmp=3, musicnet_train=1, musicnet_test=2, bach10=0, drum_loops=1)
    sets = [task.label.split()[0] for task in plan(small)]
    assert [sets.count(name) for name in ("URMP", "MusicNet", "Bach10")] == [3, 3, 0]
    assert sets.count("E-GMD") == 2  # a loop and the table
