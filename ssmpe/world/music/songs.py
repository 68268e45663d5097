"""Songs that are made up: chords in a key, and what bass, chords, pad and lead make of them.

The corpus holds no popular music, so it is made up, to the plainest of its conventions: four-bar
progressions, a rhythm for each instrument, and a tune of two-bar phrases that come back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ssmpe.world.music.arrangement import Arrangement, Voice
from ssmpe.world.music.bands import Band, BassLine, Comping
from ssmpe.world.music.instruments import INSTRUMENTS, Instrument
from ssmpe.world.music.scores import Part, ScoreNote
from ssmpe.world.music.tempo import Tempo
from ssmpe.world.sound.drums import Pattern

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
# Degrees of the scale on which the chords of four bars stand.
PROGRESSIONS = {
    MAJOR: ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 0, 4), (5, 3, 0, 4), (1, 4, 0, 5)),
    MINOR: ((0, 5, 2, 6), (0, 3, 6, 0), (0, 6, 5, 6), (0, 2, 3, 5)),
}
BAR = 16  # sixteenths
# Onset and length in sixteenths, and which note of the chord, 3 being the octave.
BASS_LINES: dict[BassLine, tuple[tuple[int, int, int], ...]] = {
    "roots": tuple((i, 2, 0) for i in range(0, BAR, 2)),
    "long": ((0, 12, 0), (12, 4, 2)),
    "syncopated": ((0, 3, 0), (3, 3, 0), (6, 2, 2), (8, 3, 0), (11, 3, 3), (14, 2, 2)),
    "walking": ((0, 4, 0), (4, 4, 1), (8, 4, 2), (12, 4, 3)),
}
COMPING: dict[Comping, tuple[tuple[int, int], ...]] = {
    "pad": ((0, BAR),),
    "strum": ((0, 4), (4, 2), (6, 4), (10, 2), (12, 2), (14, 2)),
    "stabs": ((2, 2), (6, 2), (10, 2), (14, 2)),
    "quarters": ((0, 4), (4, 4), (8, 4), (12, 4)),
    "arpeggio": tuple((i, 4) for i in range(0, BAR, 2)),
}
PHRASE = 2 * BAR
LENGTHS = (2, 2, 2, 3, 4, 4, 6, 8)  # of the notes of a tune, in sixteenths
REST = 0.15  # share of them that are rests
STEPS = (-3, -2, -1, -1, 0, 1, 1, 2, 3)  # of the scale, from note to note
CHORD_CENTRE, TUNE_CENTRE = (55, 66), (65, 79)  # MIDI; least and greatest
COMPASS = 9  # semitones that a tune goes either way


@dataclass(frozen=True)
class SongPart:
    """Music of one player; an instrument of single lines plays chords as several voices."""

    instrument: str
    voices: tuple[Voice, ...]


@dataclass(frozen=True)
class Song:
    """Parts, and the drummer's bar and kit, if any; ``tempo`` in quarter notes a minute."""

    parts: tuple[SongPart, ...]
    tempo: int
    drums: Pattern | None
    kit: int

    @property
    def arrangement(self) -> Arrangement:
        """Arrangement of all voices, part by part."""
        voices = tuple(voice for part in self.parts for voice in part.voices)
        return Arrangement(voices, Tempo.of(self.tempo, [1.0], [60 / self.tempo]))


@dataclass(frozen=True)
class _Harmony:
    """Chord of each bar: its degree in a scale on a tonic (pitch class)."""

    tonic: int
    scale: tuple[int, ...]
    degrees: tuple[int, ...]
    notes: int

    def key(self, step: int) -> int:
        """Return the MIDI key of a step of the scale, counted from the tonic below key 12."""
        return self.tonic + 12 * (step // 7) + self.scale[step % 7]

    def chord(self, bar: int) -> list[int]:
        """Return a bar's chord in thirds from the root, as keys in the lowest octaves."""
        return [self.key(self.degrees[bar] + 2 * k) for k in range(self.notes)]


def write_song(band: Band, seconds: float, rng: np.random.Generator) -> Song:
    """Write a song for a band, as long as asked for or a little longer."""
    tempo = int(rng.integers(band.tempo[0], band.tempo[1] + 1))
    harmony = _harmony(band, int(np.ceil(seconds * tempo / 60 / 4)), rng)
    parts = []
    for names, write in (
        (band.bass, lambda name: _bass(band, harmony, INSTRUMENTS[name])),
        (band.chords, lambda name: _chords(band.comping, harmony, INSTRUMENTS[name], rng)),
        (band.pad, lambda name: _chords(("pad",), harmony, INSTRUMENTS[name], rng)),
        (band.lead, lambda name: _tune(harmony, INSTRUMENTS[name], rng)),
    ):
        if names:
            name = str(rng.choice(names))
            parts.append(SongPart(name, tuple(write(name))))
    return Song(tuple(parts), tempo, band.drums, int(rng.choice(band.kits)))


def _harmony(band: Band, bars: int, rng: np.random.Generator) -> _Harmony:
    """Draw verses and choruses of eight bars in turn; each plays its progression twice."""
    scale = MAJOR if rng.random() < 0.6 else MINOR
    verse, chorus = rng.choice(len(PROGRESSIONS[scale]), 2, replace=False)
    sections = [PROGRESSIONS[scale][i] for i in (verse, verse, chorus, chorus)]
    degrees = tuple(sections[bar // 4 % 4][bar % 4] for bar in range(bars))
    return _Harmony(int(rng.integers(12)), scale, degrees, 4 if band.sevenths else 3)


def _bass(band: Band, harmony: _Harmony, instrument: Instrument) -> Iterator[Voice]:
    notes = []
    for bar in range(len(harmony.degrees)):
        chord = harmony.chord(bar)
        root = _near(chord[0], instrument.low + 6)
        above = [*(key - chord[0] for key in chord[:3]), 12]
        for onset, length, which in BASS_LINES[band.bass_line]:
            notes.append(_note(bar * BAR + onset, length, root + above[which]))
    yield Voice(instrument, tuple(notes))


def _chords(
    comping: Sequence[Comping], harmony: _Harmony, instrument: Instrument, rng: np.random.Generator
) -> Iterator[Voice]:
    manner = comping[int(rng.integers(len(comping)))]
    centre = max(int(rng.integers(*CHORD_CENTRE)), instrument.low + 6)
    voices: list[list[ScoreNote]] = [[] for _ in range(harmony.notes)]
    for bar in range(len(harmony.degrees)):
        chord = sorted(_near(key, centre) for key in harmony.chord(bar))
        for i, (onset, length) in enumerate(COMPING[manner]):
            for k, key in enumerate(chord):
                if manner != "arpeggio" or k == i % len(chord):
                    voices[k].append(_note(bar * BAR + onset, length, key))
    if instrument.chords:
        yield Voice(instrument, _by_onset(note for voice in voices for note in voice))
    else:
        yield from (Voice(instrument, tuple(voice)) for voice in voices)


def _tune(harmony: _Harmony, instrument: Instrument, rng: np.random.Generator) -> Iterator[Voice]:
    """Write phrases in the order AABA; A returns with its rhythm and steps, to new chords."""
    phrases = [list(_phrase(rng)) for _ in range(2)]
    drawn = rng.integers(*TUNE_CENTRE)
    centre = int(np.clip(drawn, instrument.low + COMPASS, instrument.high - COMPASS))
    lowest, highest = (_step_at(harmony, centre + limit) for limit in (-COMPASS, COMPASS))
    position = (lowest + highest) // 2
    notes = []
    for bar in range(0, len(harmony.degrees), 2):
        for onset, length, step in phrases[bar // 2 % 4 == 2]:
            position = int(np.clip(position + step, lowest, highest))
            now = min(bar + onset // BAR, len(harmony.degrees) - 1)
            if onset % 4 == 0:
                tones = {(harmony.degrees[now] + 2 * k) % 7 for k in range(harmony.notes)}
                position = min(
                    (p for p in range(lowest, highest + 1) if p % 7 in tones),
                    key=lambda p: abs(p - position),
                )
            notes.append(_note(bar * BAR + onset, length, harmony.key(position)))
    yield Voice(instrument, tuple(notes))


def _phrase(rng: np.random.Generator) -> Iterator[tuple[int, int, int]]:
    """Draw the notes of a phrase: onset and length in sixteenths, steps from the note before."""
    onset = 0
    while onset < PHRASE:
        length = min(int(rng.choice(LENGTHS)), PHRASE - onset)
        if rng.random() >= REST:
            yield onset, length, int(rng.choice(STEPS))
        onset += length


def _step_at(harmony: _Harmony, key: int) -> int:
    """Return the step of the scale at or just below a key."""
    return max(step for step in range(7 * 11) if harmony.key(step) <= key)


def _near(key: int, centre: int) -> int:
    """Move a key into the octave that has ``centre`` in its middle."""
    return centre - 6 + (key - centre + 6) % 12


def _note(onset: int, length: int, key: int) -> ScoreNote:
    return ScoreNote(onset / 4, length / 4, key)


def _by_onset(notes: Iterator[ScoreNote]) -> Part:
    return tuple(sorted(notes, key=lambda n: (n.onset, n.key)))
