"""MAESTRO: piano recordings with what the keys and the pedal did, and a table of all of them."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ssmpe.seeding import numpy_generator
from ssmpe.world.music.arrangement import arrange
from ssmpe.world.music.scores import read_score
from ssmpe.world.playing.ensemble import perform_with_pedal
from ssmpe.world.playing.performance import musical_seconds
from ssmpe.world.sound.studio import STANDARD, AudioFormat, mix, write_wav
from ssmpe.world.writers.midi import as_played, write_midi

Split = Literal["train", "validation", "test"]
HEADER = (
    *("canonical_composer", "canonical_title", "split", "year"),
    *("midi_filename", "audio_filename", "duration"),
)
RESOLUTION = 384  # ticks per quarter note
# The instrument senses where the pedal is on its way; from 64 on it holds the notes.
PRESS = (-0.03, 21), (-0.015, 58), (0.0, 69), (0.015, 104), (0.03, 127)
LIFT = (-0.03, 110), (-0.015, 82), (0.0, 51), (0.015, 13), (0.03, 0)


@dataclass(frozen=True)
class MaestroTrack:
    """A recording: number in the table, split, source in the corpus, and which piano."""

    number: int
    split: Split
    source: str
    piano: str
    seconds: float
    form: AudioFormat = STANDARD
    rubato: float = 0.0

    @property
    def year(self) -> int:
        """Year of the competition."""
        return (2004, 2008, 2013, 2018)[self.number % 4]

    @property
    def stem(self) -> str:
        """Path without suffix within the dataset's folder."""
        disc = f"MIDI-Unprocessed_{self.number:02d}_R1_{self.year}"
        return f"{self.year}/{disc}_MID--AUDIO_{self.number:02d}_R1_{self.year}_wav"

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"MAESTRO {self.number}"

    def row(self) -> tuple[object, ...]:
        """Return the recording's line in the table."""
        folder, title = Path(self.source).parent.name, Path(self.source).stem
        files = (f"{self.stem}.midi", f"{self.stem}.wav")
        return (folder, title, self.split, self.year, *files, self.seconds)

    def write(self, root: Path) -> None:
        """Perform the piece and write its audio and MIDI."""
        rng = numpy_generator("world", "MAESTRO", self.number)
        length = musical_seconds(self.seconds)
        players = ((self.piano, slice(0, 4)),)
        arrangement = arrange(read_score(self.source), players, length, rng, self.rubato)
        (part,) = perform_with_pedal(arrangement, self.seconds, rng)
        assert part.piano is not None
        folder = root / "MAESTRO"
        write_wav(folder / f"{self.stem}.wav", mix([part.recording.audio], rng), self.form)
        played = as_played(part.recording.program, part.piano, self.seconds, PRESS, LIFT)
        write_midi(folder / f"{self.stem}.midi", played, self.seconds, RESOLUTION, note_off=False)


@dataclass(frozen=True)
class MaestroTable:
    """The table of all recordings."""

    tracks: tuple[MaestroTrack, ...]
    label = "MAESTRO table"

    def write(self, root: Path) -> None:
        """Write the table."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(HEADER)
        table.writerows(track.row() for track in self.tracks)
        (root / "MAESTRO").mkdir(exist_ok=True)
        (root / "MAESTRO" / "maestro-v3.0.0.csv").write_text(text.getvalue())
