"""The embedded world on disk: labels agree with the sound."""

import csv

import mido
import numpy as np
import pytest
import soundfile

from ssmpe.units import hz_to_midi, midi_to_hz
from tests.support.micro_world import micro_world, stems_of


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return micro_world(tmp_path_factory)


def test_stems_are_silent_where_nothing_is_annotated(world):
    for stem, times, midi in stems_of(world):
        audio, rate = soundfile.read(stem)
        size = round(0.01 * rate)
        level = np.array([
            np.sqrt(np.mean(audio[round(t * rate) : round(t * rate) + size] ** 2)) for t in times
        ])  # fmt: skip
        assert np.median(level[midi > 0]) > 10 * np.median(level[midi == 0]), stem


def musicnet_notes(world):
    """Yield each audio file and the notes in it: onset and offset in s, MIDI number."""
    for path in sorted(world.glob("MusicNet/*_labels/*.csv")):
        split = path.parent.name.removesuffix("_labels")
        rows = csv.DictReader(path.open())
        columns = ("start_time", "end_time", "note")
        starts, ends, keys = zip(*([int(row[c]) for c in columns] for row in rows), strict=True)
        audio = world / "MusicNet" / f"{split}_data" / f"{path.stem}.wav"
        yield audio, np.array([np.array(starts) / 44100, np.array(ends) / 44100, keys]).T


def su_notes(world):
    for path in sorted(world.glob("Su/gt_Note/*_note.txt")):
        onset, offset, _, hz = np.loadtxt(path).T
        audio = world / "Su" / "audio" / path.name.replace("_note.txt", "_audio.wav")
        yield audio, np.array([onset, offset, hz_to_midi(hz)]).T


def trios_notes(world):
    """Yield the stems and their notes: there are no labels of the mixture."""
    for path in sorted(world.glob("TRIOS/*/*.mid")):
        yield path.with_suffix(".wav"), np.array([note[:3] for note in midi_notes(path)])


def maestro_notes(world):
    for path in sorted(world.glob("MAESTRO/*/*.midi")):
        yield path.with_suffix(".wav"), np.array([note[:3] for note in midi_notes(path)])


def midi_notes(path):
    """Read onset and end in s, MIDI number, and release of the key in s, of each note.

    A note ends when its key is up and the pedal too, or when its key is struck again.
    """
    now, pedal, notes = 0.0, False, []
    sounding: dict[int, tuple[float, float | None]] = {}

    def end(key):
        onset, release = sounding.pop(key)
        notes.append((onset, now, key, now if release is None else release))

    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "control_change" and message.control == 64:
            pedal = message.value >= 64
        elif message.type == "note_on" and message.velocity:
            if message.note in sounding:
                end(message.note)
            sounding[message.note] = now, None
        elif message.type in ("note_on", "note_off") and message.note in sounding:
            sounding[message.note] = sounding[message.note][0], now
        for key in [k for k, (_, release) in sounding.items() if release is not None]:
            if not pedal:
                end(key)
    for key in list(sounding):
        end(key)
    return sorted(notes)


def strength(audio, rate, midi, harmonics=(1, 2, 3)):
    """Measure how much a stretch of audio (N,) has of the given pitches."""
    n = 1 << 15
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), n)) / len(audio)
    bins = midi_to_hz(np.asarray(midi)) * n / rate
    return sum(np.interp(h * bins, np.arange(len(spectrum)), spectrum) for h in harmonics)


LONGEST = 0.6  # seconds; of longer notes the beginning is looked at


@pytest.mark.parametrize("notes_of", [musicnet_notes, su_notes, trios_notes, maestro_notes])
def test_notes_agree_with_the_audio(world, notes_of):
    """Once a recording's tuning is found, its notes are stronger than a quarter tone off them."""
    shares = []
    for path, notes in notes_of(world):
        stereo, rate = soundfile.read(path, always_2d=True)
        audio = stereo.mean(axis=1)
        heard = [
            (audio[round(onset * rate) : round(min(offset, onset + LONGEST) * rate)], midi)
            for onset, offset, midi in notes
            if offset - onset > 0.25
        ]
        off = np.linspace(-0.8, 0.8, 17)
        found = np.array([strength(note, rate, midi + off) for note, midi in heard])
        tuning = np.argmax(found.sum(axis=0))
        assert abs(off[tuning]) < 0.35, path
        beside = np.maximum(found[:, tuning - 5], found[:, tuning + 5])
        shares.append(np.mean(found[:, tuning] > beside))
    assert len(shares) >= 3
    assert np.mean(shares) > 0.95
    assert np.min(shares) > 0.85


WINDOW = 0.12  # seconds
APART = 35.0  # Hz that such a window tells apart


def around_ends(audio, rate, notes):
    """Measure in dB each note that stands alone, just before its end and just after.

    It stands alone if no partial of another note that sounds meanwhile is close to it. The third
    value is for how many seconds it has been held by the pedal.
    """
    for note in notes:
        onset, end, key, release = note
        reach = end - WINDOW, end + 1.5 * WINDOW
        others = [n for n in notes if n is not note and n[0] < reach[1] and n[1] > reach[0]]
        partials = np.outer(midi_to_hz(np.array([n[2] for n in others])), np.arange(1, 9))
        blurred = np.any(np.abs(partials - midi_to_hz(key)) < APART)
        if end - onset < 1.5 * WINDOW or reach[1] > len(audio) / rate or blurred:
            continue
        levels = []
        for start in (end - WINDOW, end + WINDOW / 2):
            stretch = audio[round(start * rate) : round((start + WINDOW) * rate)]
            levels.append(20 * np.log10(strength(stretch, rate, key, (1,)) + 1e-6))
        yield (*levels, end - release)


def test_piano_notes_end_where_key_and_pedal_let_them(world):
    """In the dry stems of TRIOS: they sound until then, and not after."""
    found = []
    for path in sorted(world.glob("TRIOS/*/piano.mid")):
        audio, rate = soundfile.read(path.with_suffix(".wav"))
        found += around_ends(audio, rate, midi_notes(path))
    before, after, by_pedal = np.array(found).T
    fall = before - after
    assert np.sum(by_pedal > 0.1) >= 4
    assert np.sum(by_pedal < 0.1) >= 4
    assert np.median(fall) > 25
    assert np.min(fall) > 8  # a note that goes on falls by 2 or 3 dB meanwhile


def test_pedal_holds_notes_whose_keys_are_released(world):
    """Labels that ended with the key would miss what sounds on."""
    share = []
    for path in sorted(world.glob("MAESTRO/*/*.midi")):
        notes = midi_notes(path)
        lengths = np.array([(release - onset, end - onset) for onset, end, _, release in notes])
        share.append(1 - lengths[:, 0].sum() / lengths[:, 1].sum())
    assert 0.1 < np.mean(share) < 0.7
