"""Values no annotation can have are told by file and line, and by what was expected instead."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import scipy.io

from tests.layouts import LAYOUTS
from tests.layouts.guitarset import jams
from tests.layouts.musicnet import HEADER
from tests.support.damages import INDEXES, annotation_of, each, files_of, refusal


class Table(NamedTuple):
    """Where a text annotation has what; columns count from 0."""

    separator: str
    time: int
    pitch: int
    line: int
    """of the second row, from 1"""
    late: str
    """a time that comes too late"""


TABLES = {
    "URMP/validation": Table("\t", 0, 1, 2, "9.9"),
    "Su/all": Table("\t", 0, 2, 2, "0.5"),
    "MusicNet/test": Table(",", 0, 3, 3, "22050"),
    "MAPS/ENSTDkCl": Table("\t", 0, 2, 3, "0.5"),
}
Fields = list[str]


def put(where: str, value: str) -> Callable[[Table, Fields], Fields]:
    def change(table: Table, fields: Fields) -> Fields:
        fields[getattr(table, where)] = value
        return fields

    return change


VALUES: dict[str, Callable[[Table, Fields], Fields]] = {
    "one column more": lambda table, fields: [*fields, "1"],
    "one column less": lambda table, fields: fields[:-1],
    "cut in mid-line": lambda table, fields: fields[:1],
    "time NaN": put("time", "nan"),
    "time infinite": put("time", "inf"),
    "time negative": put("time", "-0.5"),
    "time is text": put("time", "0:01"),
    "time with a comma": put("time", "0;1"),
    "pitch NaN": put("pitch", "nan"),
    "pitch infinite": put("pitch", "-inf"),
    "pitch negative": put("pitch", "-69"),
    "pitch absurd": put("pitch", "44100"),
    "pitch is text": put("pitch", "A4"),
    "no pitch": put("pitch", "\x00"),
}


def replace_row(path: Path, table: Table, change: Callable[[Table, Fields], Fields]) -> None:
    lines = path.read_text().split("\n")
    fields = lines[table.line - 1].split(table.separator)
    lines[table.line - 1] = table.separator.join(change(table, fields))
    path.write_text("\n".join(lines))


@each(TABLES, VALUES)
def test_value_is_told_by_its_line(tmp_path: Path, name: str, damage: str) -> None:
    LAYOUTS[name].write(tmp_path)
    path, table = annotation_of(tmp_path, name), TABLES[name]
    replace_row(path, table, VALUES[damage])
    assert f"{path}, line {table.line}: " in refusal(tmp_path, name)


@pytest.mark.parametrize("name", TABLES)
def test_time_that_goes_back_is_told_by_its_line(tmp_path: Path, name: str) -> None:
    LAYOUTS[name].write(tmp_path)
    path, table = annotation_of(tmp_path, name), TABLES[name]
    # later than the note's end, or than the next frame
    replace_row(path, table, put("time", table.late))
    line = 3 if name == "URMP/validation" else table.line
    assert f"{path}, line {line}: " in refusal(tmp_path, name)


# --- in words ---------------------------------------------------------------------------------

F0_FILE = "URMP/01_Song_vn_vc/F0s_1_vn_01_Song.txt"
CSV_FILE = "MusicNet/test_labels/2303.csv"
JAMS_FILE = "GuitarSet/annotation/05_Rock1-90-C#_solo.jams"


def jams_with(time: object, value: object) -> str:
    document = jams()
    data = document["annotations"][0]["data"]
    data["time"], data["value"] = [0.1, time], [{"voiced": False, "frequency": 0.0}, value]
    return json.dumps(document)


def frequency(hz: object) -> dict[str, object]:
    return {"voiced": True, "index": 0, "frequency": hz}


DAMAGES: dict[str, tuple[str, str | bytes, str]] = {
    "f0 not a number": (F0_FILE, "0 440\n0.01 A4\n", "line 2: frequency is 'A4'"),
    "f0 three columns": (F0_FILE, "0 440 1\n", "line 1: 3 columns"),
    "f0 time repeats": (F0_FILE, "0 440\n0.01 0\n0.01 0\n", "line 3: time 0.01"),
    "f0 inf": (F0_FILE, "inf 440\n", "line 1: time is 'inf'"),
    "f0 absurd": (F0_FILE, "0 44100\n", "line 1: frequency 44100 Hz"),
    "f0 empty": (F0_FILE, "", "empty"),
    "f0 other grid": (F0_FILE, "0 440\n0.01 440\n", "differs from"),
    "f0 not text": (F0_FILE, b"\xff\xfe\x00\x01", "line 1: not UTF-8 text (byte 0xff)"),
    "csv empty": (CSV_FILE, "", "the file is empty (0 bytes)"),
    "csv no column": (CSV_FILE, HEADER.replace("note,", "pitch,"), "line 1: no column 'note'"),
    "csv few columns": (CSV_FILE, f"{HEADER}\n0,10,1\n", "line 2: 3 columns"),
    "csv no length": (CSV_FILE, f"{HEADER}\n9,9,1,69,0,1,Half\n", "line 2: note from"),
    "csv no such note": (CSV_FILE, f"{HEADER}\n0,9,1,440,0,1,Half\n", "line 2: note 440"),
    "csv no rows": (CSV_FILE, f"{HEADER}\n", "no notes below the header"),
    "csv quote": (CSV_FILE, f'{HEADER}\n0,9,1,69,0,1,"Half\n', "line 2: not CSV"),
    "jams not json": (JAMS_FILE, '{"annotations":\n [}', "line 2: not JSON"),
    "jams no annotations": (JAMS_FILE, "{}", "not JAMS"),
    "jams no contours": (
        JAMS_FILE,
        '{"file_metadata": {"duration": 1}, "annotations": []}',
        "no annotation of namespace 'pitch_contour'",
    ),
    "jams text": (JAMS_FILE, jams_with("0.2", frequency(220)), "contour 1, observation 2: '0.2'"),
    "jams nan": (JAMS_FILE, jams_with(0.2, frequency(float("nan"))), "observation 2: nan"),
    "jams negative": (JAMS_FILE, jams_with(0.2, frequency(-3)), "observation 2: -3"),
    "jams absurd": (JAMS_FILE, jams_with(0.2, frequency(3e4)), "observation 2: 30000"),
    "jams no frequency": (JAMS_FILE, jams_with(0.2, {"voiced": True}), "no 'frequency'"),
    "jams beyond its end": (JAMS_FILE, jams_with(9.0, frequency(220)), "observation 2: 9.0"),
    # too long, or too late, for half a second of audio
    "f0 misfit": (
        "URMP/01_Song_vn_vc",
        "".join(f"{0.01 * n:.2f} 220\n" for n in range(200)),
        "0.000 to 1.990 s but the audio only 0 to 0.500 s",
    ),
    "csv misfit": (CSV_FILE, f"{HEADER}\n22050,88200,1,69,0,1,Half\n", "0.500 to 2.000 s but"),
    "jams misfit": (JAMS_FILE, json.dumps(jams(duration=2.0)), "to 2.003 s but"),
    "csv begins late": (CSV_FILE, f"{HEADER}\n30000,40000,1,69,0,1,Half\n", "0.680 to 0.907 s but"),
}
SET_OF = {"URMP": "URMP/validation", "MusicNet": "MusicNet/test", "GuitarSet": "GuitarSet/05"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_annotation_is_one_line_that_names_the_file(tmp_path: Path, damage: str) -> None:
    file, content, expected = DAMAGES[damage]
    name = SET_OF[file.split("/")[0]]
    LAYOUTS[name].write(tmp_path)
    path = tmp_path / file
    for damaged in path.glob("F0s_*") if path.is_dir() else [path]:
        damaged.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refusal(tmp_path, name)
    assert expected in message
    # what does not fit the audio is told of the audio, of two that differ either is named
    named = files_of(tmp_path, name)[0] if "s but the audio" in message else path
    assert str(named) in message or (damage == "f0 other grid" and path.name in message)


MAT_DAMAGES: dict[str, tuple[dict[str, object] | None, str]] = {
    "not MAT": (None, "not a readable MAT-file"),
    "other variable": ({"F0s": np.zeros((4, 3))}, "no variable 'GTF0s'"),
    "transposed": ({"GTF0s": np.zeros((3, 4))}, r"shape \(3, 4\)"),
    "no frames": ({"GTF0s": np.zeros((4, 0))}, r"shape \(4, 0\)|shape \(0, 0\)"),
    "text": ({"GTF0s": np.array(["a", "b", "c", "d"])[:, None]}, "shape|expected numbers"),
    "nan": ({"GTF0s": np.full((4, 3), np.nan)}, "is nan at part 1, frame 1"),
    "hertz": ({"GTF0s": np.full((4, 3), 440.0)}, "is 440 at part 1, frame 1"),
    "negative": ({"GTF0s": np.array([[0.0, 60.0]] * 3 + [[60.0, -1.0]])}, "part 4, frame 2"),
}


@pytest.mark.parametrize("damage", MAT_DAMAGES)
def test_damaged_mat_file_is_one_line_that_names_it(tmp_path: Path, damage: str) -> None:
    content, expected = MAT_DAMAGES[damage]
    LAYOUTS["Bach10/all"].write(tmp_path)
    path = annotation_of(tmp_path, "Bach10/all")
    if content is None:
        path.write_bytes(path.read_bytes()[:200])
    else:
        scipy.io.savemat(path, content)
    message = refusal(tmp_path, "Bach10/all")
    assert re.search(expected, message)
    assert str(path) in message


MAESTRO_HEADER = "split,audio_filename,midi_filename"
INDEX_DAMAGES = {
    "NSynth cut": ("NSynth/valid", '{"x-021-', "line 1: not JSON"),
    "NSynth list": ("NSynth/valid", "[]", "an object with one entry per note"),
    "NSynth name": ("NSynth/valid", '{"piano": {}}', "INSTRUMENT-PITCH-VELOCITY"),
    "NSynth path": ("NSynth/valid", '{"../x-021-127": {}}', "INSTRUMENT-PITCH-VELOCITY"),
    "E-GMD column": ("E-GMD/train", "split\ntrain\n", "line 1: no column 'audio_filename'"),
    "E-GMD no file": ("E-GMD/train", "split,audio_filename\ntrain,\n", "line 2: '' is no path"),
    "E-GMD above": ("E-GMD/train", "split,audio_filename\ntrain,../1.wav\n", "line 2: '../1.wav'"),
    "E-GMD lines": ("E-GMD/train", 'split,audio_filename\ntrain,"a\nb"\n', r"line 3: 'a\nb' is"),
    "MAESTRO split": ("MAESTRO/test", f"{MAESTRO_HEADER}\ndev,1.wav,1.midi", "line 2: split 'dev'"),
    "MAESTRO pair": ("MAESTRO/test", f"{MAESTRO_HEADER}\ntest,1.wav,2.midi", "line 2: files 1.wav"),
    "MAESTRO row": ("MAESTRO/test", f"{MAESTRO_HEADER}\ntest,1.wav", "line 2: 2 columns where"),
}


@pytest.mark.parametrize("damage", INDEX_DAMAGES)
def test_damaged_index_is_one_line_that_names_it(tmp_path: Path, damage: str) -> None:
    name, content, expected = INDEX_DAMAGES[damage]
    layout = next(layout for n, layout in LAYOUTS.items() if n.split("/")[0] == name.split("/")[0])
    layout.write(tmp_path)
    path = tmp_path / INDEXES[damage.split()[0]]
    path.write_text(content)
    message = refusal(tmp_path, name)
    assert expected in message
    assert str(path) in message
