"""Su in small: two pieces, one with a further column."""

from pathlib import Path

from ssmpe.data.files.annotation import NoteAnnotation
from tests.layouts.layout import Layout, write_tone

NOTES = {
    "PQ02_Brahms": "0.10\t0.30\t440.0\n0.15\t0.40\t220.5\n",
    "SQ01": "0.10 0.30 69 440.0\n",
}


def write(root: Path) -> None:
    folder = root / "Su"
    (folder / "gt_Note").mkdir(parents=True)
    for name, notes in NOTES.items():
        write_tone(folder / "audio" / f"{name}_audio.wav", rate=44_100)
        (folder / "gt_Note" / f"{name}_note.txt").write_text(notes)
    write_tone(folder / "audio" / "PQ01_audio.wav", rate=44_100)  # no piece of the dataset


SETS = {
    "Su/all": Layout(write, tracks=tuple(NOTES), sounding=(220.5, 440.0), annotation=NoteAnnotation)
}
