"""URMP: chamber pieces with a recording, fundamental frequencies and notes of each player."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pretty_midi

from ssmpe.seeding import numpy_generator
from ssmpe.units import midi_to_hz
from ssmpe.world.music.arrangement import arrange
from ssmpe.world.music.instruments import URMP_CODES
from ssmpe.world.music.scores import read_score
from ssmpe.world.playing.performance import PartRecording, musical_seconds, perform
from ssmpe.world.sound.studio import STANDARD, AudioFormat, mix, write_wav

HOP = 0.010  # seconds between F0 values


@dataclass(frozen=True)
class UrmpPiece:
    """A piece: its number, source in the corpus, and players by URMP's abbreviations."""

    number: int
    source: str
    players: tuple[str, ...]
    seconds: float
    mixture: AudioFormat = STANDARD
    stems: AudioFormat = STANDARD
    rubato: float = 0.0

    @property
    def title(self) -> str:
        """Name of the piece, letters and digits only."""
        return "".join(filter(str.isalnum, Path(self.source).stem)).capitalize()

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"URMP {self.number:02d}"

    def write(self, root: Path) -> None:
        """Perform the piece and write its folder."""
        rng = numpy_generator("world", "URMP", self.number)
        parts = [(URMP_CODES[code], slice(i, i + 1)) for i, code in enumerate(self.players)]
        score = read_score(self.source)
        arrangement = arrange(score, parts, musical_seconds(self.seconds), rng, self.rubato)
        recordings = perform(arrangement, self.seconds, rng)
        piece = f"{self.number:02d}_{self.title}"
        name = "_".join((piece, *self.players))
        folder = root / "URMP" / name
        write_wav(
            folder / f"AuMix_{name}.wav", mix([r.audio for r in recordings], rng), self.mixture
        )
        for k, (code, recording) in enumerate(zip(self.players, recordings, strict=True), 1):
            stem = f"{k}_{code}_{piece}"
            write_wav(folder / f"AuSep_{stem}.wav", recording.audio, self.stems)
            (folder / f"F0s_{stem}.txt").write_text(_f0_table(recording, self.seconds))
            (folder / f"Notes_{stem}.txt").write_text(_note_table(recording))
        _write_score(folder / f"Sco_{piece}.mid", recordings, arrangement.tempo.marked)


def _f0_table(recording: PartRecording, seconds: float) -> str:
    times = np.arange(0.0, seconds, HOP)
    rows = zip(times, recording.f0(times), strict=True)
    return "".join(f"{time:.6f}\t{f0:.3f}\n" for time, f0 in rows)


def _note_table(recording: PartRecording) -> str:
    """Return onset in s, mean frequency in Hz and duration in s of each note."""
    return "".join(
        f"{n.onset:.4f}\t{float(midi_to_hz(n.pitch.midi)):.3f}\t{n.offset - n.onset:.4f}\n"
        for n in recording.notes
    )


def _write_score(path: Path, recordings: tuple[PartRecording, ...], tempo: float) -> None:
    """Write the score in strict time, as MIDI."""
    midi = pretty_midi.PrettyMIDI(initial_tempo=tempo)
    for recording in recordings:
        track = pretty_midi.Instrument(recording.program)
        for note in (heard.written for heard in recording.notes):
            start, end = note.onset * 60 / tempo, (note.onset + note.duration) * 60 / tempo
            track.notes.append(pretty_midi.Note(90, note.key, start, end))
        midi.instruments.append(track)
    midi.write(str(path))
