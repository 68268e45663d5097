"""Parsers: any content gives a sound annotation or a DataError in one line, never anything else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ssmpe.data.datasets.bach10 import read_part_pitches
from ssmpe.data.datasets.guitarset import HOP
from ssmpe.data.datasets.musicnet import read_labels
from ssmpe.data.datasets.su import read_note_table
from ssmpe.data.files.annotation import FrameAnnotation, NoteAnnotation
from ssmpe.data.files.jams import read_jams, read_pitch_contours
from ssmpe.data.files.parsing import MAX_F0, read_columns, read_csv, read_f0_track
from ssmpe.data.files.ragged import read_ragged
from ssmpe.errors import DataError

Parsed = TypeVar("Parsed")

any_text = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
numbers = st.one_of(
    st.floats(-10, 30_000).map(str), st.sampled_from(["nan", "inf", "-0", "1e999", "x", "", "0"])
)
tables = st.lists(st.lists(numbers, max_size=4).map(" ".join), max_size=6).map("\n".join)
contents = st.one_of(st.binary(max_size=200), tables.map(str.encode), st.text().map(str.encode))


def parsed(parse: Callable[[Path], Parsed], path: Path, content: bytes) -> Parsed | None:
    """Return what a parser makes of a file; None if it rejects it in one line that names it."""
    path.write_bytes(content)
    try:
        return parse(path)
    except DataError as error:
        message = str(error)
    assert str(path) in message
    assert not set("\r\n") & set(message)
    return None


@any_text
@given(content=contents)
@example(content=b"0 1_0\n")
@example(content="0 ١\n".encode())
@example(content=b"0 \x00\n")
def test_f0_file_of_any_content(tmp_path: Path, content: bytes) -> None:
    result = parsed(read_f0_track, tmp_path / "F0s.txt", content)
    if result is not None:
        times, f0 = result
        assert len(times) == len(f0) > 0
        assert np.isfinite(times).all()
        assert (np.diff(times) > 0).all()
        assert ((f0 >= 0) & (f0 <= MAX_F0)).all()


rows = st.lists(st.lists(numbers, max_size=4).map(",".join), max_size=6).map("\n".join)


@any_text
@given(content=st.one_of(contents, rows.map(lambda r: f"start_time,end_time,note\n{r}".encode())))
@example(content=b'start_time,end_time,note\n"0\n1",2,3\n')
@example(content=b"start_time,end_time,note\n" + b"9" * 200_000)
@example(content=b'"\n,start_time,end_time,note')
def test_label_file_of_any_content(tmp_path: Path, content: bytes) -> None:
    notes = parsed(read_labels, tmp_path / "1.csv", content)
    if notes is not None:
        assert ((notes.onsets >= 0) & (notes.onsets < notes.offsets)).all()
        assert ((notes.f0s > 8) & (notes.f0s < 12_544)).all()


@any_text
@given(content=contents, separator=st.sampled_from(["", ","]))
@example(content=b"0.1,440,,\n", separator="")
@example(content=b"0.1,,440\n", separator="")
@example(content=b",0.1\n", separator="")
def test_ragged_file_of_any_content(tmp_path: Path, content: bytes, separator: str) -> None:
    content = content.replace(b" ", separator.encode() or b" ")
    annotation = parsed(read_ragged, tmp_path / "a.txt", content)
    if annotation is not None:
        f0s = np.concatenate(annotation.observed.f0s)
        assert ((f0s > 0) & (f0s <= MAX_F0)).all()


@any_text
@given(content=contents)
def test_note_table_of_any_content(tmp_path: Path, content: bytes) -> None:
    notes = parsed(read_note_table, tmp_path / "a.txt", content)
    if notes is not None:
        assert ((notes.onsets >= 0) & (notes.onsets < notes.offsets)).all()
        assert ((notes.f0s > 0) & (notes.f0s <= MAX_F0)).all()


@any_text
@given(content=st.one_of(contents, st.text().map(lambda text: f"a,b\n{text}".encode())))
@example(content="a,b\n1\u2028,2\x85\n".encode())
def test_tables_of_any_content(tmp_path: Path, content: bytes) -> None:
    def columns(path: Path) -> list[list[str]]:
        return [row.fields for row in read_columns(path)]

    def csv_rows(path: Path) -> list[list[str]]:
        return [row.fields for row in read_csv(path, ("b", "a"))]

    rows = parsed(columns, tmp_path / "a.txt", content)
    assert rows is None or len({len(row) for row in rows}) <= 1
    assert {len(row) for row in parsed(csv_rows, tmp_path / "a.csv", content) or []} <= {2}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "time", "value", "voiced", "frequency", "namespace"]), inner
        )
    ),
    max_leaves=8,
)
observations = st.fixed_dictionaries(
    {
        "time": st.floats(-1, 3) | json_values,
        "value": json_values
        | st.fixed_dictionaries({"voiced": st.booleans(), "frequency": st.floats() | json_values}),
    }
)
contours = st.fixed_dictionaries(
    {"namespace": st.just("pitch_contour"), "data": json_values | st.lists(observations)}
)
ENDLESS = (
    b'{"file_metadata": {"duration": %s},'
    b' "annotations": [{"namespace": "pitch_contour", "data": []}]}'
)
notes = st.fixed_dictionaries(
    {name: st.floats(-1, 99) | json_values for name in ("time", "duration", "value")}
)
note_lists = st.fixed_dictionaries(
    {
        "namespace": st.sampled_from(["note_midi", "note_hz", "pitch_midi"]),
        "data": json_values | st.lists(notes),
    }
)


def documents_of(annotations: st.SearchStrategy[object]) -> st.SearchStrategy[bytes]:
    document = {
        "file_metadata": st.fixed_dictionaries({"duration": st.floats(0, 3)}) | json_values,
        "annotations": st.lists(annotations | json_values, max_size=3) | json_values,
    }
    return st.fixed_dictionaries(document).map(json.dumps).map(str.encode)


@any_text
@given(
    content=st.one_of(
        st.binary(max_size=50),
        json_values.map(json.dumps).map(str.encode),
        documents_of(contours),
        documents_of(note_lists),
    )
)
@example(content=b"[" * 100_000)
@example(content=b'{"file_metadata": {"duration": %s}, "annotations": []}' % (b"9" * 400))
@example(content=b'{"file_metadata": {"duration": %s}, "annotations": []}' % (b"9" * 5000))
@example(content=ENDLESS % b"1e300")
@example(content=ENDLESS % b"1e9")
def test_jams_file_of_any_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.jams"
    on_grid = parsed(lambda path: read_pitch_contours(path, HOP), path, content)
    either = parsed(read_jams, path, content)
    assert on_grid is None or isinstance(either, FrameAnnotation)
    for annotation in (on_grid, either):
        f0s = np.empty(0)
        if isinstance(annotation, FrameAnnotation):
            f0s = np.concatenate(annotation.observed.f0s)
        elif isinstance(annotation, NoteAnnotation):
            f0s = annotation.f0s
        assert ((f0s > 0) & (f0s <= MAX_F0 * 1.0001)).all()


@any_text
@given(content=st.binary(max_size=300))
@example(content=b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"\x0e\x00\x00\x00" * 10)
def test_mat_file_of_any_content(tmp_path: Path, content: bytes) -> None:
    assert parsed(read_part_pitches, tmp_path / "GTF0s.mat", content) is None
