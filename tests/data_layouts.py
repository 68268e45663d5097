"""Small real files in the layouts of the datasets, for tests."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import soundfile

from ssmpe.data import urmp
from ssmpe.units import midi_to_hz

SECONDS = 0.5
"""duration of every fixture"""


def write_tone(path: Path, hz: float = 440.0, rate: int = 16_000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(SECONDS * rate)) / rate)
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate)


def write_urmp(root: Path) -> None:
    for number in urmp.VALIDATION:
        folder = root / "URMP" / f"{number}_Song_vn_vc"
        write_tone(folder / f"AuMix_{number}_Song_vn_vc.wav", rate=48_000, channels=2)
        for part, hz in (("1_vn", 440.0), ("2_vc", 110.0)):
            # the first part rests in the second half
            lines = [
                f"{0.01 * n:.3f}\t{hz if part == '2_vc' or n < 25 else 0:.3f}" for n in range(50)
            ]
            (folder / f"F0s_{part}_{number}_Song.txt").write_text("\n".join(lines) + "\n")
    (root / "URMP" / "Supplementary_Files").mkdir()


def write_bach10(root: Path) -> None:
    for name in ("01-AchGott", "02-AchLieben"):
        folder = root / "Bach10" / name
        write_tone(folder / f"{name}.wav", rate=44_100)
        midi = np.array([[72.0] * 40, [69.0] * 40, [0.0] * 40, [45.25] * 40])
        scipy.io.savemat(folder / f"{name}-GTF0s.mat", {"GTF0s": midi})
    (root / "Bach10" / "readme.txt").write_text("Bach10")


def write_musicnet(root: Path) -> None:
    header = "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"
    for split, name in (("train", "1727"), ("train", "1728"), ("test", "2303")):
        write_tone(root / "MusicNet" / f"{split}_data" / f"{name}.wav", rate=44_100)
        label = root / "MusicNet" / f"{split}_labels" / f"{name}.csv"
        label.parent.mkdir(exist_ok=True)
        rows = "4410,13230,41,69,0.0,1.0,Quarter\n8820,17640,42,57,1.0,2.0,Quarter\n"
        label.write_text(header + rows)
    (root / "MusicNet" / "train_data" / "._1727.wav").write_bytes(b"Mac OS X")


def jams(duration: float = SECONDS, columns: bool = True) -> dict[str, Any]:
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


def write_guitarset(root: Path) -> None:
    (root / "GuitarSet" / "annotation").mkdir(parents=True)
    for name in ("00_BN1-129-Eb_comp", "05_Rock1-90-C#_solo", "04_BN3-154-E_comp"):
        write_tone(root / "GuitarSet" / "audio_mono-mic" / f"{name}_mic.wav", rate=44_100)
        (root / "GuitarSet" / "annotation" / f"{name}.jams").write_text(json.dumps(jams()))


NOTES = {
    "train": ["guitar_acoustic_001-060-100", "bass_synthetic_033-050-075"],
    # in this order: the first three are taken, of which one is out of range
    "valid": ["vocal_z_000-045-025", "organ_y_000-109-050", "keyboard_a_000-108-127", "x-021-127"],
}


def write_nsynth(root: Path) -> None:
    for split, names in NOTES.items():
        folder = root / "NSynth" / f"nsynth-{split}"
        for name in names:
            hz = float(midi_to_hz(int(name.split("-")[-2])))
            write_tone(folder / "audio" / f"{name}.wav", hz)
        (folder / "examples.json").write_text(json.dumps({n: {"pitch": 0} for n in names}))


def write_egmd(root: Path) -> None:
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


WRITERS: dict[str, Callable[[Path], None]] = {
    "URMP/validation": write_urmp,
    "Bach10/all": write_bach10,
    "MusicNet/test": write_musicnet,
    "MusicNet/train": write_musicnet,
    "GuitarSet/05": write_guitarset,
    "NSynth/valid": write_nsynth,
    "NSynth/train": write_nsynth,
    "E-GMD/train": write_egmd,
}


def each_set(*names: str) -> pytest.MarkDecorator:
    """Parametrise a test over sets: ``root`` is a data root that holds the set ``name``."""
    sets = names or tuple(WRITERS)
    return pytest.mark.parametrize(("root", "name"), [(n, n) for n in sets], indirect=["root"])


def written_root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """To be made the fixture ``root``: a data root with the dataset of the set asked for."""
    WRITERS[request.param](tmp_path)
    return tmp_path
