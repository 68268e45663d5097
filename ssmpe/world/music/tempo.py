"""Tempo of a performance: steady, or swaying as players let it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssmpe.units import Floats

MEMORY = 0.9  # of the tempo from one quarter note to the next
PHRASE = 16  # quarter notes, four common bars
# By how much the last quarter notes of a phrase, and of a movement, are longer: multiples of the
# standard deviation of the tempo.
PHRASE_END, FINAL = (1.0, 3.0), (2.0, 4.0, 6.0, 9.0)


@dataclass(frozen=True)
class Tempo:
    """Stretches of steady tempo, the first from the beginning on.

    Attributes:
        beats (K,): quarter notes at which the stretches begin, rising from 0.
        seconds (K,): when that is.
        paces (K,): seconds per quarter note.
        marked: quarter notes per minute as printed at the head of the score.
    """

    marked: float
    beats: tuple[float, ...]
    seconds: tuple[float, ...]
    paces: tuple[float, ...]

    @classmethod
    def of(cls, marked: float, lengths: Sequence[float], paces: Sequence[float]) -> "Tempo":
        """Join stretches of given lengths in quarter notes; the last has no end."""
        beats = np.concatenate(([0.0], np.cumsum(lengths[:-1])))
        seconds = np.concatenate(([0.0], np.cumsum(np.multiply(lengths, paces)[:-1])))
        return cls(marked, tuple(beats.tolist()), tuple(seconds.tolist()), tuple(paces))

    def at(self, beat: float) -> float:
        """Return the second at which a beat (in quarter notes) falls."""
        i = self._stretch(beat)
        return self.seconds[i] + (beat - self.beats[i]) * self.paces[i]

    def lasting(self, beat: float, duration: float) -> float:
        """Return the seconds that a note lasts which begins at a beat; both in quarter notes."""
        first, last = self._stretch(beat), self._stretch(beat + duration)
        if first == last:
            return duration * self.paces[first]
        return self.at(beat + duration) - self.at(beat)

    def _stretch(self, beat: float) -> int:
        return max(int(np.searchsorted(self.beats, beat, side="right")) - 1, 0)


def swaying(lengths: Sequence[float], rubato: float, rng: np.random.Generator) -> Floats:
    """Draw relative paces (K,) of a movement's stretches, a quarter note or so each; 1 on average.

    The tempo wanders slowly, with a standard deviation of ``rubato``; phrases end more slowly, and
    the movement more slowly still. No rubato draws nothing.

    Args:
        lengths (K,): of the stretches in quarter notes.
    """
    count = len(lengths)
    if not rubato:
        return np.ones(count)
    drift = rng.normal(0, rubato)
    wander = np.empty(count)
    for i, step in enumerate(rng.normal(0, rubato * np.sqrt(1 - MEMORY**2), count)):
        wander[i] = drift = MEMORY * drift + step
    slowing = np.zeros(count)
    for i, factor in enumerate(PHRASE_END, PHRASE - len(PHRASE_END)):
        slowing[i::PHRASE] = factor
    final = FINAL[-count:]
    slowing[count - len(final) :] = final
    paces = np.exp(wander) * (1 + rubato * slowing)
    return np.asarray(paces / np.average(paces, weights=lengths))
