"""TRIOS in small: a trio that the pedal holds together, and one with drums."""

from pathlib import Path

from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.units import midi_to_hz
from tests.layouts.layout import Layout, write_tone
from tests.layouts.midi import Event, write_midi

PIECES: dict[str, dict[str, list[Event]]] = {
    "mozart": {
        "clarinet": [(0.1, "note_on", 72, 80), (0.3, "note_off", 72, 0)],
        # ends with an onset, and before that in the middle of a tone
        "viola": [(0.1, "note_on", 60, 80), (0.4, "note_on", 62, 80)],
        # released at once, held by the pedal
        "piano": [
            (0.05, "control_change", 64, 127),
            (0.1, "note_on", 45, 80),
            (0.12, "note_off", 45, 0),
            (0.45, "control_change", 64, 0),
        ],
    },
    "take_five": {
        "piano": [(0.1, "note_on", 45, 80), (0.3, "note_off", 45, 0)],
        "saxophone": [(0.1, "note_on", 60, 80), (0.3, "note_on", 60, 0)],
        "ride": [(0.1, "note_on", 51, 80), (0.3, "note_off", 51, 0)],
    },
}


def write(root: Path) -> None:
    for piece, parts in PIECES.items():
        folder = root / "TRIOS" / piece
        write_tone(folder / "mix.wav", rate=44_100)
        for instrument, events in parts.items():
            write_tone(folder / f"{instrument}.wav", rate=44_100)
            write_midi(folder / f"{instrument}.mid", events)
    (root / "TRIOS" / "__MACOSX").mkdir()


SETS = {
    "TRIOS/all": Layout(
        write,
        tracks=tuple(PIECES),
        sounding=tuple(float(midi_to_hz(key)) for key in (45, 60, 72)),
        annotation=NoteAnnotation,
    )
}
