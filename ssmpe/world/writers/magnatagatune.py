"""MagnaTagATune: MP3 clips of a label's catalogue."""

from dataclasses import dataclass
from pathlib import Path

from ssmpe.seeding import numpy_generator
from ssmpe.world.playing.programme import Music
from ssmpe.world.sound.studio import AudioFormat, mix, write_mp3

FORM = AudioFormat(rate=16000)


@dataclass(frozen=True)
class MagnatuneClip:
    """A clip: path within the dataset, without suffix, and what is played; empty without music."""

    name: str
    music: Music | None
    seconds: float

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"MagnaTagATune {self.name}"

    def write(self, root: Path) -> None:
        """Perform the music and write the clip."""
        path = root / "MagnaTagATune" / f"{self.name}.mp3"
        if self.music is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            return
        rng = numpy_generator("world", "MagnaTagATune", self.name)
        write_mp3(path, mix(self.music.stems(self.seconds, rng), rng), FORM)
