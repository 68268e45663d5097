"""MedleyDB: mixtures of all kinds of music with their stems."""

from dataclasses import dataclass
from pathlib import Path

from ssmpe.seeding import numpy_generator
from ssmpe.world.playing.programme import Music
from ssmpe.world.sound.studio import STANDARD, AudioFormat, mix, write_wav


@dataclass(frozen=True)
class MedleyTrack:
    """A recording: artist and title as one name, and what is played."""

    name: str
    music: Music
    seconds: float
    stems: AudioFormat = STANDARD

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"MedleyDB {self.name}"

    def write(self, root: Path) -> None:
        """Perform the music and write mixture and stems."""
        rng = numpy_generator("world", "MedleyDB", self.name)
        stems = self.music.stems(self.seconds, rng)
        folder = root / "MedleyDB" / "Audio" / self.name
        write_wav(folder / f"{self.name}_MIX.wav", mix(stems, rng))
        for k, stem in enumerate(stems, 1):
            path = folder / f"{self.name}_STEMS" / f"{self.name}_STEM_{k:02d}.wav"
            write_wav(path, stem, self.stems)
