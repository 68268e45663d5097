"""Su: chamber music with the notes of all players in one table."""

from dataclasses import dataclass
from pathlib import Path

from ssmpe.seeding import numpy_generator
from ssmpe.units import midi_to_hz
from ssmpe.world.music.arrangement import Player, arrange
from ssmpe.world.music.scores import read_score
from ssmpe.world.playing.performance import PartRecording, musical_seconds, perform
from ssmpe.world.sound.studio import mix, write_wav


@dataclass(frozen=True)
class SuPiece:
    """A recording: name as in the dataset, source in the corpus, and who plays which parts."""

    name: str
    source: str
    players: tuple[Player, ...]
    seconds: float
    rubato: float = 0.0

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"Su {self.name}"

    def write(self, root: Path) -> None:
        """Perform the piece and write its audio and notes."""
        rng = numpy_generator("world", "Su", self.name)
        score = read_score(self.source)
        arrangement = arrange(score, self.players, musical_seconds(self.seconds), rng, self.rubato)
        recordings = perform(arrangement, self.seconds, rng)
        folder = root / "Su"
        audio = mix([r.audio for r in recordings], rng)
        write_wav(folder / "audio" / f"{self.name}_audio.wav", audio)
        notes = folder / "gt_Note" / f"{self.name}_note.txt"
        notes.parent.mkdir(exist_ok=True)
        notes.write_text(_note_table(recordings))


def _note_table(recordings: tuple[PartRecording, ...]) -> str:
    """Return onset and offset in s, MIDI number and frequency in Hz of each note."""
    rows = sorted(
        (note.onset, note.offset, note.written.key, float(midi_to_hz(note.pitch.midi)))
        for recording in recordings
        for note in recording.notes
    )
    return "".join(
        f"{onset:.4f}\t{offset:.4f}\t{key}\t{hz:.3f}\n" for onset, offset, key, hz in rows
    )
