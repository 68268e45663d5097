"""Schubert Winterreise Dataset: songs in several performances."""

from dataclasses import dataclass
from pathlib import Path

from ssmpe.seeding import numpy_generator
from ssmpe.world.playing.programme import Music
from ssmpe.world.sound.studio import mix, write_wav


@dataclass(frozen=True)
class SwdSong:
    """A recording: number of the song in the cycle, performers, and what is played."""

    number: int
    performance: str
    music: Music
    seconds: float

    @property
    def name(self) -> str:
        """Name of the file, without suffix."""
        return f"Schubert_D911-{self.number:02d}_{self.performance}"

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"SWD {self.name}"

    def write(self, root: Path) -> None:
        """Perform the song and write its audio."""
        rng = numpy_generator("world", "SWD", self.name)
        audio = mix(self.music.stems(self.seconds, rng), rng)
        write_wav(root / "SWD" / "01_RawData" / "audio_wav" / f"{self.name}.wav", audio)
