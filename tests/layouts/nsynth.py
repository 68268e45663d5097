"""NSynth in small: a few notes, not sorted, some out of the model's range."""

import json
from pathlib import Path

from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.units import midi_to_hz
from tests.layouts.layout import Layout, write_tone

NOTES = {
    "train": ("guitar_acoustic_001-060-100", "bass_synthetic_033-050-075"),
    # in this order: the first three are taken, of which one is out of range
    "valid": ("vocal_z_000-045-025", "organ_y_000-109-050", "keyboard_a_000-108-127", "x-021-127"),
}


def write(root: Path) -> None:
    for split, names in NOTES.items():
        folder = root / "NSynth" / f"nsynth-{split}"
        for name in names:
            hz = float(midi_to_hz(int(name.split("-")[-2])))
            write_tone(folder / "audio" / f"{name}.wav", hz)
        (folder / "examples.json").write_text(json.dumps({n: {"pitch": 0} for n in names}))


SETS = {
    "NSynth/train": Layout(
        write,
        tracks=tuple(sorted(NOTES["train"])),
        sounding=(float(midi_to_hz(50)),),
        annotation=NoteAnnotation,
    ),
    "NSynth/valid": Layout(
        write,
        tracks=("keyboard_a_000-108-127", "vocal_z_000-045-025", "x-021-127"),
        sounding=(float(midi_to_hz(108)),),
        annotation=NoteAnnotation,
    ),
}
