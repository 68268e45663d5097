"""NSynth: single notes of four seconds, with an index in JSON."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssmpe.seeding import numpy_generator
from ssmpe.world.playing.performance import PIECE_DETUNING
from ssmpe.world.sound.sampler import RATE, PitchCurve, general_midi_sampler
from ssmpe.world.sound.studio import AudioFormat, write_wav

FAMILIES = (
    *("bass", "brass", "flute", "guitar", "keyboard", "mallet"),
    *("organ", "reed", "string", "synth_lead", "vocal"),
)
SOURCES = ("acoustic", "electronic", "synthetic")
SECONDS, HELD = 4.0, 3.0
FORM = AudioFormat(rate=16000)


@dataclass(frozen=True)
class NSynthNote:
    """A note of an instrument, which is numbered within its family and source."""

    number: int
    program: int
    family: str
    source: str
    instrument: int
    pitch: int
    velocity: int

    @property
    def instrument_name(self) -> str:
        """Family, source and number, as in ``bass_synthetic_033``."""
        return f"{self.family}_{self.source}_{self.instrument:03d}"

    @property
    def name(self) -> str:
        """Name of the note, as in ``bass_synthetic_033-050-100``."""
        return f"{self.instrument_name}-{self.pitch:03d}-{self.velocity:03d}"

    def fields(self) -> dict[str, object]:
        """Return the note's entry in the index."""
        return {
            "note": self.number,
            "note_str": self.name,
            "instrument": self.instrument,
            "instrument_str": self.instrument_name,
            "pitch": self.pitch,
            "velocity": self.velocity,
            "sample_rate": FORM.rate,
            "qualities": [0] * 10,
            "qualities_str": [],
            "instrument_family": FAMILIES.index(self.family),
            "instrument_family_str": self.family,
            "instrument_source": SOURCES.index(self.source),
            "instrument_source_str": self.source,
        }


@dataclass(frozen=True)
class NSynthSplit:
    """A split: all its notes and their index."""

    split: str
    notes: tuple[NSynthNote, ...]

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"NSynth {self.split}"

    def write(self, root: Path) -> None:
        """Render all notes and write the index."""
        folder = root / "NSynth" / f"nsynth-{self.split}"
        for note in self.notes:
            _write_note(folder / "audio" / f"{note.name}.wav", note)
        index = {note.name: note.fields() for note in self.notes}
        (folder / "examples.json").write_text(json.dumps(index, indent=1))


def _write_note(path: Path, note: NSynthNote) -> None:
    rng = numpy_generator("world", "NSynth", note.name)
    pitch = PitchCurve(note.pitch + rng.normal(0, PIECE_DETUNING / 2))
    sound = general_midi_sampler().note(note.program, note.pitch, note.velocity, pitch, HELD).audio
    audio = np.zeros(round(SECONDS * RATE), np.float32)
    audio[: len(sound)] = sound[: len(audio)]
    peak = max(float(np.abs(audio).max()), 1e-6)
    write_wav(path, audio * np.float32(rng.uniform(0.3, 0.9) / peak), FORM)
