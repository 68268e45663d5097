"""Damages to files of small copies of datasets, and readings of what is left."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.data.files.annotation import FrameAnnotation, NoteAnnotation
from ssmpe.data.files.audio import read_audio
from ssmpe.errors import UserError

Damage = Callable[[Path], object]

INDEXES = {
    "NSynth": "NSynth/nsynth-valid/examples.json",
    "E-GMD": "E-GMD/e-gmd-v1.0.0.csv",
    "MAESTRO": "MAESTRO/maestro-v3.0.0.csv",
    "FMA": "FMA/fma_metadata/tracks.csv",
}
"""File that tells which tracks there are, of each dataset that has one"""


def link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name(f"{path.name}.real")))


def link_to(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def forbid(path: Path) -> None:
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("who runs this may read everything")


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    content = path.read_bytes()
    changed = change(content)
    assert changed != content
    path.write_bytes(changed)


def in_the_middle(content: bytes, replaced: int, by: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + by + content[middle + replaced :]


REFUSED_FILES: dict[str, Damage] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "dangling link": lambda path: link_to(path, "nowhere"),
    "link to itself": lambda path: link_to(path, path.name),
    "folder": make_folder,
    "pipe": make_pipe,
    "endless": lambda path: link_to(path, "/dev/zero"),
    "other content": lambda path: path.write_bytes(b"<!DOCTYPE html>\n<p>404</p>\n"),
    "no permission": forbid,
}
REFUSED_ANNOTATIONS: dict[str, Damage] = {
    "garbled": lambda path: edit(path, lambda content: in_the_middle(content, 16, b"\xff" * 16)),
    "UTF-16": lambda path: edit(path, lambda content: b"\xff\xfe" + b"\0".join([content, b""])),
}
SAME_TEXT: dict[str, Damage] = {
    "byte-order mark": lambda path: edit(path, lambda content: b"\xef\xbb\xbf" + content),
    "CRLF": lambda path: edit(path, lambda content: (content + b"\n").replace(b"\n", b"\r\n")),
    "CR": lambda path: edit(path, lambda content: (content + b"\n").replace(b"\n", b"\r")),
    "blank lines at the end": lambda path: edit(path, lambda content: content + b"\n\n"),
}


def truncate_audio(path: Path) -> None:
    edit(path, lambda content: content[: len(content) // 3])


def put_nan(path: Path) -> None:
    samples, rate = soundfile.read(path)
    samples[len(samples) // 2] = np.nan
    soundfile.write(path, samples, rate, subtype="FLOAT")


def reading(root: Path, name: str) -> tuple[Any, ...]:
    """Read all of a set's first track, in a form that can be compared."""
    found = resolve(name, Locations(root))
    found.dataset.require_files(found.tracks)
    track = found.tracks[0]
    annotation = found.dataset.annotation(track)
    told: list[Any] = []
    if isinstance(annotation, NoteAnnotation):
        told = [annotation.onsets, annotation.offsets, annotation.f0s]
    elif isinstance(annotation, FrameAnnotation):
        told = [annotation.grid, *annotation.observed.f0s]
    samples = read_audio(track.audio, 22_050)
    return [t.name for t in found.tracks], samples.tobytes(), [a.tolist() for a in told]


def files_of(root: Path, name: str) -> list[Path]:
    """Return audio and annotations of the first track."""
    found = resolve(name, Locations(root))
    return found.dataset.files(found.tracks[0])


def annotation_of(root: Path, name: str) -> Path:
    return files_of(root, name)[-1]


def refusal(root: Path, name: str) -> str:
    with pytest.raises(UserError) as error:
        reading(root, name)
    message = str(error.value)
    assert "\n" not in message
    return message


def each(sets: Iterable[str], damages: Iterable[str]) -> pytest.MarkDecorator:
    """Parametrise a test over sets × damages."""
    cells = [(name, damage) for name in sets for damage in damages]
    return pytest.mark.parametrize(("name", "damage"), cells)
