"""Notes of Standard MIDI Files, as long as they sound and not only as long as a key is down."""

import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import mido
import numpy as np

from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.data.files.parsing import read_bytes
from ssmpe.errors import DataError
from ssmpe.units import midi_to_hz

MAX_BYTES = 1 << 21
"""Bytes of the largest file that is read: some five hours of piano

While it is parsed, a file takes some 200 times its size of memory.
"""
MAX_SECONDS = 24 * 3600.0

_DRUMS = 9
"""Channel of percussion, counted from 0"""
_SUSTAIN = 64
"""Number of the pedal's controller; it is also the least value at which the pedal is down"""
_DEFAULT_TEMPO = 500_000
"""Microseconds per quarter note, as long as a file does not say otherwise"""
_RUN = re.compile(rb"[\x80-\xff]{4096}")
"""Bytes that no real file has, and that as digits of one number would take hours to read"""

Key = tuple[int, int]
"""Channel and MIDI number of a key"""


def read_notes(path: Path) -> NoteAnnotation:
    """Read the notes of all channels but that of percussion, in the order of their onsets.

    A note ends when its key is released or, if the sustain pedal is down then, when that goes up;
    at the latest with the next onset of its pitch in its channel, or where the file ends.
    Notes that last no time are dropped.

    Raises:
        DataError: the file is damaged, has no times in seconds or no notes, or is larger than
            ``MAX_BYTES`` or longer than ``MAX_SECONDS``.
    """
    midi = _parsed(path)
    keyboard = _Keyboard()
    seconds, tempo = 0.0, _DEFAULT_TEMPO
    for message in midi.merged_track:
        # a delta time has as many digits as the file cares to give it
        seconds += min(message.time, 1 << 62) * tempo / 1e6 / midi.ticks_per_beat
        if seconds > MAX_SECONDS:
            raise DataError(f"{path}: not usable as MIDI, it lasts more than {MAX_SECONDS:g} s")
        if message.type == "set_tempo":
            tempo = message.tempo
            if not tempo:
                raise DataError(f"{path}: not usable as MIDI, its tempo is 0 µs per quarter note")
        else:
            keyboard.play(message, seconds)
    keyboard.end(seconds)
    if not keyboard.notes:
        raise DataError(f"{path}: no notes (other than percussion on channel {_DRUMS + 1})")
    onsets, offsets, pitches = np.array(sorted(keyboard.notes), dtype=np.float64).T
    return NoteAnnotation(onsets, offsets, midi_to_hz(pitches))


@dataclass
class _Keyboard:
    """State of what sounds while messages are played.

    Attributes:
        notes: onset and offset in seconds and MIDI number of the notes that have ended.
        sounding: onset of each that has not.
        down: keys that are held down.
        restruck: when a key that was down was struck again.
        pedals: channels whose pedal is down.
    """

    notes: list[tuple[float, float, int]] = field(default_factory=list)
    sounding: dict[Key, float] = field(default_factory=dict)
    down: set[Key] = field(default_factory=set)
    restruck: dict[Key, float] = field(default_factory=dict)
    pedals: set[int] = field(default_factory=set)

    def play(self, message: mido.Message, now: float) -> None:
        """Play a message ``now``, in seconds; those that mean nothing here are ignored."""
        if message.type not in ("note_on", "note_off", "control_change"):
            return
        if message.channel == _DRUMS:
            return
        if message.type == "control_change":
            if message.control == _SUSTAIN:
                self._step(message.channel, message.value >= _SUSTAIN, now)
        elif message.type == "note_on" and message.velocity:
            self._strike((message.channel, message.note), now)
        else:
            self._release((message.channel, message.note), now)

    def end(self, now: float) -> None:
        """End all that sounds."""
        for key in list(self.sounding):
            self._stop(key, now)

    def _strike(self, key: Key, now: float) -> None:
        if key in self.down:
            self.restruck[key] = now
        self._stop(key, now)
        self.sounding[key] = now
        self.down.add(key)

    def _release(self, key: Key, now: float) -> None:
        if self.restruck.pop(key, None) == now:
            return  # it is the note before that it releases, in the same tick
        self.down.discard(key)
        if key[0] not in self.pedals:
            self._stop(key, now)

    def _step(self, channel: int, down: bool, now: float) -> None:
        if down:
            self.pedals.add(channel)
        elif channel in self.pedals:
            self.pedals.remove(channel)
            for key in [k for k in self.sounding if k[0] == channel and k not in self.down]:
                self._stop(key, now)

    def _stop(self, key: Key, now: float) -> None:
        onset = self.sounding.pop(key, now)
        if onset < now:
            self.notes.append((onset, now, key[1]))


def _parsed(path: Path) -> mido.MidiFile:
    """Parse a file whose tracks run in parallel and whose times are parts of quarter notes."""
    content = read_bytes(path, MAX_BYTES)
    if _RUN.search(content):
        raise DataError(f"{path}: not a readable MIDI file (not MIDI)")
    try:
        midi = mido.MidiFile(file=io.BytesIO(content))
    except EOFError:
        raise DataError(f"{path}: not a readable MIDI file (it ends too soon)") from None
    except Exception as error:  # the reader of a damaged file fails in any number of ways
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{path}: not a readable MIDI file ({reason:.120})") from None
    if midi.type not in (0, 1):
        raise DataError(f"{path}: MIDI of format {midi.type}, expected 0 or 1")
    if midi.ticks_per_beat <= 0:
        raise DataError(f"{path}: not usable as MIDI, its times are not in parts of quarter notes")
    return midi
