"""Missing folders, parts of a layout and files: one line each, which names what is missing."""

from pathlib import Path

import pytest

from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.errors import DataError, UserError
from tests.layouts import LAYOUTS, each_set, written_root

root = pytest.fixture(written_root)


def resolve_whole(name: str, root: Path) -> None:
    """Resolve a set as a use does that needs every file."""
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
    ("Su/all", "audio"),
    ("Su/all", "gt_Note"),
    ("MAESTRO/validation", "maestro-v3.0.0.csv"),
    ("MusicNet/test", "test_labels"),
    ("MusicNet/test", "test_data"),
    ("GuitarSet/05", "annotation"),
    ("GuitarSet/05", "audio_mono-mic"),
    ("MAPS/ENSTDkCl", "ENSTDkCl/MUS"),
    ("MAPS/ENSTDkCl-only", "ENSTDkAm/MUS"),
    ("NSynth/valid", "nsynth-valid/examples.json"),
    ("E-GMD/train", "e-gmd-v1.0.0.csv"),
    ("MDBDrums/all", "MDB Drums/audio/drum_only"),
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


EMPTIED = {
    "NSynth/valid": ("nsynth-valid/examples.json", "{}"),
    "E-GMD/train": ("e-gmd-v1.0.0.csv", "split,audio_filename\n"),
    "MAESTRO/train": ("maestro-v3.0.0.csv", "split,audio_filename,midi_filename\n"),
}
"""Of sets with an index: the index of a dataset without tracks"""


@each_set(
    *("Bach10/all", "Su/all", "TRIOS/all", "MusicNet/test", "GuitarSet/05"),
    *("MAPS/ENSTDkCl", "MDBDrums/all", *EMPTIED),
)
def test_folder_without_tracks_is_refused(root: Path, name: str) -> None:
    folder = root / name.split("/")[0]
    if name in EMPTIED:
        index, content = EMPTIED[name]
        (folder / index).write_text(content)
    elif name in ("Bach10/all", "TRIOS/all"):
        for path in list(folder.iterdir()):
            path.rename(root / path.name)
    else:
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            path.unlink()
    with pytest.raises(UserError, match="no tracks of split"):
        resolve(name, Locations(root))


@each_set("URMP/validation")
def test_urmp_piece_that_is_there_twice_is_refused(root: Path, name: str) -> None:
    (root / "URMP" / "12_Other_vn_vc").mkdir()
    with pytest.raises(DataError, match="12_Other_vn_vc and 12_Song_vn_vc are both piece 12"):
        resolve(name, Locations(root))


INCOMPLETE = [
    ("Su/all", "audio/PQ02_Brahms_audio.wav"),
    ("Su/all", "gt_Note/SQ01_note.txt"),
    ("TRIOS/all", "mozart/mix.wav"),
    ("TRIOS/all", "mozart/viola.mid"),
    ("MAESTRO/validation", "2004/MIDI-3.wav"),
    ("MAESTRO/validation", "2018/MIDI-3.midi"),
    ("URMP/validation", "12_Song_vn_vc/AuMix_12_Song_vn_vc.wav"),
    ("URMP/validation", "12_Song_vn_vc/F0s_2_vc_12_Song.txt"),
    ("Bach10/all", "02-AchLieben/02-AchLieben-GTF0s.mat"),
    ("Bach10/all", "02-AchLieben/02-AchLieben.wav"),
    ("MusicNet/test", "test_data/2303.wav"),
    ("MusicNet/test", "test_labels/2303.csv"),
    ("MusicNet/train", "train_labels/1728.csv"),
    ("GuitarSet/05", "annotation/05_Rock1-90-C#_solo.jams"),
    ("GuitarSet/05", "audio_mono-mic/05_Rock1-90-C#_solo_mic.wav"),
    ("MAPS/ENSTDkCl", "ENSTDkCl/MUS/MAPS_MUS-mz_331_3_ENSTDkCl.wav"),
    ("MAPS/ENSTDkAm", "ENSTDkAm/MUS/MAPS_MUS-mz_331_3_ENSTDkAm.txt"),
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
