"""Bach10: four-part chorales for violin, clarinet, saxophone and bassoon."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy  # its modules load when they are used

from ssmpe.seeding import numpy_generator
from ssmpe.units import Floats, hz_to_midi
from ssmpe.world.music.arrangement import arrange
from ssmpe.world.music.scores import read_score
from ssmpe.world.playing.performance import musical_seconds, perform
from ssmpe.world.sound.studio import STANDARD, AudioFormat, mix, write_wav

PLAYERS = ("violin", "clarinet", "saxophone", "bassoon")
FILE_NAMES = ("violin", "clarinet", "saxphone", "bassoon")  # the dataset's own spelling
FIRST, HOP = 0.023, 0.010  # seconds
HEADER_TEXT = 116  # bytes of a MAT-file that are free text


@dataclass(frozen=True)
class Bach10Piece:
    """A chorale: its number and its source in the corpus."""

    number: int
    source: str
    seconds: float
    stems: AudioFormat = STANDARD
    rubato: float = 0.0

    @property
    def name(self) -> str:
        """Folder name."""
        title = "".join(filter(str.isalnum, Path(self.source).stem)).capitalize()
        return f"{self.number:02d}-{title}"

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"Bach10 {self.number:02d}"

    def write(self, root: Path) -> None:
        """Perform the piece and write its folder."""
        rng = numpy_generator("world", "Bach10", self.number)
        players = [(name, slice(i, i + 1)) for i, name in enumerate(PLAYERS)]
        score = read_score(self.source)
        arrangement = arrange(score, players, musical_seconds(self.seconds), rng, self.rubato)
        recordings = perform(arrangement, self.seconds, rng)
        folder = root / "Bach10" / self.name
        write_wav(folder / f"{self.name}.wav", mix([r.audio for r in recordings], rng))
        for file_name, recording in zip(FILE_NAMES, recordings, strict=True):
            write_wav(folder / f"{self.name}-{file_name}.wav", recording.audio, self.stems)
        times = np.arange(FIRST, self.seconds, HOP)
        f0 = np.stack([recording.f0(times) for recording in recordings])
        midi = np.where(f0 > 0, hz_to_midi(np.maximum(f0, 1.0)), 0.0)
        (folder / f"{self.name}-GTF0s.mat").write_bytes(_mat_file({"GTF0s": midi}))


def _mat_file(variables: dict[str, Floats]) -> bytes:
    """Make a MAT-file of level 5 whose header, unlike SciPy's, does not tell the time of day."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables)
    return b"MATLAB 5.0 MAT-file".ljust(HEADER_TEXT) + buffer.getvalue()[HEADER_TEXT:]
