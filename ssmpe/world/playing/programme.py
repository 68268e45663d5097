"""Programme where no labels are needed: a piece of the corpus, or a song that is made up."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ssmpe.world.music.arrangement import Player, arrange
from ssmpe.world.music.bands import BANDS
from ssmpe.world.music.scores import read_score
from ssmpe.world.music.songs import write_song
from ssmpe.world.playing.ensemble import perform_song
from ssmpe.world.playing.performance import PART_BALANCE, at_part_level, musical_seconds, perform
from ssmpe.world.sound.wave import Audio


class Music(Protocol):
    """Music that can be recorded at any length."""

    def stems(self, seconds: float, rng: np.random.Generator) -> list[Audio]:
        """Record each player: a list of (N,)."""


@dataclass(frozen=True)
class ScoredMusic:
    """Piece, by its path within the corpus, for players; ``rubato`` as in ``arrange``."""

    source: str
    players: tuple[Player, ...]
    rubato: float = 0.0

    def stems(self, seconds: float, rng: np.random.Generator) -> list[Audio]:
        """Record an excerpt, from silence to silence."""
        score = read_score(self.source)
        arrangement = arrange(score, self.players, musical_seconds(seconds), rng, self.rubato)
        return [recording.audio for recording in perform(arrangement, seconds, rng)]


@dataclass(frozen=True)
class SongMusic:
    """Song for one of ``BANDS``."""

    band: str

    def stems(self, seconds: float, rng: np.random.Generator) -> list[Audio]:
        """Record the song from its first bar until time is up; the drums come last."""
        parts, drums = perform_song(write_song(BANDS[self.band], seconds, rng), seconds, rng)
        stems = [
            np.sum([voice.recording.audio for voice in part], axis=0) / np.float32(len(part) ** 0.5)
            for part in parts
        ]
        if drums is not None:
            stems.append(at_part_level(drums, rng.normal(0, PART_BALANCE)))
        return stems
