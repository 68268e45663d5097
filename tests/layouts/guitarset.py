"""GuitarSet in small: one sounding string in each of three players' recordings."""

import json
from pathlib import Path
from typing import Any

from ssmpe.data.files.annotation import FrameAnnotation
from tests.layouts.layout import SECONDS, Layout, write_tone

NAMES = ("00_BN1-129-Eb_comp", "04_BN3-154-E_comp", "05_Rock1-90-C#_solo")


def jams(duration: float = SECONDS, columns: bool = True) -> dict[str, Any]:
    """Make a document in the dataset's form (``columns``), or in the row-by-row form."""
    times = [0.1 + 256 / 44_100 * n for n in range(40)]
    values = [{"voiced": n != 3, "index": 0, "frequency": 220.0} for n in range(40)]
    data: object = {
        "time": times,
        "duration": [0.0] * 40,
        "value": values,
        "confidence": [None] * 40,
    }
    if not columns:
        data = [
            {"time": t, "duration": 0.0, "value": v, "confidence": None}
            for t, v in zip(times, values, strict=True)
        ]
    silent: object = {"time": [], "duration": [], "value": [], "confidence": []}
    annotations = [
        # the time of the annotation as a whole is to be ignored
        {"namespace": "pitch_contour", "data": data if string == 2 else silent, "time": 7.0}
        for string in range(6)
    ]
    annotations.insert(1, {"namespace": "note_midi", "data": [], "time": 0})
    return {"annotations": annotations, "file_metadata": {"duration": duration}}


def write(root: Path) -> None:
    (root / "GuitarSet" / "annotation").mkdir(parents=True)
    for name in NAMES:
        write_tone(root / "GuitarSet" / "audio_mono-mic" / f"{name}_mic.wav", rate=44_100)
        (root / "GuitarSet" / "annotation" / f"{name}.jams").write_text(json.dumps(jams()))


SETS = {
    "GuitarSet/05": Layout(write, tracks=NAMES[2:], sounding=(220.0,), annotation=FrameAnnotation),
    "GuitarSet/all": Layout(write, tracks=NAMES, sounding=(220.0,), annotation=FrameAnnotation),
}
