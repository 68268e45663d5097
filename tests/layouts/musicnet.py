"""MusicNet in small: two overlapping notes in every recording."""

from pathlib import Path

from ssmpe.data.files.annotation import NoteAnnotation
from tests.layouts.layout import Layout, write_tone

HEADER = "start_time,end_time,instrument,note,start_beat,end_beat,note_value"
_ROWS = "4410,13230,41,69,0.0,1.0,Quarter\n8820,17640,42,57,1.0,2.0,Quarter\n"


def write(root: Path) -> None:
    for split, name in (("train", "1727"), ("train", "1728"), ("test", "2303")):
        write_tone(root / "MusicNet" / f"{split}_data" / f"{name}.wav", rate=44_100)
        label = root / "MusicNet" / f"{split}_labels" / f"{name}.csv"
        label.parent.mkdir(exist_ok=True)
        label.write_text(f"{HEADER}\n{_ROWS}")
    (root / "MusicNet" / "train_data" / "._1727.wav").write_bytes(b"Mac OS X")


SETS = {
    "MusicNet/train": Layout(
        write, tracks=("1727", "1728"), sounding=(220.0, 440.0), annotation=NoteAnnotation
    ),
    "MusicNet/test": Layout(
        write, tracks=("2303",), sounding=(220.0, 440.0), annotation=NoteAnnotation
    ),
}
