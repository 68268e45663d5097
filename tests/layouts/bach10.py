"""Bach10 in small: two chorales, one part silent."""

from pathlib import Path

import numpy as np
import scipy.io

from ssmpe.data.files.annotation import FrameAnnotation
from ssmpe.units import midi_to_hz
from tests.layouts.layout import Layout, write_tone

PARTS = {"violin": 523.25, "clarinet": 440.0, "saxphone": 330.0, "bassoon": 111.6}
"""Hz of each part's recording; the saxophone's is not annotated"""
NAMES = ("01-AchGott", "02-AchLieben")


def write(root: Path) -> None:
    for name in NAMES:
        folder = root / "Bach10" / name
        write_tone(folder / f"{name}.wav", rate=44_100)
        for part, hz in PARTS.items():
            suffix = "flac" if part == "bassoon" else "wav"  # copies may be packed
            write_tone(folder / f"{name}-{part}.{suffix}", hz, rate=44_100)
        midi = np.array([[72.0] * 40, [69.0] * 40, [0.0] * 40, [45.25] * 40])
        scipy.io.savemat(folder / f"{name}-GTF0s.mat", {"GTF0s": midi})
    (root / "Bach10" / "readme.txt").write_text("Bach10")


def layout(*pieces: str) -> Layout:
    """Return the layout of a set that has these pieces."""
    return Layout(
        write,
        tracks=pieces,
        sounding=(float(midi_to_hz(45.25)), 440.0, float(midi_to_hz(72))),
        annotation=FrameAnnotation,
    )


SETS = {"Bach10/all": layout(*NAMES), "Bach10/01-06": layout(*NAMES[:2])}
