"""What MedleyDB, SWD and MagnaTagATune leave out, and how they answer to another layout."""

from pathlib import Path

import pytest

from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.errors import DataError, UserError
from tests.layouts import LAYOUTS, each_set, magnatagatune, medleydb, written_root

root = pytest.fixture(written_root)

SETS = ("MedleyDB/all", "SWD/all", "MagnaTagATune/all")


def names(root: Path, name: str) -> list[str]:
    return [track.name for track in resolve(name, Locations(root)).tracks]


@each_set("MedleyDB/all")
def test_medleydb_has_no_piece_of_bach10(root: Path, name: str) -> None:
    left_out = set(medleydb.NAMES) - set(names(root, name))
    assert left_out == {"Bach10_AchGottundHerr"}
    piece = root / "MedleyDB" / "Audio" / "Bach10_AchGottundHerr"
    piece.rename(piece.with_name("Quartet_of_Bach10"))
    assert len(names(root, name)) == 2
    piece.with_name("Quartet_of_Bach10").rename(piece.with_name("Bach_AchGottundHerr"))
    assert len(names(root, name)) == 3


@each_set("MedleyDB/all")
def test_medleydb_recording_without_mixture_is_missing(root: Path, name: str) -> None:
    mixture = root / "MedleyDB/Audio/MusicDelta_Beatles/MusicDelta_Beatles_MIX.wav"
    mixture.unlink()
    found = resolve(name, Locations(root))
    with pytest.raises(DataError) as error:
        found.dataset.require_files(found.tracks)
    assert str(error.value).startswith(f"{mixture} is missing (1 of 2 files are)")


@each_set("MagnaTagATune/all")
def test_magnatagatune_leaves_empty_files_out(root: Path, name: str) -> None:
    assert (root / "MagnaTagATune" / f"{magnatagatune.EMPTY}.mp3").stat().st_size == 0
    assert magnatagatune.EMPTY not in names(root, name)
    # what cannot be seen to be empty is not silently left out
    broken = root / "MagnaTagATune" / "0" / "broken.mp3"
    broken.symlink_to("nowhere.mp3")
    assert "0/broken" in names(root, name)


@each_set("MagnaTagATune/all")
def test_magnatagatune_may_be_there_in_part(root: Path, name: str) -> None:
    for folder in ("6", "f"):
        (root / "MagnaTagATune" / folder).rename(root / folder)
    assert names(root, name) == list(magnatagatune.NAMES[:1])


@pytest.mark.parametrize(
    ("root", "name", "part"),
    [("MedleyDB/all", "MedleyDB/all", "Audio"), ("SWD/all", "SWD/all", "01_RawData/audio_wav")],
    indirect=["root"],
)
def test_missing_part_of_the_layout_is_named(root: Path, name: str, part: str) -> None:
    path = root / name.split("/")[0] / part
    path.rename(path.with_name("renamed"))
    with pytest.raises(UserError) as error:
        resolve(name, Locations(root))
    assert str(error.value).startswith(f"{path} is missing; expected layout: ")


@pytest.mark.parametrize("name", SETS)
def test_empty_set_is_one_line(tmp_path: Path, name: str) -> None:
    LAYOUTS[name].write(tmp_path)
    for path in [*tmp_path.rglob("*.wav"), *tmp_path.rglob("*.mp3")]:
        path.unlink()
    for path in (tmp_path / "MedleyDB" / "Audio").glob("*/"):
        path.rename(tmp_path / path.name)
    with pytest.raises(UserError, match=r"no tracks of split 'all'; expected layout: ") as error:
        resolve(name, Locations(tmp_path))
    assert "\n" not in str(error.value)
