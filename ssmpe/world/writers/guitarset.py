"""GuitarSet: acoustic guitar with the pitch contour of each string."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ssmpe.seeding import numpy_generator
from ssmpe.units import Floats, midi_to_hz
from ssmpe.world.music.arrangement import Arrangement, Voice, arrange
from ssmpe.world.music.instruments import INSTRUMENTS
from ssmpe.world.music.scores import Part, ScoreNote, read_score
from ssmpe.world.playing.performance import HeardNote, PartRecording, musical_seconds, perform
from ssmpe.world.sound.studio import mix, write_wav

OPEN_STRINGS = (40, 45, 50, 55, 59, 64)
FRETS, HAND = 15, 4  # highest fret, and the one around which the left hand stays
HOP = 256 / 44100  # seconds between values of a pitch contour
STRUM = 0.012  # quarter notes between neighbouring strings of a chord


@dataclass(frozen=True)
class GuitarSetTrack:
    """A recording: name in GuitarSet's form, source in the corpus, guitar."""

    name: str
    source: str
    guitar: str
    seconds: float
    rubato: float = 0.0

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"GuitarSet {self.name}"

    def write(self, root: Path) -> None:
        """Perform the piece and write its audio and annotation."""
        rng = numpy_generator("world", "GuitarSet", self.name)
        players = [(self.guitar, slice(0, 4 if self.name.endswith("comp") else 1))]
        arrangement = arrange(
            read_score(self.source), players, musical_seconds(self.seconds), rng, self.rubato
        )
        strings = on_strings(arrangement.voices[0].notes)
        # A string is a voice of its own: one note at a time, ringing until the next.
        guitar = replace(INSTRUMENTS[self.guitar], chords=False)
        voices = tuple(Voice(guitar, string) for string in strings)
        recordings = perform(Arrangement(voices, arrangement.tempo), self.seconds, rng)
        folder = root / "GuitarSet"
        audio = mix([r.audio for r in recordings], rng)
        write_wav(folder / "audio_mono-mic" / f"{self.name}_mic.wav", audio)
        path = folder / "annotation" / f"{self.name}.jams"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(_jams(self.name, recordings, self.seconds)))


def on_strings(notes: Part) -> list[Part]:
    """Spread a guitar part over six strings, each playing one note at a time.

    A note goes to a string that is idle, or else cuts one off, and there preferably near the
    fourth fret. Notes that begin together never share a string; if none is left, a note is dropped.
    """
    strings: list[list[ScoreNote]] = [[] for _ in OPEN_STRINGS]
    for note in sorted(notes, key=lambda n: (n.onset, n.key)):
        possible = [
            s
            for s, open_key in enumerate(OPEN_STRINGS)
            if open_key <= note.key <= open_key + FRETS
            and not (strings[s] and strings[s][-1].onset > note.onset - 1e-6)
        ]
        if not possible:
            continue
        best = min(
            possible,
            key=lambda s: (_busy(strings[s], note.onset), abs(note.key - OPEN_STRINGS[s] - HAND)),
        )
        if strings[best]:
            last = strings[best][-1]
            strings[best][-1] = replace(last, duration=min(last.duration, note.onset - last.onset))
        strings[best].append(note)
    return [
        tuple(replace(n, onset=n.onset + s * STRUM) for n in string)
        for s, string in enumerate(strings)
    ]


def _busy(string: Sequence[ScoreNote], onset: float) -> bool:
    return bool(string) and string[-1].onset + string[-1].duration > onset + 1e-6


def _jams(name: str, recordings: Sequence[PartRecording], seconds: float) -> dict[str, object]:
    """Return the annotation in the structure of the dataset's JAMS files."""
    return {
        "annotations": [
            {
                "namespace": "pitch_contour",
                "annotation_metadata": {"data_source": str(string), "version": "world"},
                "data": _contour(recording.notes, seconds),
                "sandbox": {},
                "time": 0.0,
                "duration": seconds,
            }
            for string, recording in enumerate(recordings)
        ],
        "file_metadata": {"title": name, "artist": "", "release": "", "duration": seconds},
        "sandbox": {},
    }


def _contour(notes: Sequence[HeardNote], seconds: float) -> dict[str, list[object]]:
    """Return values on the grid while notes sound; JAMS stores dense annotations by column."""
    grid = np.arange(0, seconds, HOP)
    times: list[object] = []
    values: list[object] = []
    for index, note in enumerate(notes):
        sounding = grid[(grid >= note.onset) & (grid < note.offset)]
        f0: Floats = midi_to_hz(note.midi_at(sounding))
        times += [round(float(t), 6) for t in sounding]
        values += [{"voiced": True, "index": index, "frequency": round(float(f), 3)} for f in f0]
    blank: list[object] = [None] * len(times)
    return {"time": times, "duration": [0.0] * len(times), "value": values, "confidence": blank}
