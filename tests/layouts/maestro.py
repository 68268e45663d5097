"""MAESTRO in small: twelve recordings of validation, of which ten are taken, and two others."""

from pathlib import Path

from ssmpe.data.files.annotation import NoteAnnotation
from tests.layouts.layout import Layout, write_tone
from tests.layouts.midi import write_midi

HEADER = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration"
VALIDATION = tuple(f"{year}/MIDI-{n}" for year in (2004, 2018) for n in range(1, 7))
NAMES = {
    **dict.fromkeys(reversed(VALIDATION), "validation"),
    "2006/MIDI-1": "train",
    "2008/MIDI-1": "test",
}


def write(root: Path) -> None:
    folder = root / "MAESTRO"
    rows = [
        f'Franz Liszt,"Études, No. 1",{split},{name[:4]},{name}.midi,{name}.wav,0.5'
        for name, split in NAMES.items()
    ]
    for name in NAMES:
        write_tone(folder / f"{name}.wav", rate=44_100, channels=2)
        write_midi(
            folder / f"{name}.midi",
            [
                (0.1, "note_on", 57, 80),
                (0.11, "control_change", 64, 64),
                (0.12, "note_on", 57, 0),
                (0.4, "control_change", 64, 63),
            ],
        )
    (folder / "maestro-v3.0.0.csv").write_text("\n".join([HEADER, *rows, ""]))


SETS = {
    "MAESTRO/validation": Layout(
        write, tracks=VALIDATION[:10], sounding=(220.0,), annotation=NoteAnnotation
    ),
    "MAESTRO/train": Layout(
        write, tracks=("2006/MIDI-1",), sounding=(220.0,), annotation=NoteAnnotation
    ),
}
