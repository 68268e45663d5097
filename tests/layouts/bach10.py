"""Bach10 in small: two chorales, one part silent."""

from pathlib import Path

import numpy as np
import scipy.io

from ssmpe.data.files.annotation import FrameAnnotation
from ssmpe.units import midi_to_hz
from tests.layouts.layout import Layout, write_tone

NAMES = ("01-AchGott", "02-AchLieben")


def write(root: Path) -> None:
    for name in NAMES:
        folder = root / "Bach10" / name
        write_tone(folder / f"{name}.wav", rate=44_100)
        midi = np.array([[72.0] * 40, [69.0] * 40, [0.0] * 40, [45.25] * 40])
        scipy.io.savemat(folder / f"{name}-GTF0s.mat", {"GTF0s": midi})
    (root / "Bach10" / "readme.txt").write_text("Bach10")


SETS = {
    "Bach10/all": Layout(
        write,
        tracks=NAMES,
        sounding=(float(midi_to_hz(45.25)), 440.0, float(midi_to_hz(72))),
        annotation=FrameAnnotation,
    )
}
