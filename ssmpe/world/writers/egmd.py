"""E-GMD: drum patterns on many kits, with a table of all recordings."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pretty_midi

from ssmpe.seeding import numpy_generator
from ssmpe.world.sound.drums import HIT, PATTERNS, Strike, perform_pattern, record_drums
from ssmpe.world.sound.studio import mix, write_wav

HEADER = (
    *("drummer", "session", "id", "style", "bpm", "beat_type", "time_signature"),
    *("midi_filename", "audio_filename", "duration", "split", "kit_name"),
)


@dataclass(frozen=True)
class DrumLoop:
    """A recording of a drummer on a kit (program of bank 128)."""

    drummer: int
    number: int
    style: str
    bpm: int
    kit: int
    kit_name: str
    split: str
    seconds: float

    @property
    def stem(self) -> str:
        """Path without suffix within the dataset's folder."""
        name = f"{self.number}_{self.style}_{self.bpm}_beat_4-4_{self.kit + 1}"
        return f"drummer{self.drummer}/session1/{name}"

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"E-GMD {self.number}"

    def row(self) -> tuple[object, ...]:
        """Return the recording's line in the table."""
        session = f"drummer{self.drummer}/session1"
        identity = (f"drummer{self.drummer}", session, f"{session}/{self.number}")
        music = (self.style, self.bpm, "beat", "4-4")
        files = (f"{self.stem}.midi", f"{self.stem}.wav")
        return (*identity, *music, *files, self.seconds, self.split, self.kit_name)

    def write(self, root: Path) -> None:
        """Perform the pattern and write audio and MIDI."""
        rng = numpy_generator("world", "E-GMD", self.number)
        strikes = perform_pattern(PATTERNS[self.style], self.bpm, self.seconds, rng)
        audio = record_drums(self.kit, strikes, self.seconds)
        folder = root / "E-GMD"
        write_wav(folder / f"{self.stem}.wav", mix([audio], rng))
        _write_midi(folder / f"{self.stem}.midi", strikes, self.bpm)


def _write_midi(path: Path, strikes: list[Strike], bpm: int) -> None:
    midi = pretty_midi.PrettyMIDI(initial_tempo=bpm)
    track = pretty_midi.Instrument(0, is_drum=True)
    track.notes = [pretty_midi.Note(s.velocity, s.key, s.time, s.time + HIT) for s in strikes]
    midi.instruments.append(track)
    midi.write(str(path))


@dataclass(frozen=True)
class DrumIndex:
    """The table of all recordings."""

    loops: tuple[DrumLoop, ...]
    label = "E-GMD index"

    def write(self, root: Path) -> None:
        """Write the table."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(HEADER)
        table.writerows(loop.row() for loop in self.loops)
        (root / "E-GMD").mkdir(exist_ok=True)
        (root / "E-GMD" / "e-gmd-v1.0.0.csv").write_text(text.getvalue())
