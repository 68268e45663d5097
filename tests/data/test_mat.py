"""MAT-files: matrices as SciPy writes them, and no damage that ends the process."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from ssmpe.data.datasets import bach10
from ssmpe.data.files.mat import read_matrix
from ssmpe.errors import DataError
from tests.support import confined

ROOM = 1 << 20


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_matrix_is_read_back(tmp_path: Path, form: str, packed: bool) -> None:
    path = tmp_path / "a.mat"
    for shape in ((4, 3), (1, 1), (4, 0), (1, 5), (2, 3, 2)):
        matrix = np.arange(np.prod(shape)).reshape(shape).astype(form)
        others = {"text": "a", "structure": {"b": [1]}, "complex": np.ones(3) * 1j}
        scipy.io.savemat(path, {**others, "GTF0s": matrix}, do_compression=packed)
        found = read_matrix(path, "GTF0s", ROOM)
        assert found.shape == shape
        assert np.array_equal(found, matrix)
    for name, said in (("text", "text holds values of class 4"), ("F0s", "no variable 'F0s'")):
        with pytest.raises(DataError, match=said):
            read_matrix(path, name, ROOM)
    with pytest.raises(DataError, match="complex holds values of class 6, expected numbers"):
        read_matrix(path, "complex", ROOM)


def read(path: str, place: int, bit: int) -> object:
    """Read a file with a flipped bit; called in the confined process."""
    content = bytearray(Path(path).read_bytes())
    content[place] ^= 1 << bit
    flipped = Path(path).with_name("flipped.mat")
    flipped.write_bytes(content)
    return bach10.read_part_pitches(flipped).shape


def test_flipped_bits_are_refused_in_one_line_or_change_values_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"GTF0s": np.full((4, 40), 60.0)})
    calls = [(str(path), place, bit) for place in range(124, 240) for bit in range(8)]
    for outcome in confined.call(f"{__name__}:read", calls, tmp_path):
        assert outcome.error in ("", "DataError"), outcome
        assert "flipped.mat: " in outcome.message or outcome.message == "(4, 40)"
        assert "\n" not in outcome.message
