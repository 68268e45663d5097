"""Songs, pedals and MIDI files of the embedded world."""

import mido
import numpy as np
import pytest

from ssmpe.world.music.bands import BANDS
from ssmpe.world.music.instruments import INSTRUMENTS
from ssmpe.world.music.scores import ScoreNote
from ssmpe.world.music.songs import MAJOR, write_song
from ssmpe.world.playing.pedal import LONGEST, with_pedal
from ssmpe.world.playing.performance import DAMPING, Touch, damped, record
from ssmpe.world.playing.programme import SongMusic
from ssmpe.world.sound.sampler import RATE, PitchCurve
from ssmpe.world.writers.midi import as_heard, as_played, write_midi

WITH_DRUMS = [name for name, band in BANDS.items() if band.drums]


@pytest.mark.parametrize("name", BANDS)
def test_song_is_in_a_key_and_within_ranges(name):
    for seed in range(4):
        song = write_song(BANDS[name], 12.0, np.random.default_rng(seed))
        assert BANDS[name].tempo[0] <= song.tempo <= BANDS[name].tempo[1]
        classes = set()
        for part in song.parts:
            for voice in part.voices:
                keys = [note.key for note in voice.notes]
                assert INSTRUMENTS[part.instrument].low <= min(keys)
                assert max(keys) <= INSTRUMENTS[part.instrument].high
                classes |= {key % 12 for key in keys}
        # Natural minor has the notes of the major scale a third above.
        assert any(classes <= {(tonic + step) % 12 for step in MAJOR} for tonic in range(12))
        ends = [n.onset + n.duration for p in song.parts for v in p.voices for n in v.notes]
        assert max(ends) * 60 / song.tempo > 11.0


def test_songs_differ():
    songs = [write_song(BANDS["Pop"], 8.0, np.random.default_rng(seed)) for seed in range(6)]
    assert len({song.parts for song in songs}) == 6


def share(audio, low, high):
    """Return the share of the energy between two frequencies in Hz."""
    spectrum = np.abs(np.fft.rfft(audio)) ** 2
    frequency = np.fft.rfftfreq(len(audio), 1 / RATE)
    return spectrum[(frequency >= low) & (frequency < high)].sum() / spectrum.sum()


@pytest.mark.parametrize("name", WITH_DRUMS)
def test_popular_music_has_bass_and_drums(name):
    bass, *others, drums = SongMusic(name).stems(5.0, np.random.default_rng(3))
    energy = [float(np.mean(stem**2)) for stem in (bass, drums, *others)]
    assert min(energy[:2]) > 0.04 * sum(energy)
    assert share(bass, 20, 400) > 0.8
    assert share(np.sum([bass, drums, *others], axis=0), 20, 160) > 0.05
    # Strokes: most of the energy above all other players comes in a small part of the time.
    bright = np.fft.irfft(np.where(np.fft.rfftfreq(len(drums), 1 / RATE) > 5000, 1, 0)
                          * np.fft.rfft(drums), len(drums))  # fmt: skip
    frames = np.sort(np.sum(bright[: len(bright) // 512 * 512].reshape(-1, 512) ** 2, axis=1))
    assert frames[-len(frames) // 4 :].sum() > 0.6 * frames.sum()


def touches(*notes):
    """Make touches of a piano from key, onset and duration in seconds."""
    written = [
        Touch(ScoreNote(onset, held, key), onset, held, 90, PitchCurve(key))
        for key, onset, held in notes
    ]
    return damped(written, by_key=True)


CHORDS = touches(*((key, 0.9 * i, 0.5) for i in range(4) for key in (48, 64 + i, 67 + i)))


def test_pedal_holds_notes_until_it_is_changed():
    piano = with_pedal(0, CHORDS)
    changes = [0.9, 1.8, 2.7]
    assert [press.up for press in piano.presses[:3]] == pytest.approx(changes)
    for press, following in zip(piano.presses, piano.presses[1:], strict=False):
        assert press.down < press.up < following.down
    notes = record(0, piano.touches, 5.0).notes
    ends = [note.offset for note in notes if note.written.onset < 2.6]
    assert ends == pytest.approx(np.repeat(changes, 3), abs=DAMPING)


def test_pedal_is_lifted_before_what_it_holds_has_died():
    """The highest notes of a piano are short."""
    piano = with_pedal(0, touches((78, 0.0, 0.3), (48, 0.0, 0.3), (50, 2.0, 0.3)))
    assert 0.3 < piano.presses[0].up < 1.5
    ends = [note.offset for note in record(0, piano.touches, 4.0).notes]
    assert ends[:2] == pytest.approx([piano.presses[0].up] * 2, abs=0.05)


def test_key_that_is_held_outlasts_the_pedal():
    piano = with_pedal(
        0, touches((48, 0.0, LONGEST - 0.3), *((60, 0.7 * i, 0.2) for i in range(4)))
    )
    bass = record(0, piano.touches, 5.0).notes[0]
    assert bass.offset > piano.presses[1].up


def read(path):
    """Read kind, key or value, and time in s of all messages."""
    now, found = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type in ("note_on", "note_off"):
            found.append((message.type, message.note, now))
        elif message.type == "control_change":
            found.append((message.type, message.value, now))
    return found


def test_midi_file_tells_what_was_played(tmp_path):
    piano = with_pedal(0, CHORDS)
    for path in (tmp_path / "a.mid", tmp_path / "b.mid"):
        write_midi(path, as_played(0, piano, 5.0), 5.0)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    found = read(tmp_path / "a.mid")
    on = sorted((t, key) for kind, key, t in found if kind == "note_on")
    assert on == [(pytest.approx(s.struck, abs=1e-3), s.key) for s in piano.strokes]
    pedal = [(value, t) for kind, value, t in found if kind == "control_change"]
    expected = [x for p in piano.presses for x in ((127, p.down), (0, p.up))]
    assert pedal == [(value, pytest.approx(t, abs=1e-3)) for value, t in expected]
    assert mido.MidiFile(tmp_path / "a.mid").length == pytest.approx(5.0, abs=1e-3)


def test_midi_file_leaves_out_what_comes_after_the_end(tmp_path):
    write_midi(tmp_path / "a.mid", as_played(0, with_pedal(0, CHORDS), 2.0), 2.0)
    found = read(tmp_path / "a.mid")
    assert sum(kind == "note_on" for kind, _, _ in found) == 9
    assert sum(kind == "note_off" for kind, _, _ in found) == 6  # the third chord is held on
    assert max(time for _, _, time in found) < 2.0


def test_midi_file_of_a_single_line_is_as_heard(tmp_path):
    recording = record(73, touches((72, 0.2, 0.5), (74, 1.1, 0.5)), 2.0)
    write_midi(tmp_path / "flute.mid", as_heard(recording), 2.0)
    times = [time for _, _, time in read(tmp_path / "flute.mid")]
    heard = [time for note in recording.notes for time in (note.onset, note.offset)]
    assert times == pytest.approx(heard, abs=1e-3)
