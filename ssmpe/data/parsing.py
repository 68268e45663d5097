"""Numbers out of annotation files, with errors that name the file and the line."""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssmpe.errors import DataError
from ssmpe.units import Floats

MAX_F0 = 20_000.0
"""Hz; a fundamental above it is no pitch but a mistake"""


class Row(NamedTuple):
    """The fields of one line of a text file; knows where it stands."""

    path: Path
    line: int
    fields: list[str]

    def error(self, what: str) -> DataError:
        """An error about this line."""
        return DataError(f"{self.path}, line {self.line}: {what}")

    def number(self, column: int, name: str) -> float:
        """The finite number in a column, which messages call ``name``."""
        text = self.fields[column]
        try:
            value = float(text)
        except ValueError:
            raise self.error(f"{name} is {_shown(text)}, not a number") from None
        if not math.isfinite(value):
            raise self.error(f"{name} is {_shown(text)}, not a finite number")
        return value


def read_text(path: Path) -> str:
    """Text of a UTF-8 file, with or without byte-order mark.

    Raises:
        DataError: it is missing, unreadable or not text.
    """
    try:
        # universal newlines: CRLF and CR end lines as LF does
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file ({error.reason} at {error.start})") from None


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        DataError: it is unreadable or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    except (RecursionError, ValueError) as error:  # nested too deep, a number too long
        raise DataError(f"{path}: not usable JSON ({type(error).__name__})") from None


def read_columns(path: Path, n_columns: int) -> Iterator[Row]:
    """Lines of a file of whitespace-separated columns; blank lines are skipped.

    Raises:
        DataError: the file is unreadable or a line has another number of columns.
    """
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        row = Row(path, line, text.split())
        if not row.fields:
            continue
        if len(row.fields) != n_columns:
            raise row.error(f"{len(row.fields)} columns where {n_columns} are expected")
        yield row


def read_csv(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Rows of a CSV file with a header, reduced to ``columns`` in that order.

    Raises:
        DataError: the file is unreadable, a column is missing, or a row has too few or too many.
    """
    reader = csv.reader(read_text(path).splitlines(), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in columns if name not in header]
        if missing:
            raise DataError(f"{path}, line 1: no column {missing[0]!r} in the header")
        wanted = [header.index(name) for name in columns]
        for fields in reader:
            row = Row(path, reader.line_num, fields)
            if not fields:
                continue
            if len(fields) != len(header):
                raise row.error(f"{len(fields)} columns where the header has {len(header)}")
            yield Row(path, reader.line_num, [fields[i] for i in wanted])
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not CSV ({error})") from None


def read_f0_track(path: Path) -> tuple[Floats, Floats]:
    """A file of two columns, seconds and Hz (0 = unvoiced), as (times (N,), f0 (N,)).

    Raises:
        DataError: a line does not parse, times do not increase, a frequency is no pitch, or
            there are no lines.
    """
    times: list[float] = []
    f0: list[float] = []
    for row in read_columns(path, 2):
        time, frequency = row.number(0, "time"), row.number(1, "frequency")
        if times and time <= times[-1]:
            raise row.error(f"time {time:g} s does not come after {times[-1]:g} s")
        if not 0 <= frequency <= MAX_F0:
            raise row.error(f"frequency {frequency:g} Hz, expected 0 to {MAX_F0:g} Hz")
        times.append(time)
        f0.append(frequency)
    if not times:
        raise DataError(f"{path}: no annotated frames, the file is empty")
    return np.array(times), np.array(f0)


def _shown(text: str) -> str:
    """Text as messages quote it: on one line, and not for ever."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
