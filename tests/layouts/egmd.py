"""E-GMD in small: the index names the files of two drummers."""

import csv
from pathlib import Path

from tests.layouts.layout import Layout, write_tone


def write(root: Path) -> None:
    rows = [
        ("drummer1", "train", "drummer1/session1/2_funk.wav"),
        ("drummer1", "train", "drummer1/session1/1_funk.wav"),
        ("drummer2", "test", "drummer2/session1/9_rock.wav"),
    ]
    for _, _, name in rows:
        write_tone(root / "E-GMD" / name)
    with open(root / "E-GMD" / "e-gmd-v1.0.0.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("drummer", "style", "split", "audio_filename"))
        writer.writerows((d, "funk, groove", split, name) for d, split, name in rows)


SETS = {
    "E-GMD/train": Layout(
        write, tracks=("drummer1/session1/1_funk.wav", "drummer1/session1/2_funk.wav")
    )
}
