"""Notes from the pitches of frames, and MIDI files of them."""

from array import array
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from ssmpe import units

MIN_SECONDS = 0.05
"""Least duration of a note: a thirty-second at 150 beats a minute"""
TICKS_PER_SECOND = 960
_TICKS_PER_BEAT = 480  # at MIDI's own tempo of two beats a second
_VELOCITY = 80
_N_PITCHES = 128
_UP = 1e-6


class NoteTracker:
    """A collector of the pitches of frame after frame; a note is a run of frames of one semitone.

    Args:
        frame_rate: frames per second.
    """

    def __init__(self, frame_rate: float) -> None:
        self._rate = frame_rate
        self._least = max(1, round(MIN_SECONDS * frame_rate))
        self._n_frames = 0
        self._last = np.zeros(_N_PITCHES, bool)
        self._since = np.zeros(_N_PITCHES, np.int64)
        # pitch, first frame, frame behind the last: bare numbers, as of hours there are many
        self._notes = array("q")

    def add(self, f0s: Sequence[NDArray[np.float64]]) -> None:
        """Add frames with their F0s in Hz; what lies outside MIDI's range is left out."""
        roll = _piano_roll(f0s)
        padded = np.concatenate([self._last[:, None], roll], axis=1)
        pitches, frames = np.nonzero(padded[:, 1:] != padded[:, :-1])
        for pitch, frame in zip(pitches.tolist(), frames.tolist(), strict=True):
            if roll[pitch, frame]:
                self._since[pitch] = self._n_frames + frame
            else:
                self._end(pitch, self._n_frames + frame)
        self._last = padded[:, -1]
        self._n_frames += len(f0s)

    def notes(self) -> NDArray[np.int64]:
        """Return notes (N, 3) by onset: MIDI pitch, first frame, frame behind the last.

        Notes that still sound end with the last frame; to be called when all has been added.
        """
        for pitch in np.flatnonzero(self._last).tolist():
            self._end(pitch, self._n_frames)
        self._last = np.zeros(_N_PITCHES, bool)
        notes = np.array(self._notes, np.int64).reshape(-1, 3)
        return notes[np.lexsort((notes[:, 0], notes[:, 1]))]

    def save(self, path: Path) -> int:
        """Write all notes as a MIDI file of one track; return their number."""
        notes = self.notes()
        ticks = np.rint(notes[:, 1:] * (TICKS_PER_SECOND / self._rate)).astype(np.int64)
        # 0 for an end and 1 for a start: ends come first where a note is repeated
        events = []
        for pitch, (start, stop) in zip(notes[:, 0].tolist(), ticks.tolist(), strict=True):
            events += [(start, 1, pitch), (stop, 0, pitch)]
        file = mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_BEAT)
        track = file.add_track()
        now = 0
        for tick, starts, pitch in sorted(events):
            kind = "note_on" if starts else "note_off"
            velocity = _VELOCITY if starts else 0
            track.append(mido.Message(kind, note=pitch, velocity=velocity, time=tick - now))
            now = tick
        file.save(path)
        return len(notes)

    def _end(self, pitch: int, frame: int) -> None:
        since = int(self._since[pitch])
        if frame - since >= self._least:
            self._notes.extend((pitch, since, frame))


def _piano_roll(f0s: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Turn F0s in Hz of T frames into booleans (128, T): semitones that sound."""
    roll = np.zeros((_N_PITCHES, len(f0s)), bool)
    counts = [len(frame) for frame in f0s]
    if sum(counts):
        frames = np.repeat(np.arange(len(f0s)), counts)
        # half a semitone above is the next one, for every semitone alike
        pitches = np.floor(units.hz_to_midi(np.concatenate(f0s)) + 0.5 + _UP).astype(int)
        inside = (pitches >= 0) & (pitches < _N_PITCHES)
        roll[pitches[inside], frames[inside]] = True
    return roll
