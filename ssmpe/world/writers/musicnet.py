"""MusicNet: classical recordings with a table of notes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ssmpe.seeding import numpy_generator
from ssmpe.world.music.arrangement import Player, arrange
from ssmpe.world.music.scores import read_score
from ssmpe.world.playing.performance import PartRecording, musical_seconds, perform
from ssmpe.world.sound.studio import mix, write_wav

LABEL_RATE = 44100  # Hz: unit of the label positions, whatever the rate of the audio
HEADER = "start_time,end_time,instrument,note,start_beat,end_beat,note_value"
# Note values by their least length in quarter notes.
NOTE_VALUES = (
    (4.0, "Whole"),
    (3.0, "Dotted Half"),
    (2.0, "Half"),
    (1.5, "Dotted Quarter"),
    (1.0, "Quarter"),
    (0.75, "Dotted Eighth"),
    (0.5, "Eighth"),
    (0.25, "Sixteenth"),
    (0.0, "Thirty Second"),
)


@dataclass(frozen=True)
class MusicNetTrack:
    """A recording: its number, split, source in the corpus, and who plays which parts."""

    number: int
    split: Literal["train", "test"]
    source: str
    players: tuple[Player, ...]
    seconds: float
    rubato: float = 0.0

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"MusicNet {self.number}"

    def write(self, root: Path) -> None:
        """Perform the piece and write its audio and labels."""
        rng = numpy_generator("world", "MusicNet", self.number)
        score = read_score(self.source)
        arrangement = arrange(score, self.players, musical_seconds(self.seconds), rng, self.rubato)
        recordings = perform(arrangement, self.seconds, rng)
        folder = root / "MusicNet"
        audio = mix([r.audio for r in recordings], rng)
        write_wav(folder / f"{self.split}_data" / f"{self.number}.wav", audio)
        labels = folder / f"{self.split}_labels" / f"{self.number}.csv"
        labels.parent.mkdir(exist_ok=True)
        labels.write_text(_label_table(recordings))


def _label_table(recordings: tuple[PartRecording, ...]) -> str:
    """Return the labels: times in samples at 44.1 kHz, General MIDI programs counted from 1."""
    rows = sorted(
        (
            round(note.onset * LABEL_RATE),
            round(note.offset * LABEL_RATE),
            recording.program + 1,
            note.written.key,
            note.written.onset,
            note.written.duration,
        )
        for recording in recordings
        for note in recording.notes
    )
    lines = [
        f"{start},{end},{program},{key},{beat:.6g},{beat + beats:.6g},{_note_value(beats)}"
        for start, end, program, key, beat, beats in rows
    ]
    return "\n".join((HEADER, *lines, ""))


def _note_value(quarters: float) -> str:
    return next(name for least, name in NOTE_VALUES if quarters >= least - 1e-6)
