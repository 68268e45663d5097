"""MIDI: notes come back as they were written, for as long as keys and pedal hold them."""

import io
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.data.files.midi import read_notes
from ssmpe.units import hz_to_midi

TICKS = 480
"""In a quarter note, which lasts half a second unless a file says otherwise"""
QUARTER = 0.5

any_example = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def on(pitch: int, channel: int = 0, velocity: int = 80) -> mido.Message:
    return mido.Message("note_on", note=pitch, channel=channel, velocity=velocity)


def off(pitch: int, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, channel=channel)


def pedal(value: int, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=64, value=value, channel=channel)


def tempo(microseconds: int) -> mido.MetaMessage:
    return mido.MetaMessage("set_tempo", tempo=microseconds)


def track_of(events: list[tuple[int, Any]]) -> mido.MidiTrack:
    """Make a track of messages at ticks, which ends with the last of them."""
    track, now = mido.MidiTrack(), 0
    for tick, message in events:
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def saved(path: Path, *tracks: list[tuple[int, Any]], **header: int) -> Path:
    settings = {"type": 1, "ticks_per_beat": TICKS, **header}
    buffer = io.BytesIO()
    mido.MidiFile(tracks=[track_of(events) for events in tracks], **settings).save(file=buffer)
    path.write_bytes(buffer.getvalue())
    return path


def quarters(notes: NoteAnnotation) -> list[tuple[float, float, int]]:
    """Read notes as onset and offset in quarters of the usual tempo, and pitch."""
    times = np.stack([notes.onsets, notes.offsets]) / QUARTER
    pitches = hz_to_midi(notes.f0s)
    return [
        (round(on, 6), round(off, 6), round(pitch))
        for on, off, pitch in zip(*times, pitches, strict=True)
    ]


Q = TICKS
PLAYED = {
    "release": ([(0, on(60)), (Q, off(60)), (2 * Q, off(60))], [(0, 1, 60)]),
    "onset of velocity 0": ([(0, on(60)), (Q, on(60, velocity=0))], [(0, 1, 60)]),
    "restrike": (
        [(0, on(60)), (Q, on(60)), (2 * Q, off(60)), (3 * Q, off(60))],
        [(0, 1, 60), (1, 2, 60)],
    ),
    "restrike before the release in its tick": (
        [(0, on(60)), (Q, on(60)), (Q, off(60)), (2 * Q, off(60))],
        [(0, 1, 60), (1, 2, 60)],
    ),
    "pedal holds": (
        [(0, on(60)), (Q, pedal(64)), (2 * Q, off(60)), (3 * Q, pedal(63)), (4 * Q, off(9))],
        [(0, 3, 60)],
    ),
    "pedal holds till the next onset": (
        [(0, pedal(127)), (0, on(60)), (Q, off(60)), (2 * Q, on(60)), (4 * Q, pedal(0))],
        [(0, 2, 60), (2, 4, 60)],
    ),
    "pedal leaves held keys alone": (
        [(0, pedal(127)), (0, on(60)), (Q, pedal(0)), (2 * Q, off(60))],
        [(0, 2, 60)],
    ),
    "pedal of another channel": (
        [(0, pedal(127, 1)), (0, on(60)), (Q, off(60)), (2 * Q, pedal(0, 1))],
        [(0, 1, 60)],
    ),
    "ends with an onset": ([(0, on(60)), (Q, on(62))], [(0, 1, 60)]),
    "ends with a pedal": ([(0, on(60)), (Q, off(60)), (2 * Q, pedal(127))], [(0, 1, 60)]),
    "ends while the pedal is down": (
        [(0, pedal(127)), (0, on(60)), (Q, off(60)), (3 * Q, off(61))],
        [(0, 3, 60)],
    ),
    "never released": ([(0, on(60)), (Q, on(62)), (2 * Q, off(62))], [(0, 2, 60), (1, 2, 62)]),
    "percussion": ([(0, on(36, 9)), (0, on(60)), (Q, off(60)), (Q, off(36, 9))], [(0, 1, 60)]),
    "unison of channels": (
        [(0, on(60, 0)), (0, on(60, 1)), (Q, off(60, 0)), (2 * Q, off(60, 1))],
        [(0, 1, 60), (0, 2, 60)],
    ),
    "no time": ([(0, on(60)), (0, off(60)), (0, on(62)), (Q, off(62))], [(0, 1, 62)]),
    "tempo": (
        [(0, on(60)), (Q, tempo(1_000_000)), (2 * Q, off(60)), (2 * Q, on(61)), (3 * Q, off(61))],
        [(0, 3, 60), (3, 5, 61)],
    ),
}


@pytest.mark.parametrize("played", PLAYED)
def test_notes_sound_until(tmp_path: Path, played: str) -> None:
    events, expected = PLAYED[played]
    assert quarters(read_notes(saved(tmp_path / "a.mid", events))) == expected


def test_tempo_of_one_track_holds_for_all(tmp_path: Path) -> None:
    notes = [(Q, on(60)), (2 * Q, off(60))]
    path = saved(tmp_path / "a.mid", [(0, tempo(250_000))], notes)
    assert quarters(read_notes(path)) == [(0.5, 1, 60)]


def test_file_of_one_track_and_another_resolution(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mid", [(96, on(21)), (192, off(21))], type=0, ticks_per_beat=96)
    assert quarters(read_notes(path)) == [(1, 2, 21)]


@st.composite
def melodies(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    """Draw notes (onset, offset, pitch, channel) of which no two of a key overlap."""
    notes = []
    keys = st.tuples(st.integers(0, 127), st.sampled_from([0, 1, 8, 10, 15]))
    for pitch, channel in draw(st.lists(keys, min_size=1, max_size=5, unique=True)):
        ticks = draw(st.lists(st.integers(0, 100_000), min_size=2, max_size=8, unique=True))
        edges = sorted(ticks)[: len(ticks) // 2 * 2]
        notes += [(a, b, pitch, channel) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return notes


@any_example
@given(notes=melodies(), resolution=st.integers(24, 960), microseconds=st.integers(1, 2**24 - 1))
def test_any_notes_are_read_back(
    tmp_path: Path, notes: list[tuple[int, int, int, int]], resolution: int, microseconds: int
) -> None:
    events = [(a, on(pitch, channel)) for a, _, pitch, channel in notes]
    events += [(b, off(pitch, channel)) for _, b, pitch, channel in notes]
    events.sort(key=lambda event: event[0])
    path = saved(tmp_path / "a.mid", [(0, tempo(microseconds)), *events], ticks_per_beat=resolution)
    found = read_notes(path)
    tick = microseconds / 1e6 / resolution
    expected = sorted((a * tick, b * tick, pitch) for a, b, pitch, _ in notes)
    assert found.onsets == pytest.approx([a for a, _, _ in expected])
    assert sorted(found.offsets) == pytest.approx(sorted(b for _, b, _ in expected))
    assert sorted(hz_to_midi(found.f0s)) == pytest.approx(sorted(p for _, _, p in expected))
