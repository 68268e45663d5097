"""Notes beside F0s: read where all of them are there, kept with the rest, cut as the rest is."""

from pathlib import Path

import numpy as np
import pytest

from ssmpe.data.datasets.registry import Locations
from ssmpe.data.datasets.urmp import VALIDATION
from ssmpe.data.files.annotation import FrameAnnotation, NoteAnnotation
from ssmpe.data.sets import Use, load_use
from ssmpe.errors import DataError
from tests.layouts import urmp

PIECE = f"{VALIDATION[0]}_Song_vn_vc"
URMP = Use("URMP/validation", annotated=True, sample_rate=22_050)


def write(root: Path, part: str, *notes: str) -> Path:
    """Write the notes of a part of the first piece."""
    path = root / "URMP" / PIECE / f"Notes_{part}_{VALIDATION[0]}_Song.txt"
    path.write_text("".join(f"{line}\n" for line in notes))
    return path


def rows_of(notes: NoteAnnotation | None) -> list[tuple[float, float, float]]:
    assert notes is not None
    return list(zip(*(x.tolist() for x in (notes.onsets, notes.offsets, notes.f0s)), strict=True))


def test_notes_of_all_parts_are_read_and_kept(tmp_path):
    urmp.write(tmp_path)
    where, cache = Locations(tmp_path), tmp_path / "cache"

    def loaded() -> list[NoteAnnotation | None]:
        annotations = load_use(URMP, where, cache).annotations
        assert all(isinstance(a, FrameAnnotation) for a in annotations)
        return [a.notes for a in annotations if a is not None]

    assert loaded() == [None] * len(VALIDATION)
    write(tmp_path, "1_vn", "0.02\t441.5\t0.2", "0.3\t220\t0.0", "0.25\t440\t0.1")
    assert loaded()[0] is None  # those of the other part are missing
    path = write(tmp_path, "2_vc", "0 110 0.5")
    expected = [(0.02, 0.22, 441.5), (0.25, 0.35, 440.0), (0.0, 0.5, 110.0)]
    for _ in range(2):  # parsed, and from the cache
        first, *others = loaded()
        assert rows_of(first) == [pytest.approx(note) for note in expected]
        assert others == [None] * (len(VALIDATION) - 1)
    path.write_text("0.1 110 0.1\n")  # read anew as soon as one changes
    assert rows_of(loaded()[0])[-1] == pytest.approx((0.1, 0.2, 110.0))


@pytest.mark.parametrize(
    "line", ["-0.1 440 0.2", "0.1 0 0.2", "0.1 440 -0.2", "0.1 440", "0.1 A4 0.2", "0.1 30000 0.2"]
)
def test_lines_that_are_no_notes_are_told(tmp_path, line):
    urmp.write(tmp_path)
    write(tmp_path, "1_vn", "0.02 440 0.2")
    path = write(tmp_path, "2_vc", "0.0 110 0.1", line)
    with pytest.raises(DataError, match=f"{path.name}, line 2: "):
        load_use(URMP, Locations(tmp_path), tmp_path / "cache")


def test_notes_are_cut_with_the_frames():
    notes = NoteAnnotation(np.array([0.1, 0.5]), np.array([0.6, 0.9]), np.array([100.0, 200.0]))
    whole = FrameAnnotation.from_parts(np.arange(10) / 10, np.ones((1, 10)), notes)
    cut = whole.clipped(0.2, 0.5)
    assert rows_of(cut.notes) == [
        pytest.approx((0.0, 0.4, 100.0)),
        pytest.approx((0.3, 0.5, 200.0)),
    ]
    assert notes.notes is notes
    assert FrameAnnotation.from_parts(np.arange(2.0), np.ones((1, 2))).clipped(0, 1).notes is None
