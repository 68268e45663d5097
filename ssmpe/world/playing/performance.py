"""Performance of an arrangement: timing, dynamics, intonation, vibrato; exactly labelled audio."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ssmpe.units import Floats, midi_to_hz
from ssmpe.world.music.arrangement import Arrangement, Voice
from ssmpe.world.music.scores import ScoreNote
from ssmpe.world.music.tempo import Tempo
from ssmpe.world.sound.sampler import RATE, PitchCurve, general_midi_sampler
from ssmpe.world.sound.wave import Audio

LEAD_IN, RING_OUT = (0.1, 0.4), 0.7  # seconds of silence before, and left for the last notes after
JITTER = 0.010  # seconds, standard deviation of onsets around the beat
PIECE_DETUNING, PART_DETUNING, NOTE_DETUNING = 0.10, 0.04, 0.06  # semitones, standard deviations
DAMPING = 0.025  # seconds in which a note fades just before the next of its part begins
PART_LEVEL, PART_BALANCE = 0.08, 2.5  # root mean square; standard deviation in dB between parts
VELOCITIES = 55, 120  # softest and loudest
SECTION = 15.0  # seconds over which dynamics wander freely
SHORTEST = 0.08  # seconds


@dataclass(frozen=True)
class HeardNote:
    """A written note as it is heard, from ``onset`` to ``offset``; struck at ``struck`` (in s)."""

    written: ScoreNote
    onset: float
    offset: float
    struck: float
    pitch: PitchCurve

    def midi_at(self, times: Floats) -> Floats:
        """Return the MIDI pitch at the given times."""
        return self.pitch.at(times - self.struck)


@dataclass(frozen=True)
class PartRecording:
    """Recording of one player: audio (N,) at the sampler's rate and the notes in it, by onset."""

    program: int
    audio: Audio
    notes: tuple[HeardNote, ...]

    def f0(self, times: Floats) -> Floats:
        """Return the F0 in Hz (T,) of a player of single lines; 0 where silent."""
        f0 = np.zeros(len(times))
        for note in self.notes:
            sounding = (times >= note.onset) & (times < note.offset)
            f0[sounding] = midi_to_hz(note.midi_at(times[sounding]))
        return f0


@dataclass(frozen=True)
class Touch:
    """Manner of playing a written note, before it is known how long it rings.

    Attributes:
        struck: seconds; ``duration`` is how long it is held after that.
        velocity: 1–127.
        damped: when (in seconds) it begins to be cut off for the player's next note.
    """

    written: ScoreNote
    struck: float
    duration: float
    velocity: int
    pitch: PitchCurve
    damped: float = np.inf


def musical_seconds(seconds: float) -> float:
    """Return how much music fits into a recording of this length."""
    return seconds - LEAD_IN[1] - RING_OUT


def perform(
    arrangement: Arrangement, seconds: float, rng: np.random.Generator
) -> tuple[PartRecording, ...]:
    """Perform all voices of an arrangement into recordings of the given length."""
    start = rng.uniform(*LEAD_IN)
    concert_pitch = rng.normal(0, PIECE_DETUNING)
    recordings = []
    for voice in arrangement.voices:
        touches = play(voice, arrangement.tempo, start, concert_pitch, rng)
        recording = record(voice.instrument.program, touches, seconds)
        recordings.append(balanced(recording, rng.normal(0, PART_BALANCE)))
    return tuple(recordings)


def play(
    voice: Voice, tempo: Tempo, start: float, concert_pitch: float, rng: np.random.Generator
) -> list[Touch]:
    """Give the notes of a voice their times, dynamics and intonation.

    Args:
        start: of the music in seconds.
        concert_pitch: semitones above 440 Hz tuning.
    """
    instrument = voice.instrument
    detuning = concert_pitch
    if not instrument.fixed_pitch:
        detuning += rng.normal(0, PART_DETUNING)
    articulation = rng.uniform(0.86, 1.0)
    begun = [tempo.at(note.onset) for note in voice.notes]
    touches = []
    for note, beat, velocity in zip(voice.notes, begun, _dynamics(begun, rng), strict=True):
        struck = max(start + beat + np.clip(rng.normal(0, JITTER), -0.03, 0.03), 0)
        duration = max(tempo.lasting(note.onset, note.duration) * articulation, SHORTEST)
        bend = 0.0 if instrument.fixed_pitch else rng.normal(0, NOTE_DETUNING)
        pitch = _vibrato(note.key + detuning + bend, instrument.vibrato, duration, rng)
        strength = int(np.clip(velocity, *VELOCITIES))
        touches.append(Touch(note, struck, duration, strength, pitch))
    return damped(touches, by_key=instrument.chords)


def _dynamics(begun: Sequence[float], rng: np.random.Generator) -> Floats:
    """Draw the velocities (N,) of notes that begin at the given seconds.

    They wander from note to note and, lest they end up at an extreme, start anew with each section.
    """
    wander = np.cumsum(rng.normal(0, 3.5, len(begun)))
    section = np.floor_divide(begun, SECTION)
    first = np.searchsorted(section, section)
    return np.asarray(92 + wander - np.where(first > 0, wander[first - 1], 0))


def _vibrato(midi: float, largest: float, duration: float, rng: np.random.Generator) -> PitchCurve:
    """Draw a pitch with a vibrato of up to ``largest`` cents, on notes long enough for one."""
    depth, rate = largest / 100 * rng.uniform(0.3, 1.0), rng.uniform(4.8, 6.4)
    phase, delay = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.3)
    if not largest or duration < 0.3:
        return PitchCurve(midi)
    return PitchCurve(midi, depth, rate, phase, delay)


def damped(touches: Sequence[Touch], by_key: bool) -> list[Touch]:
    """Cut each note off at the player's next one, or at the next of the same key only."""
    ordered = sorted(touches, key=lambda t: t.struck)
    following: dict[int, float] = {}
    cut = []
    for touch in reversed(ordered):
        group = touch.written.key if by_key else 0
        cut.append(replace(touch, damped=following.get(group, np.inf) - DAMPING))
        following[group] = touch.struck
    return cut[::-1]


def record(program: int, touches: Sequence[Touch], seconds: float) -> PartRecording:
    """Render notes into a recording of the given length."""
    audio = np.zeros(round(seconds * RATE), np.float32)
    notes = []
    for touch in touches:
        held = min(touch.duration, touch.damped - touch.struck, seconds - touch.struck)
        if held <= 0:
            continue
        note = general_midi_sampler().note(
            program, touch.written.key, touch.velocity, touch.pitch, held
        )
        first = round(touch.struck * RATE)
        sound = _cut(note.audio, touch.damped - first / RATE)[: len(audio) - first]
        audio[first : first + len(sound)] += sound
        onset = touch.struck + note.heard_from
        offset = min(touch.struck + note.heard_until, touch.damped + DAMPING / 2, seconds)
        if offset > onset:
            notes.append(HeardNote(touch.written, onset, offset, first / RATE, touch.pitch))
    return PartRecording(program, audio, tuple(notes))


def _cut(sound: Audio, after: float) -> Audio:
    """Fade a sound to silence within ``DAMPING`` seconds from ``after`` on."""
    if after * RATE >= len(sound):
        return sound
    end = round((after + DAMPING) * RATE)
    time = np.arange(min(end, len(sound))) / RATE
    fade = np.clip(1 - (time - after) / DAMPING, 0, 1).astype(np.float32)
    return np.asarray(sound[: len(fade)] * fade)


def balanced(recording: PartRecording, gain: float) -> PartRecording:
    """Bring a recording to the common level of parts, ``gain`` dB aside."""
    return replace(recording, audio=at_part_level(recording.audio, gain))


def at_part_level(audio: Audio, gain: float) -> Audio:
    """Bring a part's audio (N,) to the common level of parts, ``gain`` dB aside."""
    loud = audio[np.abs(audio) > 1e-3]
    level = float(np.sqrt(np.mean(loud**2))) if len(loud) else 1.0
    return np.asarray(audio * np.float32(PART_LEVEL / level * 10 ** (gain / 20)))
