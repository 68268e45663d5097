"""MAT-files of version 5: one matrix of real numbers.

SciPy reads them, too, but ends the whole process (a segmentation fault) over some damaged ones.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssmpe.data.files.parsing import read_bytes
from ssmpe.errors import DataError

_HEADER_BYTES = 128
_ORDERS = {b"IM": "<", b"MI": ">"}
"""Last bytes of the header -> order of bytes in all numbers"""
_MATRIX, _COMPRESSED = 14, 15
"""Types of elements that hold a variable"""
_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
"""Types of elements that hold numbers"""
_REAL_CLASSES = range(6, 16)
"""Classes of matrices of numbers, whatever their type"""
_COMPLEX = 0x800
"""Bit of a matrix's flags"""


def read_matrix(path: Path, name: str, at_most: int) -> NDArray[Any]:
    """Read the variable ``name``, a matrix of real numbers.

    Args:
        at_most: bytes that the file, and its variables unpacked, may have.

    Raises:
        DataError: the file is unreadable, missing or too large, or has no such variable.
    """
    content = read_bytes(path, at_most)
    try:
        for variable in _variables(content, at_most):
            if len(variable) > 2 and variable[2][1] == name.encode():
                return _values(variable, _order(content))
    except (ValueError, struct.error, zlib.error) as error:
        raise DataError(f"{path}: not a readable MAT-file ({error})") from None
    except TypeError as error:
        raise DataError(f"{path}: {name} holds {error}, expected numbers") from None
    raise DataError(f"{path}: no variable {name!r}")


def _order(content: bytes) -> str:
    mark = content[_HEADER_BYTES - 2 : _HEADER_BYTES]
    if mark not in _ORDERS:
        raise ValueError("no header of version 5")
    return _ORDERS[mark]


def _variables(content: bytes, room: int) -> Iterator[list[tuple[int, bytes]]]:
    """Yield the first elements of every variable: flags, dimensions, name and real part."""
    order = _order(content)
    for kind, body in _elements(content[_HEADER_BYTES:], order):
        if kind == _COMPRESSED:
            unpacked = zlib.decompressobj().decompress(body, room + 1)
            room -= len(unpacked)
            if room < 0:
                raise ValueError("unpacked, it would be too large")
            kind, body = next(_elements(unpacked, order), (0, b""))
        if kind == _MATRIX:
            yield list(islice(_elements(body, order), 4))


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of elements that lie one after the other."""
    start = 0
    while start + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, start)
        start += 8
        if small := kind >> 16:  # its size shares a word with its type, and it lies behind that
            kind, size, start = kind & 0xFFFF, small, start - 4
        body = content[start : start + size]
        if len(body) < size or small > 4:
            raise ValueError("it ends too soon")
        yield kind, body
        start += size if kind == _COMPRESSED else size + (-size % (4 if small else 8))


def _values(variable: list[tuple[int, bytes]], order: str) -> NDArray[Any]:
    """Return the numbers of a variable in its shape; TypeError tells what else it holds."""
    (flags,) = struct.unpack_from(f"{order}I", variable[0][1])
    if flags & 0xFF not in _REAL_CLASSES or flags & _COMPLEX:
        raise TypeError(f"values of class {flags & 0xFF}")
    shape = np.frombuffer(variable[1][1], f"{order}i4").tolist()
    if len(variable) < 4 or variable[3][0] not in _NUMBERS:
        raise ValueError("a matrix without numbers")
    numbers = np.frombuffer(variable[3][1], f"{order}{_NUMBERS[variable[3][0]]}")
    if min(shape, default=-1) < 0 or math.prod(shape) != len(numbers):
        raise ValueError(f"{len(numbers)} numbers in a matrix of shape {shape}")
    return numbers.reshape(shape, order="F")
