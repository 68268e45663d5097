"""A user's own folder: what is found in it, and annotations of every form beside recordings."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.datasets.folder import READERS, Folder
from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.data.files.audio import duration, read_audio
from ssmpe.errors import DataError, UserError
from tests.layouts.folder import ANNOTATED, BARE, write, write_annotation
from tests.layouts.layout import SECONDS, write_tone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "mine")
    return tmp_path / "mine"


def tracks(folder: Path, split: str = "all") -> list[Track]:
    found = resolve(f"mine/{split}", Locations(folder / "no root", {"mine": folder}))
    assert found.dataset.name == "mine"
    return list(found.tracks)


def names(folder: Path, split: str = "all") -> list[str]:
    return [track.name for track in tracks(folder, split)]


def refusal(folder: Path, split: str = "all") -> str:
    with pytest.raises(UserError) as error:
        tracks(folder, split)
    message = str(error.value)
    assert "\n" not in message
    return message


# --- what is found ------------------------------------------------------------------------------


def test_all_recordings_at_any_depth_by_their_paths(folder: Path) -> None:
    assert names(folder) == sorted([*ANNOTATED, *BARE])
    for track in tracks(folder):
        assert track.audio == folder / track.name
        assert duration(track.audio) == pytest.approx(SECONDS)


def test_annotated_are_those_with_an_annotation_beside_them(folder: Path) -> None:
    assert names(folder, "annotated") == sorted(ANNOTATED)


def test_listing_does_not_depend_on_how_the_folder_is_called(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert names(Path(".")) == names(folder)
    assert names(Path("..") / "mine" / "") == names(folder)


def test_one_name_in_two_formats_is_two_tracks(tmp_path: Path) -> None:
    for name in ("a.wav", "a.mp3", "b.WAV"):
        write_tone(tmp_path / name)
    write_annotation(tmp_path / "a.txt")
    assert names(tmp_path) == ["a.mp3", "a.wav", "b.WAV"]
    assert names(tmp_path, "annotated") == ["a.mp3", "a.wav"]


@pytest.mark.parametrize("suffix", ["aiff", "au", "caf", "flac", "mp3", "ogg", "w64", "wav"])
def test_formats_that_are_listed_are_read(tmp_path: Path, suffix: str) -> None:
    write_tone(tmp_path / f"a.{suffix}")
    (track,) = tracks(tmp_path)
    assert len(read_audio(track.audio, 22_050)) == round(SECONDS * 22_050)


# --- annotations --------------------------------------------------------------------------------


def test_every_form_of_annotation_is_in_the_small_folder() -> None:
    assert {Path(beside).suffix.lower() for beside, _, _ in ANNOTATED.values()} == set(READERS)


@pytest.mark.parametrize("name", ANNOTATED)
def test_annotation_beside_a_recording_tells_what_sounds(folder: Path, name: str) -> None:
    dataset = Folder("mine", folder)
    (track,) = (track for track in dataset.tracks("annotated") if track.name == name)
    path, kind, expected = ANNOTATED[name]
    assert dataset.files(track) == [folder / name, folder / path]
    annotation = dataset.annotation(track)
    assert type(annotation) is kind
    for f0s in annotation.at(np.array([0.21, 0.22])).f0s:
        assert sorted(f0s) == pytest.approx(expected, abs=1e-3)


def test_recording_with_nothing_beside_it_has_no_annotation(folder: Path) -> None:
    dataset = Folder("mine", folder)
    (track,) = (track for track in dataset.tracks("all") if track.name == BARE[0])
    assert dataset.files(track) == [track.audio]
    assert dataset.annotation(track) is None


def test_damaged_annotation_is_named_with_its_line(folder: Path) -> None:
    (folder / "ragged.txt").write_text("0 220\n0.01 A4\n")
    dataset = Folder("mine", folder)
    (track,) = (track for track in dataset.tracks("all") if track.name == "ragged.wav")
    with pytest.raises(DataError) as error:
        dataset.annotation(track)
    assert str(error.value).startswith(f"{folder / 'ragged.txt'}, line 2: ")


def test_annotation_of_another_recording_is_refused(folder: Path) -> None:
    (folder / "ragged.txt").write_text("0 220\n9 220\n")
    dataset = Folder("mine", folder)
    (track,) = (track for track in dataset.tracks("all") if track.name == "ragged.wav")
    with pytest.raises(DataError, match=r"ragged\.wav: the annotation spans 0\.000 to 9\.000 s"):
        dataset.annotation(track)


def test_two_annotations_of_one_recording_are_named_and_refused(folder: Path) -> None:
    write_annotation(folder / "ragged.mid")
    message = refusal(folder, "annotated")
    assert message.startswith(f"{folder / 'ragged.mid'} and {folder / 'ragged.txt'}: ")
    # who only listens needs neither
    assert "ragged.wav" in names(folder)
    dataset = Folder("mine", folder)
    (track,) = (track for track in dataset.tracks("all") if track.name == "ragged.wav")
    with pytest.raises(DataError, match="two annotations of one recording"):
        dataset.annotation(track)


# --- links and names ----------------------------------------------------------------------------


def test_linked_folders_are_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write_tone(elsewhere / "sub" / "a.wav")
    write_annotation(elsewhere / "sub" / "a.txt")
    (folder / "more").symlink_to(elsewhere)
    (folder / "one.wav").symlink_to(elsewhere / "sub" / "a.wav")
    assert set(names(folder)) == {*ANNOTATED, *BARE, "more/sub/a.wav", "one.wav"}
    assert "more/sub/a.wav" in names(folder, "annotated")
    # the annotation is looked for beside the link
    assert "one.wav" not in names(folder, "annotated")


def test_folder_that_is_itself_a_link_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert names(tmp_path / "link") == names(folder)


@pytest.mark.parametrize("target", [".", "..", "../..", "drums", "loop"])
def test_loops_and_second_ways_into_a_folder_add_nothing(folder: Path, target: str) -> None:
    before = names(folder)
    write_tone(folder.parent / "beside" / "not mine.wav")
    (folder / "aaa").mkdir()
    for link in (folder / "loop", folder / "aaa" / "loop"):
        link.symlink_to(folder / target)
    assert names(folder) == before


def test_link_to_a_missing_file_is_listed_and_told_of_when_read(folder: Path) -> None:
    (folder / "gone.wav").symlink_to(folder / "nowhere.wav")
    (track,) = (track for track in tracks(folder) if track.name == "gone.wav")
    with pytest.raises(DataError, match=r"gone\.wav: no such audio file"):
        read_audio(track.audio, 22_050)


def test_names_that_are_no_utf8_are_read(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav")
    write_annotation(tmp_path / "a.txt")
    latin = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Caf\xe9"))
    latin.mkdir()
    audio = latin / os.fsdecode(b"\xfcber.wav")
    (tmp_path / "a.wav").rename(audio)
    (tmp_path / "a.txt").rename(audio.with_suffix(".txt"))
    dataset = Folder("mine", tmp_path)
    (track,) = dataset.tracks("annotated")
    assert track.name == r"Caf\xe9/\xfcber.wav"
    assert track.audio == audio
    json.dumps(track.name).encode()  # reports and keys are made of names
    dataset.require_files([track])
    assert len(read_audio(track.audio, 22_050)) == round(SECONDS * 22_050)
    annotation = dataset.annotation(track)
    assert annotation is not None
    assert annotation.at(np.array([0.2])).f0s[0].tolist() == [220.0, 440.0]


# --- nothing to be found ------------------------------------------------------------------------


def test_folder_without_audio_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("0 440\n")
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path).startswith(f"{tmp_path}: no tracks of split 'all'; ")


def test_folder_without_annotations_is_one_line(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav")
    assert refusal(tmp_path, "annotated").startswith(f"{tmp_path}: no tracks of split 'annotated'")


def test_missing_folder_is_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'} is missing")


def test_file_instead_of_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    assert refusal(tmp_path / "mine") == f"{tmp_path / 'mine'}: cannot be listed (Not a directory)"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_folder_that_may_not_be_read_is_one_line(folder: Path) -> None:
    (folder / "drums").chmod(0)
    message = refusal(folder)
    (folder / "drums").chmod(0o700)
    assert message == f"{folder / 'drums'}: cannot be listed (Permission denied)"
