"""MIDI files of notes."""

from pathlib import Path

import mido
import numpy as np

from ssmpe.signal.notes import Notes

TICKS_PER_SECOND = 960
_TICKS_PER_BEAT = 480
_TEMPO = 500_000  # microseconds a beat: two beats a second; no beats are looked for
_LOUDEST = 127


def save_midi(notes: Notes, path: Path) -> None:
    """Write notes as a MIDI file of one track, as loud as the signal is there.

    Times are those of the recording, at a tempo of 120 beats a minute.
    """
    ticks = np.rint(np.stack([notes.onsets, notes.offsets]) * TICKS_PER_SECOND).astype(int)
    velocities = np.rint(_LOUDEST * notes.levels).astype(int).clip(1, _LOUDEST)
    # 0 for an end and 1 for a start: ends come first where a note is repeated
    events = []
    columns = (notes.pitches, *ticks, velocities)
    for pitch, start, stop, velocity in zip(*(c.tolist() for c in columns), strict=True):
        events += [(start, 1, pitch, velocity), (stop, 0, pitch, 0)]
    file = mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_BEAT)
    track = file.add_track()
    track.append(mido.MetaMessage("set_tempo", tempo=_TEMPO))
    now = 0
    for tick, starts, pitch, velocity in sorted(events):
        kind = "note_on" if starts else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    file.save(path)
