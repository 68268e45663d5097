"""MIDI files as the datasets that have them write theirs."""

import io
from pathlib import Path

import mido

TICKS_PER_SECOND = 960
"""At 480 in a quarter note and the usual tempo"""

Event = tuple[float, str, int, int]
"""Time in s, kind of message, and its two values"""


def write_midi(path: Path, events: list[Event], channel: int = 0) -> None:
    """Write messages in one track, and before it one that has the tempo alone."""
    names = {"control_change": ("control", "value")}
    notes, now = mido.MidiTrack([mido.Message("program_change", channel=channel)]), 0
    for time, kind, first, second in sorted(events, key=lambda event: event[0]):
        tick = round(time * TICKS_PER_SECOND)
        values = dict(zip(names.get(kind, ("note", "velocity")), (first, second), strict=True))
        notes.append(mido.Message(kind, channel=channel, time=tick - now, **values))
        now = tick
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    buffer = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=480, tracks=[tempo, notes]).save(file=buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
