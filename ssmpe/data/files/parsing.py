"""Reading of numbers from annotation files, with errors that name the file and the line."""

import csv
import errno
import io
import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssmpe.errors import DataError
from ssmpe.units import Floats

MAX_F0 = 20_000.0
"""Hz; a fundamental above it is no pitch but a mistake"""
MAX_BYTES = 1 << 27
"""Largest text that is read: some ten hours of frames of a quartet"""


class Row(NamedTuple):
    """Fields of one line of a text file, which know where they stand."""

    path: Path
    line: int
    fields: list[str]

    def error(self, what: str) -> DataError:
        """Return an error about this line."""
        return DataError(f"{self.path}, line {self.line}: {what}")

    def number(self, column: int, name: str) -> float:
        """Return the finite number in a column, which messages call ``name``."""
        text = self.fields[column]
        try:
            value = float(text)
        except ValueError:
            raise self.error(f"{name} is {_shown(text)}, not a number") from None
        if not math.isfinite(value):
            raise self.error(f"{name} is {_shown(text)}, not a finite number")
        return value

    def relative_path(self, column: int) -> str:
        """Return the path in a column; it leads to below the folder that it is relative to."""
        text = self.fields[column]
        if not text or not text.isprintable() or text[0] == "/" or ".." in text.split("/"):
            raise self.error(f"{_shown(text)} is no path of a file in the dataset's folder")
        return text

    def time_after(self, last: float | None) -> float:
        """Return the time in s of the first column, which comes after the ``last`` one."""
        time = self.number(0, "time")
        if last is not None and time <= last:
            raise self.error(f"time {time:g} s does not come after {last:g} s")
        return time

    def frequency(self, column: int) -> float:
        """Return the F0 in Hz of a column, from 0 to ``MAX_F0``."""
        hz = self.number(column, "frequency")
        if not 0 <= hz <= MAX_F0:
            raise self.error(f"frequency {hz:g} Hz, expected 0 to {MAX_F0:g} Hz")
        return hz


def require_regular(path: Path) -> None:
    """Check that a path leads to a regular file, or nowhere, or to a folder.

    The rest, as pipes and devices, could make who opens them wait, or read, for ever.

    Raises:
        OSError: it leads to something else, or cannot be looked at.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise OSError(errno.EINVAL, "not a regular file")


def read_bytes(path: Path, at_most: int = MAX_BYTES) -> bytes:
    """Read the content of a file.

    Raises:
        DataError: it is missing, no regular file, unreadable, empty, or larger than ``at_most``
            bytes.
    """
    try:
        require_regular(path)
        with open(path, "rb") as file:
            # not more than there is: as much memory is taken as is asked for
            size = os.fstat(file.fileno()).st_size
            content = file.read(min(size, at_most) + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if not content:
        raise DataError(f"{path}: the file is empty (0 bytes)")
    if len(content) > at_most:
        raise DataError(f"{path}: larger than {at_most} bytes, as no file of its kind is")
    return content


def read_text(path: Path, at_most: int = MAX_BYTES) -> str:
    """Read the text of a UTF-8 file, with or without byte-order mark; lines then end in LF.

    Raises:
        DataError: it is missing, unreadable, empty, larger than ``at_most`` bytes, or not text in
            this encoding.
    """
    content = read_bytes(path, at_most)
    try:
        return _lines_normalised(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = _lines_normalised(error.object[: error.start].decode("utf-8"))
        raise DataError(
            f"{path}, line {before.count(chr(10)) + 1}: not UTF-8 text "
            f"(byte 0x{error.object[error.start]:02x}); save it in that encoding"
        ) from None


def read_json(path: Path, at_most: int = MAX_BYTES) -> Any:
    """Read the content of a JSON file.

    Raises:
        DataError: it is unreadable, larger than ``at_most`` bytes, or not JSON.
    """
    try:
        return json.loads(read_text(path, at_most))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    except (RecursionError, ValueError) as error:  # nested too deep, a number too long
        raise DataError(f"{path}: not usable JSON ({type(error).__name__})") from None


def read_columns(path: Path, n_columns: int | None = None) -> Iterator[Row]:
    """Read the lines of a file of whitespace-separated columns; blank lines are skipped.

    Args:
        n_columns: expected; None for as many as the first line has.

    Raises:
        DataError: the file is unreadable or a line has another number of columns.
    """
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        row = Row(path, line, text.split())
        if not row.fields:
            continue
        n_columns = n_columns or len(row.fields)
        if len(row.fields) != n_columns:
            raise row.error(f"{len(row.fields)} columns where {n_columns} are expected")
        yield row


def read_csv(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Read the rows of a CSV file with a header, reduced to ``columns`` in that order.

    Raises:
        DataError: the file is unreadable, a column is missing, or a row has too few or too many.
    """
    # not splitlines, which knows further ends of lines that editors and CSV do not
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
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
    """Read a file of two columns, seconds and Hz (0 = unvoiced), as (times (N,), f0 (N,)).

    Raises:
        DataError: a line does not parse, times do not increase, a frequency is no pitch, or
            there are no lines.
    """
    times: list[float] = []
    f0: list[float] = []
    for row in read_columns(path, 2):
        times.append(row.time_after(times[-1] if times else None))
        f0.append(row.frequency(1))
    if not times:
        raise DataError(f"{path}: no annotated frames, the file is empty")
    return np.array(times), np.array(f0)


def _lines_normalised(text: str) -> str:
    """Have LF end every line that CRLF or CR ended."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _shown(text: str) -> str:
    """Return text as messages quote it: on one line, and not too long."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
