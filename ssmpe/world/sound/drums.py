"""Drums: patterns of a bar, and their performance on a kit of the soundfont."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssmpe.world.sound.sampler import RATE, general_midi_sampler
from ssmpe.world.sound.wave import Audio

KICK, SNARE, RIM, HAT, OPEN_HAT, RIDE, CRASH, TOM = 36, 38, 37, 42, 46, 51, 49, 45

Pattern = Mapping[int, Sequence[int]]
"""Sixteenths of a 4/4 bar on which each drum (its key) is struck."""

PATTERNS: dict[str, Pattern] = {
    "rock": {KICK: (0, 6, 8), SNARE: (4, 12), HAT: tuple(range(0, 16, 2))},
    "funk": {KICK: (0, 3, 10), SNARE: (4, 7, 9, 12), HAT: tuple(range(16)), OPEN_HAT: (14,)},
    "jazz": {RIDE: (0, 4, 7, 8, 12, 15), HAT: (4, 12), KICK: (0, 10), SNARE: (7,)},
    "latin": {KICK: (0, 3, 8, 11), RIM: (0, 3, 6, 10, 12), HAT: tuple(range(0, 16, 2))},
    "hiphop": {KICK: (0, 7, 10), SNARE: (4, 12), HAT: tuple(range(0, 16, 2)), TOM: (15,)},
}
HIT = 0.25  # seconds from strike to note-off
SLIP = 0.008  # seconds, standard deviation of strikes around the beat


@dataclass(frozen=True)
class Strike:
    """A stroke at ``time`` seconds."""

    time: float
    key: int
    velocity: int


def perform_pattern(
    pattern: Pattern, bpm: int, seconds: float, rng: np.random.Generator
) -> list[Strike]:
    """Repeat a bar with varied strokes, a fill of toms now and then, and a crash after it."""
    sixteenth = 15 / bpm
    strikes = []
    for bar in range(int(seconds / (16 * sixteenth)) + 1):
        fill = bar % 4 == 3
        strokes = [(key, step) for key, steps in pattern.items() for step in steps]
        if fill:
            strokes = [(k, s) for k, s in strokes if s < 12] + [(TOM, s) for s in range(12, 16)]
        if bar and bar % 4 == 0:
            strokes.append((CRASH, 0))
        for key, step in strokes:
            accent = 96 if step % 4 == 0 else 74
            velocity = int(np.clip(rng.normal(accent, 9), 25, 124))
            time = max((16 * bar + step) * sixteenth + rng.normal(0, SLIP), 0)
            if rng.random() < 0.93 and time < seconds - 0.05:
                strikes.append(Strike(time, key, velocity))
    return sorted(strikes, key=lambda s: s.time)


def record_drums(kit: int, strikes: Sequence[Strike], seconds: float) -> Audio:
    """Render audio (N,) of strikes on a kit (program of bank 128)."""
    sampler = general_midi_sampler()
    audio = np.zeros(round(seconds * RATE), np.float32)
    for strike in strikes:
        first = round(strike.time * RATE)
        sound = sampler.hit(kit, strike.key, strike.velocity, HIT)[: len(audio) - first]
        audio[first : first + len(sound)] += sound
    return audio
