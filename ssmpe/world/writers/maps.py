"""MAPS: piano pieces on a Disklavier before close and ambient microphones, with tables of notes."""

from dataclasses import dataclass
from pathlib import Path

from ssmpe.seeding import numpy_generator
from ssmpe.world.music.arrangement import arrange
from ssmpe.world.music.scores import read_score
from ssmpe.world.playing.ensemble import perform_with_pedal
from ssmpe.world.playing.performance import PartRecording, musical_seconds
from ssmpe.world.sound.studio import STANDARD, AudioFormat, mix, write_wav
from ssmpe.world.writers.midi import as_played, write_midi

CLOSE, AMBIENT = "ENSTDkCl", "ENSTDkAm"


@dataclass(frozen=True)
class MapsPiece:
    """A piece: number, source in the corpus, and the instrument sets that have a recording."""

    number: int
    source: str
    microphones: tuple[str, ...]
    seconds: float
    form: AudioFormat = STANDARD
    rubato: float = 0.0

    @property
    def name(self) -> str:
        """Name of the piece as files have it."""
        title = "".join(filter(str.isalnum, Path(self.source).stem)).lower()
        return f"{title}_{self.number}"

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"MAPS {self.name}"

    def write(self, root: Path) -> None:
        """Perform the piece once, and write its recordings, each in a room of its own."""
        rng = numpy_generator("world", "MAPS", self.number)
        length = musical_seconds(self.seconds)
        players = (("piano", slice(0, 4)),)
        arrangement = arrange(read_score(self.source), players, length, rng, self.rubato)
        (part,) = perform_with_pedal(arrangement, self.seconds, rng)
        assert part.piano is not None
        played = as_played(part.recording.program, part.piano, self.seconds)
        for microphones in self.microphones:
            folder = root / "MAPS" / microphones / "MUS"
            path = folder / f"MAPS_MUS-{self.name}_{microphones}.wav"
            write_wav(path, mix([part.recording.audio], rng), self.form)
            path.with_suffix(".txt").write_text(_note_table(part.recording))
            write_midi(path.with_suffix(".mid"), played, self.seconds)


def _note_table(recording: PartRecording) -> str:
    """Return onset and offset in s and MIDI number of each note, in CRLF lines as published."""
    rows = (f"{n.onset:.6f}\t{n.offset:.6f}\t{n.written.key}" for n in recording.notes)
    return "".join(f"{row}\r\n" for row in ("OnsetTime\tOffsetTime\tMidiPitch", *rows))
