"""TRIOS: trios with piano, with audio and MIDI of each player; one of them has drums."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ssmpe.seeding import numpy_generator
from ssmpe.world.music.arrangement import Player, arrange
from ssmpe.world.music.bands import SAXOPHONE_TRIO
from ssmpe.world.music.scores import read_score
from ssmpe.world.music.songs import write_song
from ssmpe.world.playing.ensemble import PlayedPart, perform_song, perform_with_pedal
from ssmpe.world.playing.pedal import PianoPlaying, Press, Stroke
from ssmpe.world.playing.performance import Touch, at_part_level, musical_seconds
from ssmpe.world.sound.studio import STANDARD, AudioFormat, mix, write_wav
from ssmpe.world.sound.wave import Audio
from ssmpe.world.writers.midi import as_heard, as_played, write_midi

CUT = 0.06  # seconds before the end of a recording
IDLE = 0.2  # likewise


@dataclass(frozen=True)
class TriosPiece:
    """A piece: its name, source in the corpus, and who plays which parts; or a song, of no source.

    Two pieces end as files of the dataset do: "lussier" with a note that is struck when the
    recording is about to be cut, and never released; "schubert" with the pedal, down.
    """

    name: str
    source: str | None
    players: tuple[Player, ...]
    seconds: float
    stems: AudioFormat = STANDARD
    rubato: float = 0.0

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"TRIOS {self.name}"

    def write(self, root: Path) -> None:
        """Perform the piece and write its folder."""
        rng = numpy_generator("world", "TRIOS", self.name)
        folder = root / "TRIOS" / self.name
        stems = {}
        for instrument, part in self._perform(rng):
            if isinstance(part, PlayedPart):
                recording = part.recording
                stems[instrument] = recording.audio
                played = part.piano and as_played(recording.program, part.piano, self.seconds)
                write_midi(
                    folder / f"{instrument}.mid", played or as_heard(recording), self.seconds
                )
            else:
                stems[instrument] = part
        write_wav(folder / "mix.wav", mix(list(stems.values()), rng))
        for instrument, audio in stems.items():
            write_wav(folder / f"{instrument}.wav", audio, self.stems)

    def _perform(self, rng: np.random.Generator) -> Iterator[tuple[str, PlayedPart | Audio]]:
        """Yield the players' names and parts; drums have audio alone."""
        if self.source is None:
            song = write_song(SAXOPHONE_TRIO, musical_seconds(self.seconds), rng)
            parts, drums = perform_song(song, self.seconds, rng)
            for written, (part,) in zip(song.parts, parts, strict=True):
                yield written.instrument, part
            if drums is not None:
                yield "drums", at_part_level(drums, 0.0)
            return
        score = read_score(self.source)
        arrangement = arrange(score, self.players, musical_seconds(self.seconds), rng, self.rubato)
        ending = {"lussier": _cut, "schubert": _foot_on_pedal}.get(self.name)
        played = perform_with_pedal(arrangement, self.seconds, rng, ending)
        yield from zip((name for name, _ in self.players), played, strict=True)


def _cut(piano: PianoPlaying, seconds: float) -> PianoPlaying:
    """Strike a last note, of which the recording has only the beginning."""
    last, struck = piano.touches[-1], seconds - CUT
    touch = Touch(last.written, struck, CUT, last.velocity, last.pitch)
    stroke = Stroke(last.written.key, last.velocity, struck, seconds)
    return replace(piano, strokes=(*piano.strokes, stroke), touches=(*piano.touches, touch))


def _foot_on_pedal(piano: PianoPlaying, seconds: float) -> PianoPlaying:
    """Have the pedal down once more when all is over."""
    return replace(piano, presses=(*piano.presses, Press(seconds - IDLE, seconds)))
