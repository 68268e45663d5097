"""E-GMD: drum patterns on many kits, with a table of all recordings."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pretty_midi

from ssmpe.seeding import numpy_generator
from ssmpe.world.sampler import RATE, general_midi_sampler
from ssmpe.world.studio import mix, write_wav

HEADER = (
    *("drummer", "session", "id", "style", "bpm", "beat_type", "time_signature"),
    *("midi_filename", "audio_filename", "duration", "split", "kit_name"),
)
KICK, SNARE, RIM, HAT, OPEN_HAT, RIDE, CRASH, TOM = 36, 38, 37, 42, 46, 51, 49, 45
# Sixteenths of a 4/4 bar on which each drum is struck; what is louder, is struck more surely.
PATTERNS: dict[str, dict[int, tuple[int, ...]]] = {
    "rock": {KICK: (0, 6, 8), SNARE: (4, 12), HAT: tuple(range(0, 16, 2))},
    "funk": {KICK: (0, 3, 10), SNARE: (4, 7, 9, 12), HAT: tuple(range(16)), OPEN_HAT: (14,)},
    "jazz": {RIDE: (0, 4, 7, 8, 12, 15), HAT: (4, 12), KICK: (0, 10), SNARE: (7,)},
    "latin": {KICK: (0, 3, 8, 11), RIM: (0, 3, 6, 10, 12), HAT: tuple(range(0, 16, 2))},
    "hiphop": {KICK: (0, 7, 10), SNARE: (4, 12), HAT: tuple(range(0, 16, 2)), TOM: (15,)},
}
HIT = 0.25  # seconds from strike to note-off
SLIP = 0.008  # seconds, standard deviation of strikes around the beat


@dataclass(frozen=True)
class Strike:
    """A stroke at ``time`` seconds."""

    time: float
    key: int
    velocity: int


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
        """What a progress display shows."""
        return f"E-GMD {self.number}"

    def row(self) -> tuple[object, ...]:
        """The recording's line in the table."""
        session = f"drummer{self.drummer}/session1"
        identity = (f"drummer{self.drummer}", session, f"{session}/{self.number}")
        music = (self.style, self.bpm, "beat", "4-4")
        files = (f"{self.stem}.midi", f"{self.stem}.wav")
        return (*identity, *music, *files, self.seconds, self.split, self.kit_name)

    def write(self, root: Path) -> None:
        """Perform the pattern and write audio and MIDI."""
        rng = numpy_generator("world", "E-GMD", self.number)
        strikes = perform_pattern(PATTERNS[self.style], self.bpm, self.seconds, rng)
        sampler = general_midi_sampler()
        audio = np.zeros(round(self.seconds * RATE), np.float32)
        for strike in strikes:
            first = round(strike.time * RATE)
            sound = sampler.hit(self.kit, strike.key, strike.velocity, HIT)[: len(audio) - first]
            audio[first : first + len(sound)] += sound
        folder = root / "E-GMD"
        write_wav(folder / f"{self.stem}.wav", mix([audio], rng))
        _write_midi(folder / f"{self.stem}.midi", strikes, self.bpm)


def perform_pattern(
    pattern: dict[int, tuple[int, ...]], bpm: int, seconds: float, rng: np.random.Generator
) -> list[Strike]:
    """Repeat a bar with varied strokes, a fill of toms now and then, and a crash after it."""
    sixteenth = 15 / bpm
    strikes = []
    for bar in range(int(seconds / (16 * sixteenth)) + 1):
        fill = bar % 4 == 3
        strokes = [(key, step) for key, steps in pattern.items() for step in steps]
        if fill:
            strokes = [(k, s) for k, s in strokes if s < 12] + [(TOM, s) for s in range(12, 16)]
        if bar and bar % 4 == 0:
            strokes.append((CRASH, 0))
        for key, step in strokes:
            accent = 96 if step % 4 == 0 else 74
            velocity = int(np.clip(rng.normal(accent, 9), 25, 124))
            time = max((16 * bar + step) * sixteenth + rng.normal(0, SLIP), 0)
            if rng.random() < 0.93 and time < seconds - 0.05:
                strikes.append(Strike(time, key, velocity))
    return sorted(strikes, key=lambda s: s.time)


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
