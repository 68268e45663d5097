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
_TICKS_PER_BEAT = 480
_TEMPO = 500_000  # microseconds a beat: two beats a second; no beats are looked for
_VELOCITY, _LOUDEST = 80, 127
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
        # loudest so far of what still sounds
        self._loudest = np.zeros(_N_PITCHES)
        # pitch, first frame, frame behind the last: bare numbers, as of hours there are many
        self._notes, self._velocities = array("q"), array("B")

    def add(
        self, f0s: Sequence[NDArray[np.float64]], levels: NDArray[np.float32] | None = None
    ) -> None:
        """Add frames with their F0s in Hz; what lies outside MIDI's range is left out.

        Args:
            levels: how loud each F0 is, from 0 to 1, frame after frame; a note has the velocity
                of its loudest frame. None: all notes have one velocity.
        """
        loudness = _loudness(f0s, levels)
        roll = loudness >= 0
        padded = np.concatenate([self._last[:, None], roll], axis=1)
        begun = np.zeros(_N_PITCHES, np.int64)
        pitches, frames = np.nonzero(padded[:, 1:] != padded[:, :-1])
        for pitch, frame in zip(pitches.tolist(), frames.tolist(), strict=True):
            if roll[pitch, frame]:
                self._since[pitch] = self._n_frames + frame
                begun[pitch], self._loudest[pitch] = frame, 0.0
            else:
                self._louden(pitch, loudness[pitch, begun[pitch] : frame])
                self._end(pitch, self._n_frames + frame)
        self._last = padded[:, -1]
        for pitch in np.flatnonzero(self._last).tolist():
            self._louden(pitch, loudness[pitch, begun[pitch] :])
        self._n_frames += len(f0s)

    def notes(self) -> NDArray[np.int64]:
        """Return notes (N, 3) by onset: MIDI pitch, first frame, frame behind the last.

        Notes that still sound end with the last frame; to be called when all has been added.
        """
        for pitch in np.flatnonzero(self._last).tolist():
            self._end(pitch, self._n_frames)
        self._last = np.zeros(_N_PITCHES, bool)
        return self._sorted()[:, :3]

    def _sorted(self) -> NDArray[np.int64]:
        """Return notes (N, 4) by onset, the last number their velocity."""
        notes = np.array(self._notes, np.int64).reshape(-1, 3)
        table = np.column_stack([notes, np.array(self._velocities, np.int64)])
        return table[np.lexsort((notes[:, 0], notes[:, 1]))]

    def save(self, path: Path) -> int:
        """Write all notes as a MIDI file of one track; return their number.

        Times are those of the recording, at a tempo of 120 beats a minute.
        """
        self.notes()
        notes = self._sorted()
        ticks = np.rint(notes[:, 1:3] * (TICKS_PER_SECOND / self._rate)).astype(np.int64)
        # 0 for an end and 1 for a start: ends come first where a note is repeated
        events = []
        for (pitch, *_, velocity), (start, stop) in zip(
            notes.tolist(), ticks.tolist(), strict=True
        ):
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
        return len(notes)

    def _louden(self, pitch: int, levels: NDArray[np.float64]) -> None:
        self._loudest[pitch] = levels.max(initial=self._loudest[pitch])

    def _end(self, pitch: int, frame: int) -> None:
        since = int(self._since[pitch])
        if frame - since >= self._least:
            self._notes.extend((pitch, since, frame))
            self._velocities.append(max(1, round(_LOUDEST * min(self._loudest[pitch], 1.0))))


def _loudness(
    f0s: Sequence[NDArray[np.float64]], levels: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """Turn F0s in Hz of T frames into levels (128, T) of semitones; -1 where one is silent."""
    roll = np.full((_N_PITCHES, len(f0s)), -1.0)
    counts = [len(frame) for frame in f0s]
    if sum(counts):
        frames = np.repeat(np.arange(len(f0s)), counts)
        # half a semitone above is the next one, for every semitone alike
        pitches = np.floor(units.hz_to_midi(np.concatenate(f0s)) + 0.5 + _UP).astype(int)
        inside = (pitches >= 0) & (pitches < _N_PITCHES)
        loud = np.full(len(pitches), _VELOCITY / _LOUDEST) if levels is None else levels
        np.maximum.at(roll, (pitches[inside], frames[inside]), loud[inside])
    return roll
