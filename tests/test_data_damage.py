"""Incomplete roots and damaged annotations: one line each, which names the file."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from ssmpe.data.registry import Locations, resolve
from ssmpe.errors import DataError, UserError
from tests.layouts import LAYOUTS, each_set, written_root
from tests.layouts.guitarset import jams

root = pytest.fixture(written_root)


def resolve_whole(name: str, root: Path) -> None:
    """As a use that needs every file does."""
    found = resolve(name, Locations(root))
    found.dataset.require_files(found.tracks)


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_missing_root_tells_the_expected_layout(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as error:
        resolve(name, Locations(tmp_path / "nowhere"))
    message = one_line(error)
    assert str(tmp_path / "nowhere" / name.split("/")[0]) in message
    assert "expected layout: " in message


LAYOUT_DAMAGES = [
    ("MusicNet/test", "test_labels"),
    ("MusicNet/test", "test_data"),
    ("GuitarSet/05", "annotation"),
    ("GuitarSet/05", "audio_mono-mic"),
    ("NSynth/valid", "nsynth-valid/examples.json"),
    ("E-GMD/train", "e-gmd-v1.0.0.csv"),
]


@pytest.mark.parametrize(
    ("root", "name", "gone"), [(n, n, g) for n, g in LAYOUT_DAMAGES], indirect=["root"]
)
def test_missing_part_of_the_layout_is_named(root: Path, name: str, gone: str) -> None:
    path = root / name.split("/")[0] / gone
    path.rename(path.with_name("renamed"))
    with pytest.raises(UserError) as error:
        resolve(name, Locations(root))
    assert str(path) in one_line(error)
    assert "expected layout: " in str(error.value)


@each_set("Bach10/all", "MusicNet/test", "GuitarSet/05", "NSynth/valid", "E-GMD/train")
def test_folder_without_tracks_is_refused(root: Path, name: str) -> None:
    for path in sorted((root / name.split("/")[0]).rglob("*"), reverse=True):
        if path.suffix in (".wav", ".csv", ".jams", ".mat") and "e-gmd" not in path.name:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()) and path.parent.name == "Bach10":
            path.rmdir()
    if name == "NSynth/valid":
        (root / "NSynth" / "nsynth-valid" / "examples.json").write_text("{}")
    if name == "E-GMD/train":
        (root / "E-GMD" / "e-gmd-v1.0.0.csv").write_text("split,audio_filename\n")
    with pytest.raises(UserError, match="no tracks of split"):
        resolve(name, Locations(root))


INCOMPLETE = [
    ("URMP/validation", "12_Song_vn_vc/AuMix_12_Song_vn_vc.wav"),
    ("URMP/validation", "12_Song_vn_vc/F0s_2_vc_12_Song.txt"),
    ("Bach10/all", "02-AchLieben/02-AchLieben-GTF0s.mat"),
    ("Bach10/all", "02-AchLieben/02-AchLieben.wav"),
    ("MusicNet/test", "test_data/2303.wav"),
    ("MusicNet/test", "test_labels/2303.csv"),
    ("MusicNet/train", "train_labels/1728.csv"),
    ("GuitarSet/05", "annotation/05_Rock1-90-C#_solo.jams"),
    ("GuitarSet/05", "audio_mono-mic/05_Rock1-90-C#_solo_mic.wav"),
    ("NSynth/valid", "nsynth-valid/audio/x-021-127.wav"),
    ("E-GMD/train", "drummer1/session1/1_funk.wav"),
]


@pytest.mark.parametrize(
    ("root", "name", "gone"), [(n, n, g) for n, g in INCOMPLETE], indirect=["root"]
)
def test_incomplete_set_names_the_missing_file(root: Path, name: str, gone: str) -> None:
    path = root / name.split("/")[0] / gone
    path.unlink()
    with pytest.raises(DataError) as error:
        resolve_whole(name, root)
    message = one_line(error)
    assert f"{path} is missing (1 of " in message
    assert "expected layout: " in message


@each_set("NSynth/valid")
def test_missing_files_are_counted(root: Path, name: str) -> None:
    for path in (root / "NSynth" / "nsynth-valid" / "audio").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"audio.*wav is missing \(3 of 3"):
        resolve_whole(name, root)


@each_set("URMP/validation")
def test_urmp_lists_missing_pieces(root: Path, name: str) -> None:
    for number in ("12", "39"):
        (root / "URMP" / f"{number}_Song_vn_vc").rename(root / number)
    with pytest.raises(DataError, match=r"pieces 12 39 .*2 of 9"):
        resolve(name, Locations(root))


F0_FILE = "URMP/12_Song_vn_vc/F0s_1_vn_12_Song.txt"
CSV_FILE = "MusicNet/test_labels/2303.csv"
JAMS_FILE = "GuitarSet/annotation/05_Rock1-90-C#_solo.jams"
HEADER = "start_time,end_time,instrument,note,start_beat,end_beat,note_value"


def jams_with(time: object, value: object) -> str:
    document = jams()
    data = document["annotations"][0]["data"]
    data["time"], data["value"] = [0.1, time], [{"voiced": False, "frequency": 0.0}, value]
    return json.dumps(document)


def frequency(hz: object) -> dict[str, object]:
    return {"voiced": True, "index": 0, "frequency": hz}


DAMAGES: dict[str, tuple[str, str | bytes, str]] = {
    "f0 not a number": (F0_FILE, "0 440\n0.01 A4\n", "line 2: frequency is 'A4'"),
    "f0 time not a number": (F0_FILE, "0 440\nx 0\n", "line 2: time is 'x'"),
    "f0 one column": (F0_FILE, "0 440\n\n0.01\n", "line 3: 1 columns"),
    "f0 three columns": (F0_FILE, "0 440 1\n", "line 1: 3 columns"),
    "f0 time repeats": (F0_FILE, "0 440\n0.01 0\n0.01 0\n", "line 3: time 0.01"),
    "f0 nan": (F0_FILE, "0 nan\n", "line 1: frequency is 'nan'"),
    "f0 inf": (F0_FILE, "inf 440\n", "line 1: time is 'inf'"),
    "f0 negative": (F0_FILE, "0 -1\n", "line 1: frequency -1 Hz"),
    "f0 absurd": (F0_FILE, "0 44100\n", "line 1: frequency 44100 Hz"),
    "f0 empty": (F0_FILE, "", "empty"),
    "f0 other grid": (F0_FILE, "0 440\n0.01 440\n", "differs from"),
    "f0 not text": (F0_FILE, b"\xff\xfe\x00\x01", "line 1: not UTF-8 text (byte 0xff)"),
    "csv empty": (CSV_FILE, "", "the file is empty (0 bytes)"),
    "csv no column": (CSV_FILE, HEADER.replace("note,", "pitch,"), "line 1: no column 'note'"),
    "csv few columns": (CSV_FILE, f"{HEADER}\n0,10,1\n", "line 2: 3 columns"),
    "csv many columns": (CSV_FILE, f"{HEADER}\n0,10,1,69,0,1,Half,\n", "line 2: 8 columns"),
    "csv not a number": (CSV_FILE, f"{HEADER}\n0,x,1,69,0,1,Half\n", "line 2: end_time is 'x'"),
    "csv nan": (CSV_FILE, f"{HEADER}\n0,1,1,nan,0,1,Half\n", "line 2: note is 'nan'"),
    "csv onset = offset": (CSV_FILE, f"{HEADER}\n9,9,1,69,0,1,Half\n", "line 2: note from"),
    "csv before 0": (CSV_FILE, f"{HEADER}\n-9,9,1,69,0,1,Half\n", "line 2: note from"),
    "csv no such note": (CSV_FILE, f"{HEADER}\n0,9,1,440,0,1,Half\n", "line 2: note 440"),
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
        "URMP/12_Song_vn_vc",
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
    found = resolve(name, Locations(tmp_path))
    (track,) = (t for t in found.tracks if t.name.startswith(("12_", "2303", "05_")))
    with pytest.raises(DataError) as error:
        found.dataset.annotation(track)
    message = one_line(error)
    assert expected in message
    # a file that does not fit is named by its audio, two that differ by either
    named = track.audio if "s but the audio" in message else path
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
    path = tmp_path / "Bach10" / "01-AchGott" / "01-AchGott-GTF0s.mat"
    if content is None:
        path.write_bytes(path.read_bytes()[:200])
    else:
        scipy.io.savemat(path, content)
    found = resolve("Bach10/all", Locations(tmp_path))
    with pytest.raises(DataError, match=expected) as error:
        found.dataset.annotation(found.tracks[0])
    assert str(path) in one_line(error)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "an object with one entry per note"),
        ('{"piano": {}}', "INSTRUMENT-PITCH-VELOCITY"),
    ],
)
def test_damaged_nsynth_index_is_one_line_that_names_it(
    tmp_path: Path, content: str, expected: str
) -> None:
    LAYOUTS["NSynth/valid"].write(tmp_path)
    path = tmp_path / "NSynth" / "nsynth-valid" / "examples.json"
    path.write_text(content)
    with pytest.raises(DataError, match=expected) as error:
        resolve("NSynth/valid", Locations(tmp_path))
    assert str(path) in one_line(error)


@each_set("URMP/validation", "MusicNet/test")
def test_byte_order_mark_and_crlf_change_nothing(root: Path, name: str) -> None:
    found = resolve(name, Locations(root))
    before = found.dataset.annotation(found.tracks[0])
    for path in [*root.rglob("F0s_*.txt"), *root.rglob("*.csv")]:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    after = found.dataset.annotation(found.tracks[0])
    times = np.arange(50) / 100
    assert before is not None
    assert after is not None
    for a, b in zip(before.at(times).f0s, after.at(times).f0s, strict=True):
        assert np.array_equal(a, b)
