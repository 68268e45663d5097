"""Piano playing with the sustain pedal: when it is down, and how long that makes notes last.

Piano rolls, as MIDI files hold them, have a note end with its key or with the pedal, and so it
does here: its dampers fall at once, and the pedal is lifted before a note that it holds has died.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ssmpe.world.music.instruments import INSTRUMENTS
from ssmpe.world.playing.performance import DAMPING, Touch
from ssmpe.world.sound.sampler import PitchCurve, general_midi_sampler

PIANOS = {INSTRUMENTS[name].program for name in ("piano", "bright_piano")}
CHANGE = 0.6  # seconds that a pedal is left down at least, before it is changed with a new note
LAG = 0.07  # seconds after that note until it is down again; no note is as short
SHORTEST_PRESS = 0.1  # seconds
LINGER = 0.4  # seconds for which the pedal stays down when the last key is released
LONGEST = 2.5  # seconds; no piano note is held longer than this


@dataclass(frozen=True)
class Press:
    """The pedal is down from ``down`` to ``up``, in seconds."""

    down: float
    up: float


@dataclass(frozen=True)
class Stroke:
    """A key that is down from ``struck`` to ``released``, in seconds."""

    key: int
    velocity: int
    struck: float
    released: float


@dataclass(frozen=True)
class PianoPlaying:
    """Strokes and presses of a pianist, and the notes (``touches``) that come of them."""

    strokes: tuple[Stroke, ...]
    presses: tuple[Press, ...]
    touches: tuple[Touch, ...]


def with_pedal(program: int, touches: Sequence[Touch]) -> PianoPlaying:
    """Play notes of a piano with the pedal.

    It is changed with a new note every ``CHANGE`` seconds or so. A key is released early enough
    for its note not to have died away by then.
    """
    touches = sorted(touches, key=lambda t: t.struck)
    death = [t.struck + _rings_for(program, t.written.key) for t in touches]
    released = [
        min(t.struck + t.duration, t.damped + DAMPING / 2, dead)
        for t, dead in zip(touches, death, strict=True)
    ]
    presses = _presses([t.struck for t in touches], released, death)
    ends = [_end(release, presses) for release in released]
    return PianoPlaying(
        strokes=tuple(
            Stroke(t.written.key, t.velocity, t.struck, release)
            for t, release in zip(touches, released, strict=True)
        ),
        presses=presses,
        touches=tuple(_ending(t, end) for t, end in zip(touches, ends, strict=True)),
    )


def _presses(
    struck: Sequence[float], released: Sequence[float], death: Sequence[float]
) -> tuple[Press, ...]:
    """Return when the pedal is down, given when notes begin, are released, and would die away."""
    if not struck:
        return ()
    changes = [struck[0]]
    for time in struck:
        if time - changes[-1] >= CHANGE:
            changes.append(time)
    changes.append(max(released) + LINGER)
    presses = []
    for change, following in pairwise(changes):
        down, up = change + LAG, following
        for release, dead in sorted(zip(released, death, strict=True)):
            if down <= release < up:
                up = min(up, dead)
        if up - down >= SHORTEST_PRESS:
            presses.append(Press(down, up))
    return tuple(presses)


def _end(released: float, presses: Sequence[Press]) -> float:
    """Return when a note ends whose key is released at the given time."""
    return next((p.up for p in presses if p.down <= released < p.up), released)


def _ending(touch: Touch, end: float) -> Touch:
    """Have the dampers of a note fall so that it has ended at the given time, if not before."""
    damped = min(touch.damped, end - DAMPING / 2)
    return replace(touch, duration=damped - touch.struck, damped=damped)


@lru_cache(maxsize=256)
def _rings_for(program: int, key: int) -> float:
    """Return for how many seconds a held note is heard, ``LONGEST`` at most."""
    note = general_midi_sampler().note(program, key, 90, PitchCurve(key), LONGEST)
    return float(np.minimum(note.heard_until, LONGEST))
