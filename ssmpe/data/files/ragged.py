"""Ragged text: a line for each time, with as many F0s as sound then."""

from pathlib import Path

import numpy as np

from ssmpe.data.files.annotation import FrameAnnotation, MultiPitch
from ssmpe.data.files.parsing import Row, read_text
from ssmpe.errors import DataError
from ssmpe.units import Floats


def read_ragged(path: Path) -> FrameAnnotation:
    """Read F0s over time as ``mir_eval.io.load_ragged_time_series`` does.

    Every line has a time in seconds, then any number of F0s in Hz, separated by whitespace or by
    commas. An F0 of 0 stands for none, as does an empty field at the end of a line. Lines that are
    blank or start with ``#`` are skipped.

    Raises:
        DataError: a line does not parse, times do not increase, a frequency is no pitch, or
            there are no frames.
    """
    times: list[float] = []
    f0s: list[Floats] = []
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        row = Row(path, line, _fields(text))
        if not row.fields or text.lstrip().startswith("#"):
            continue
        times.append(row.time_after(times[-1] if times else None))
        frequencies = [row.frequency(column) for column in range(1, len(row.fields))]
        f0s.append(np.array([hz for hz in frequencies if hz > 0], dtype=np.float64))
    if not times:
        raise DataError(f"{path}: no annotated frames; each line: a time in s, then F0s in Hz")
    return FrameAnnotation(MultiPitch(np.array(times), tuple(f0s)))


def _fields(text: str) -> list[str]:
    if "," not in text:
        return text.split()
    fields = [field.strip() for field in text.split(",")]
    while fields and not fields[-1]:
        fields.pop()
    return fields
