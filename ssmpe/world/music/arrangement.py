"""Arrangement of a score: excerpts, transposed, for players within their ranges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ssmpe.world.music.instruments import INSTRUMENTS, Instrument
from ssmpe.world.music.passage import passage
from ssmpe.world.music.scores import Part, Score, ScoreNote
from ssmpe.world.music.tempo import Tempo, swaying

TEMPO_LIMITS = 40.0, 190.0  # quarter notes per minute
TRANSPOSITION = 4  # semitones either way
REST = 2.0  # quarter notes between movements
SHORTEST_MOVEMENT = 3.0  # seconds for which it is worth playing on

Player = tuple[str, slice]
"""Name of an instrument, and slice of the chosen parts of a score that it plays"""


@dataclass(frozen=True)
class Voice:
    """Notes of one player, in quarter notes from the start of the excerpt."""

    instrument: Instrument
    notes: Part


@dataclass(frozen=True)
class Arrangement:
    """Music that has been given to players."""

    voices: tuple[Voice, ...]
    tempo: Tempo


@dataclass(frozen=True)
class _Movement:
    """Music played in one go: ``length`` in quarter notes, ``tempo`` in these a minute."""

    voices: tuple[Voice, ...]
    length: float
    tempo: float

    @property
    def seconds(self) -> float:
        """Duration, with the rest that follows."""
        return (self.length + REST) * 60 / self.tempo


def arrange(
    score: Score,
    players: Sequence[Player],
    seconds: float,
    rng: np.random.Generator,
    rubato: float = 0.0,
) -> Arrangement:
    """Choose an excerpt of the score and give it to players.

    As many parts of the score are taken as ``players`` ask for, outer parts first; each player
    takes a slice of these and plays it in the octave that suits the instrument. A score that is
    over too soon is played again, as a further movement in another key and at another tempo.

    Args:
        seconds: length of the excerpt.
        rubato: standard deviation of the tempo, relative to its mean; 0 keeps it steady.
    """
    movements: list[_Movement] = []
    left = seconds
    while not movements or left >= SHORTEST_MOVEMENT:
        movements.append(_movement(score, players, left, rng))
        left -= movements[-1].seconds
    return Arrangement(_joined(movements), _tempo(movements, rubato, rng))


def _movement(
    score: Score, players: Sequence[Player], seconds: float, rng: np.random.Generator
) -> _Movement:
    """Arrange a movement that lasts for ``seconds``, or as long as the score does."""
    needed = max((part.stop or 1) for _, part in players)
    pace = rng.uniform(1.3, 3.2)  # onsets per second of the busiest part
    busiest = max(_onsets_per_quarter(part) for part in score.parts)
    tempo = float(np.clip(60 * pace / busiest, *TEMPO_LIMITS))
    length = min(seconds * tempo / 60, score.end)
    parts = passage(score, length, needed, rng)
    transposition = int(rng.integers(-TRANSPOSITION, TRANSPOSITION + 1))
    voices = []
    for name, part in players:
        instrument = INSTRUMENTS[name]
        notes = tuple(note for one in parts[part] for note in one)
        notes = _in_range(notes, instrument, transposition)
        notes = _without_unisons(notes) if instrument.chords else _single_line(notes)
        voices.append(Voice(instrument, notes))
    return _Movement(tuple(voices), length, tempo)


def _joined(movements: Sequence[_Movement]) -> tuple[Voice, ...]:
    """Join all that each player plays, movement after movement."""
    starts = np.cumsum([0.0] + [movement.length + REST for movement in movements[:-1]])
    return tuple(
        replace(
            voices[0],
            notes=tuple(
                replace(note, onset=float(start) + note.onset)
                for start, voice in zip(starts, voices, strict=True)
                for note in voice.notes
            ),
        )
        for voices in zip(*(movement.voices for movement in movements), strict=True)
    )


def _tempo(movements: Sequence[_Movement], rubato: float, rng: np.random.Generator) -> Tempo:
    """Join the tempi of all movements, with the rests between them."""
    lengths: list[float] = []
    paces: list[float] = []
    for movement in movements:
        pace = 60 / movement.tempo
        quarters = [movement.length]
        if rubato:
            whole = max(int(movement.length) - 1, 0)
            quarters = [1.0] * whole + [movement.length - whole]
        lengths += [*quarters, REST]
        paces += [*(pace * swaying(quarters, rubato, rng)).tolist(), pace]
    return Tempo.of(movements[0].tempo, lengths, paces)


def _onsets_per_quarter(part: Part) -> float:
    onsets = {note.onset for note in part}
    sounding = sum(note.duration for note in part) / max(len(part) / len(onsets), 1)
    return len(onsets) / max(sounding, 1e-3)


def _in_range(notes: Part, instrument: Instrument, transposition: int) -> Part:
    """Transpose notes, and move them by the octaves that suit the instrument best.

    Notes that are still out of its range are moved into it one by one.
    """
    if not notes:
        return notes
    keys = np.array([note.key for note in notes]) + transposition
    octaves = 12 * np.arange(-3, 4)
    moved = keys + octaves[:, None]
    outside = np.mean((moved < instrument.low) | (moved > instrument.high), axis=1)
    best = int(np.argmin(np.round(outside, 1) + 0.01 * np.abs(octaves)))
    keys = moved[best]
    while np.any(keys < instrument.low):
        keys = np.where(keys < instrument.low, keys + 12, keys)
    while np.any(keys > instrument.high):
        keys = np.where(keys > instrument.high, keys - 12, keys)
    return tuple(replace(note, key=int(key)) for note, key in zip(notes, keys, strict=True))


def _single_line(notes: Part) -> Part:
    """Keep one note at a time: the highest of those that begin together, until the next begins."""
    highest: dict[float, ScoreNote] = {}
    for note in sorted(notes, key=lambda n: (n.onset, n.key)):
        highest[note.onset] = note
    line = list(highest.values())
    for i, following in enumerate(line[1:]):
        line[i] = replace(line[i], duration=min(line[i].duration, following.onset - line[i].onset))
    return tuple(line)


def _without_unisons(notes: Part) -> Part:
    """Have no key struck twice at once, and each released before it is struck again."""
    longest: dict[tuple[float, int], ScoreNote] = {}
    for note in notes:
        other = longest.get((note.onset, note.key))
        if other is None or other.duration < note.duration:
            longest[note.onset, note.key] = note
    ordered = sorted(longest.values(), key=lambda n: (n.onset, n.key))
    next_onset: dict[int, float] = {}
    kept = []
    for note in reversed(ordered):
        limit = next_onset.get(note.key, np.inf) - note.onset
        kept.append(replace(note, duration=float(min(note.duration, limit))))
        next_onset[note.key] = note.onset
    return tuple(reversed(kept))
