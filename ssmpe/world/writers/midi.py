"""MIDI files of performances: notes at the times at which they are played, and the pedal."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mido

from ssmpe.world.playing.pedal import PianoPlaying
from ssmpe.world.playing.performance import PartRecording

TEMPO = 500_000  # microseconds per quarter note; it says nothing of the music
SUSTAIN = 64  # number of the pedal's controller
VELOCITY = 80  # of notes whose loudness is not kept


@dataclass(frozen=True)
class MidiNote:
    """A note, times in seconds; ``offset`` is None for one that is never released."""

    key: int
    velocity: int
    onset: float
    offset: float | None


@dataclass(frozen=True)
class MidiPart:
    """A player: General MIDI program, notes, and positions (0–127) of the pedal, with times."""

    program: int
    notes: tuple[MidiNote, ...]
    pedal: tuple[tuple[float, int], ...] = ()


def as_heard(recording: PartRecording) -> MidiPart:
    """Take notes from where they set in to where they end."""
    notes = (MidiNote(n.written.key, VELOCITY, n.onset, n.offset) for n in recording.notes)
    return MidiPart(recording.program, tuple(notes))


def as_played(
    program: int,
    piano: PianoPlaying,
    seconds: float,
    press: Sequence[tuple[float, int]] = ((0.0, 127),),
    lift: Sequence[tuple[float, int]] = ((0.0, 0),),
) -> MidiPart:
    """Take what a pianist does until time is up; no key is released and no pedal lifted then.

    Args:
        press: positions that the pedal takes on its way down, and seconds from when it is down.
        lift: the same on its way up.
    """
    notes = tuple(
        MidiNote(s.key, s.velocity, s.struck, s.released if s.released < seconds else None)
        for s in piano.strokes
        if s.struck < seconds
    )
    ways = [(p.down, press) for p in piano.presses] + [(p.up, lift) for p in piano.presses]
    pedal = ((time + after, value) for time, way in ways for after, value in way)
    return MidiPart(program, notes, tuple(p for p in pedal if p[0] < seconds))


def write_midi(
    path: Path, part: MidiPart, seconds: float, resolution: int = 480, note_off: bool = True
) -> None:
    """Write a file that is as long as the recording, in two tracks, of tempo and of notes.

    Args:
        resolution: ticks per quarter note, which lasts half a second.
        note_off: whether a release is a message of its own or an onset of velocity 0.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=resolution)
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=TEMPO)]))
    track = mido.MidiTrack([mido.Message("program_change", program=part.program)])
    events = [(time, rank, message) for time, rank, message in _events(part, note_off)]
    events.append((seconds, 3, mido.MetaMessage("end_of_track")))
    now = 0
    for time, _, message in sorted(events, key=lambda event: event[:2]):
        tick = max(round(mido.second2tick(time, resolution, TEMPO)), now)
        track.append(message.copy(time=tick - now))
        now = tick
    file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def _events(part: MidiPart, note_off: bool) -> Iterator[tuple[float, int, mido.Message]]:
    """Yield time in s, rank among simultaneous events, message: first releases, last onsets."""
    for time, value in part.pedal:
        yield time, 1, mido.Message("control_change", control=SUSTAIN, value=value)
    for note in part.notes:
        yield note.onset, 2, mido.Message("note_on", note=note.key, velocity=note.velocity)
        if note.offset is not None:
            kind, velocity = ("note_off", 64) if note_off else ("note_on", 0)
            yield note.offset, 0, mido.Message(kind, note=note.key, velocity=velocity)
