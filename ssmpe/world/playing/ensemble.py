"""Performing with pianists who use the pedal, and with drummers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ssmpe.world.music.arrangement import Arrangement
from ssmpe.world.music.songs import Song
from ssmpe.world.playing.pedal import PIANOS, PianoPlaying, with_pedal
from ssmpe.world.playing.performance import (
    LEAD_IN,
    PART_BALANCE,
    PIECE_DETUNING,
    PartRecording,
    balanced,
    play,
    record,
)
from ssmpe.world.sound.drums import perform_pattern, record_drums
from ssmpe.world.sound.wave import Audio

Ending = Callable[[PianoPlaying, float], PianoPlaying]
"""What becomes of a pianist's playing towards the end (in seconds) of a recording."""


@dataclass(frozen=True)
class PlayedPart:
    """A player's recording, and what a pianist did for it."""

    recording: PartRecording
    piano: PianoPlaying | None = None


def perform_with_pedal(
    arrangement: Arrangement,
    seconds: float,
    rng: np.random.Generator,
    ending: Ending | None = None,
    start: float | None = None,
) -> tuple[PlayedPart, ...]:
    """Perform an arrangement as ``performance.perform`` does, but pianos with the pedal.

    Args:
        start: of the music in seconds; default: drawn.
    """
    start = rng.uniform(*LEAD_IN) if start is None else start
    concert_pitch = rng.normal(0, PIECE_DETUNING)
    parts = []
    for voice in arrangement.voices:
        program = voice.instrument.program
        touches = play(voice, arrangement.tempo, start, concert_pitch, rng)
        piano = None
        if program in PIANOS:
            piano = with_pedal(program, touches)
            piano = ending(piano, seconds) if ending else piano
            touches = list(piano.touches)
        recording = record(program, touches, seconds)
        parts.append(PlayedPart(balanced(recording, rng.normal(0, PART_BALANCE)), piano))
    return tuple(parts)


def perform_song(
    song: Song, seconds: float, rng: np.random.Generator, ending: Ending | None = None
) -> tuple[tuple[tuple[PlayedPart, ...], ...], Audio | None]:
    """Perform a song from its first bar on.

    Returns:
        The voices of each of its parts, and the drums.
    """
    played = iter(perform_with_pedal(song.arrangement, seconds, rng, ending, start=0.0))
    parts = tuple(tuple(next(played) for _ in part.voices) for part in song.parts)
    if song.drums is None:
        return parts, None
    strikes = perform_pattern(song.drums, song.tempo, seconds, rng)
    return parts, record_drums(song.kit, strikes, seconds)
