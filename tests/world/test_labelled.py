"""The embedded world on disk: layouts of Su, TRIOS and MAESTRO."""

import csv

import mido
import numpy as np
import pytest
import soundfile
import soxr

from tests.support.micro_world import micro_world, names


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return micro_world(tmp_path_factory)


def seconds_of(path):
    return soundfile.info(path).duration


def test_su_layout(world):
    pieces = {"PQ02", "PQ03", "PS01"}
    assert names(world / "Su" / "audio") == {f"{piece}_audio.wav" for piece in pieces}
    assert names(world / "Su" / "gt_Note") == {f"{piece}_note.txt" for piece in pieces}
    for piece in pieces:
        seconds = seconds_of(world / "Su" / "audio" / f"{piece}_audio.wav")
        onset, offset, key, hz = np.loadtxt(world / "Su" / "gt_Note" / f"{piece}_note.txt").T
        assert len(onset) > 10
        assert np.all((onset >= 0) & (onset < offset) & (offset <= seconds + 1e-3))
        assert np.all(np.diff(onset) >= 0)
        assert np.abs(12 * np.log2(hz / 440) + 69 - key).max() < 0.5


TRIOS = {
    "brahms": {"horn", "violin", "piano"},
    "lussier": {"bassoon", "piano", "trumpet"},
    "mozart": {"clarinet", "piano", "viola"},
    "schubert": {"cello", "piano", "violin"},
    "take_five": {"piano", "saxophone"},
}


def test_trios_layout(world):
    assert names(world / "TRIOS") == set(TRIOS)
    for piece, instruments in TRIOS.items():
        files = {f"{name}.{kind}" for name in instruments for kind in ("wav", "mid")}
        drums = {"drums.wav"} if piece == "take_five" else set()
        assert names(world / "TRIOS" / piece) == files | drums | {"mix.wav"}
        for path in (world / "TRIOS" / piece).glob("*.wav"):
            assert seconds_of(path) == pytest.approx(6.0, abs=1e-3)
        for path in (world / "TRIOS" / piece).glob("*.mid"):
            assert mido.MidiFile(path).length == pytest.approx(6.0, abs=2e-3)


def test_drums_stay_in_the_mixture_of_trios(world):
    """They are in the mixture as much as the players with labels are."""
    folder = world / "TRIOS" / "take_five"
    mixture, rate = soundfile.read(folder / "mix.wav")
    likeness = {}
    for path in folder.glob("*.wav"):
        part, part_rate = soundfile.read(path)
        part = soxr.resample(part, part_rate, rate)
        likeness[path.stem] = np.corrcoef(mixture, part)[0, 1]
    assert likeness["drums"] > 0.3
    assert likeness["saxophone"] > 0.3


def events(path):
    """Read time in s and message of every event that a synthesiser would play."""
    now, found = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type in ("note_on", "note_off", "control_change"):
            found.append((now, message))
    return found


def test_last_events_of_trios_are_what_breaks_careless_parsers(world):
    """A note that is never released, as the recording is cut; the pedal, down."""
    time, message = events(world / "TRIOS" / "lussier" / "piano.mid")[-1]
    assert (message.type, time) == ("note_on", pytest.approx(5.94, abs=2e-3))
    assert message.velocity > 0
    time, message = events(world / "TRIOS" / "schubert" / "piano.mid")[-1]
    assert (message.type, message.control, message.value) == ("control_change", 64, 127)
    assert time == pytest.approx(5.8, abs=2e-3)


def test_every_other_note_is_released(world):
    for path in world.glob("*/*/*.mid*"):
        if path.parts[-3] not in ("TRIOS", "MAESTRO"):
            continue
        down: set[int] = set()
        for _, message in events(path):
            if message.type == "control_change":
                assert message.control == 64
            elif message.type == "note_on" and message.velocity:
                assert message.note not in down, path
                down.add(message.note)
            else:
                down.remove(message.note)
        assert len(down) == (path.parent.name == "lussier" and path.stem == "piano"), path


def test_maestro_layout(world):
    with (world / "MAESTRO" / "maestro-v3.0.0.csv").open() as file:
        table = csv.DictReader(file)
        assert table.fieldnames == [
            *("canonical_composer", "canonical_title", "split", "year"),
            *("midi_filename", "audio_filename", "duration"),
        ]
        rows = list(table)
    assert [row["split"] for row in rows] == ["validation", "validation", "test", "train"]
    assert [float(row["duration"]) for row in rows] == [9.0, 6.0, 6.0, 6.0]
    files = {path.relative_to(world / "MAESTRO") for path in world.glob("MAESTRO/*/*")}
    assert len(files) == 2 * len(rows)
    for row in rows:
        assert row["midi_filename"].startswith(f"{row['year']}/")
        assert row["midi_filename"].removesuffix(".midi") == row["audio_filename"][: -len(".wav")]
        assert seconds_of(world / "MAESTRO" / row["audio_filename"]) == float(row["duration"])
        midi = mido.MidiFile(world / "MAESTRO" / row["midi_filename"])
        assert midi.length == pytest.approx(float(row["duration"]), abs=2e-3)
    stereo = [soundfile.info(world / "MAESTRO" / row["audio_filename"]) for row in rows]
    assert [(i.samplerate, i.channels) for i in stereo[:2]] == [(22050, 1), (44100, 2)]


def test_maestro_has_releases_of_velocity_0_and_pedals_on_their_way(world):
    values: set[int] = set()
    for path in world.glob("MAESTRO/*/*.midi"):
        messages = [message for _, message in events(path)]
        assert {m.type for m in messages} == {"note_on", "control_change"}
        values.update(m.value for m in messages if m.type == "control_change")
    assert {value >= 64 for value in values} == {True, False}
    assert len(values) > 5
