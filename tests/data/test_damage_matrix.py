"""Sets × damages: a damaged file is read as if it were whole, or refused in one line naming it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.layouts import LAYOUTS
from tests.support.damages import (
    INDEXES,
    REFUSED_ANNOTATIONS,
    REFUSED_FILES,
    SAME_TEXT,
    annotation_of,
    each,
    edit,
    files_of,
    forbid,
    in_the_middle,
    link,
    make_folder,
    put_nan,
    reading,
    refusal,
    truncate_audio,
)

LISTED = ("FMA", "MDBDrums", "SWD", "MagnaTagATune")
"""Datasets whose tracks are those that are on disk"""


@pytest.fixture(autouse=True)
def _restored_permissions(tmp_path: Path) -> Iterator[None]:
    yield
    for path in tmp_path.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700)


SETS = tuple({name.split("/")[0]: name for name in reversed(LAYOUTS)}.values())
"""One of each dataset"""
# annotated by its audio and its name
ANNOTATED = [name for name in SETS if LAYOUTS[name].annotation and not name.startswith("NSynth")]
INDEXED = ("NSynth/valid", "E-GMD/train", "MAESTRO/validation", "FMA/train")
TEXT = ("URMP/validation", "Su/all", "MusicNet/test", "GuitarSet/05", "MAPS/ENSTDkCl", *INDEXED)


def text_of(root: Path, name: str) -> Path:
    """Return the index, or the annotation, of a set that is text."""
    index = INDEXES.get(name.split("/")[0])
    return root / index if index else annotation_of(root, name)


@each(SETS, [*REFUSED_FILES, "truncated", "NaN"])
def test_audio(tmp_path: Path, name: str, damage: str) -> None:
    LAYOUTS[name].write(tmp_path)
    audio = files_of(tmp_path, name)[0]
    if audio.suffix == ".mp3" and damage in ("NaN", "truncated"):
        pytest.skip("MP3 has no NaN, and so short a file may end where it likes")
    if name.split("/")[0] in LISTED and damage == "missing":
        pytest.skip("there is no such track then")
    if name == "MagnaTagATune/all" and damage == "empty":
        pytest.skip("such clips are left out, as published")
    {**REFUSED_FILES, "truncated": truncate_audio, "NaN": put_nan}[damage](audio)
    assert str(audio) in refusal(tmp_path, name)


@each(ANNOTATED, REFUSED_FILES | REFUSED_ANNOTATIONS)
def test_annotation(tmp_path: Path, name: str, damage: str) -> None:
    LAYOUTS[name].write(tmp_path)
    path = annotation_of(tmp_path, name)
    (REFUSED_FILES | REFUSED_ANNOTATIONS)[damage](path)
    assert str(path) in refusal(tmp_path, name)


@each(INDEXED, REFUSED_FILES | REFUSED_ANNOTATIONS)
def test_index(tmp_path: Path, name: str, damage: str) -> None:
    LAYOUTS[name].write(tmp_path)
    path = text_of(tmp_path, name)
    (REFUSED_FILES | REFUSED_ANNOTATIONS)[damage](path)
    assert str(path) in refusal(tmp_path, name)


@pytest.mark.parametrize("name", SETS)
def test_folder_that_may_not_be_entered(tmp_path: Path, name: str) -> None:
    LAYOUTS[name].write(tmp_path)
    folder = tmp_path / name.split("/")[0]
    forbid(folder)
    assert str(folder) in refusal(tmp_path, name)


@each(TEXT, SAME_TEXT)
def test_text_of_another_editor(tmp_path: Path, name: str, damage: str) -> None:
    LAYOUTS[name].write(tmp_path)
    before = reading(tmp_path, name)
    path = text_of(tmp_path, name)
    SAME_TEXT[damage](path)
    assert reading(tmp_path, name) == before


@pytest.mark.parametrize("name", TEXT)
def test_text_of_another_encoding_is_told_by_its_line(tmp_path: Path, name: str) -> None:
    LAYOUTS[name].write(tmp_path)
    path = text_of(tmp_path, name)
    content = path.read_bytes()
    line = content[: len(content) // 2].count(b"\n") + 1
    edit(path, lambda content: in_the_middle(content, 0, b"\xe9"))
    expected = f"{path}, line {line}: not UTF-8 text (byte 0xe9)"
    if name == "FMA/train":  # whose table is too large to be held whole
        expected = f"{path}, line 1 or a later one: not UTF-8 text"
    assert expected in refusal(tmp_path, name)


@pytest.mark.parametrize("name", SETS)
def test_links_are_followed_and_loops_survived(tmp_path: Path, name: str) -> None:
    LAYOUTS[name].write(tmp_path)
    before = reading(tmp_path, name)
    for path in files_of(tmp_path, name):
        link(path)
    folder = tmp_path / name.split("/")[0]
    folder.rename(tmp_path / "disk")
    folder.symlink_to("disk")
    (folder / "loop").symlink_to(".")
    assert reading(tmp_path, name) == before


@pytest.mark.parametrize("name", SETS)
def test_folder_named_in_another_encoding_is_as_good(tmp_path: Path, name: str) -> None:
    LAYOUTS[name].write(tmp_path)
    before = reading(tmp_path, name)
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Caf\xe9"))
    root.mkdir()
    folder = name.split("/")[0]
    (tmp_path / folder).rename(root / folder)
    assert reading(root, name) == before
    audio = files_of(root, name)[0]
    make_folder(audio)
    assert str(audio) in refusal(root, name)


@pytest.mark.parametrize(
    ("name", "track", "renamed"),
    [
        ("GuitarSet/05", "05_Rock1-90-C#_solo", b"05_Caf\xe9"),
        ("MusicNet/test", "2303", b"Caf\xe9"),
        ("Su/all", "PQ02_Brahms", b"PQ02_Caf\xe9"),
    ],
)
def test_tracks_named_in_another_encoding_can_be_stored_and_printed(
    tmp_path: Path, name: str, track: str, renamed: bytes
) -> None:
    LAYOUTS[name].write(tmp_path)
    before = reading(tmp_path, name)
    for path in files_of(tmp_path, name):
        path.rename(path.with_name(path.name.replace(track, os.fsdecode(renamed))))
    names, *after = reading(tmp_path, name)
    assert after == list(before[1:])
    assert renamed.replace(b"\xe9", b"\\xe9").decode() in names
