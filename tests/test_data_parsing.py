"""Parsers: any content gives a sound annotation or a DataError in one line, never anything else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ssmpe.data.bach10 import read_part_pitches
from ssmpe.data.guitarset import HOP
from ssmpe.data.jams import read_pitch_contours
from ssmpe.data.musicnet import read_labels
from ssmpe.data.parsing import MAX_F0, read_f0_track
from ssmpe.errors import DataError

Parsed = TypeVar("Parsed")

any_text = settings(
    max_examples=150,
    deadline=None,  # a busy machine is no failure
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
numbers = st.one_of(
    st.floats(-10, 30_000).map(str), st.sampled_from(["nan", "inf", "-0", "1e999", "x", "", "0"])
)
tables = st.lists(st.lists(numbers, max_size=4).map(" ".join), max_size=6).map("\n".join)
contents = st.one_of(st.binary(max_size=200), tables.map(str.encode), st.text().map(str.encode))


def parsed(parse: Callable[[Path], Parsed], path: Path, content: bytes) -> Parsed | None:
    """What a parser makes of a file, None if it rejects it in one line that names it."""
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
documents = st.fixed_dictionaries(
    {
        "file_metadata": st.fixed_dictionaries({"duration": st.floats(0, 3)}) | json_values,
        "annotations": st.lists(contours | json_values, max_size=3) | json_values,
    }
)


@any_text
@given(
    content=st.one_of(
        st.binary(max_size=50),
        json_values.map(json.dumps).map(str.encode),
        documents.map(json.dumps).map(str.encode),
    )
)
@example(content=b"[" * 100_000)
@example(content=b'{"file_metadata": {"duration": %s}, "annotations": []}' % (b"9" * 400))
@example(content=b'{"file_metadata": {"duration": %s}, "annotations": []}' % (b"9" * 5000))
@example(content=b'{"file_metadata": {"duration": 1e300}, "annotations": []}')
def test_jams_file_of_any_content(tmp_path: Path, content: bytes) -> None:
    annotation = parsed(lambda path: read_pitch_contours(path, HOP), tmp_path / "t.jams", content)
    if annotation is not None:
        f0s = np.concatenate(annotation.observed.f0s)
        assert ((f0s > 0) & (f0s <= MAX_F0)).all()


@any_text
@given(content=st.binary(max_size=300))
@example(content=b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"\x0e\x00\x00\x00" * 10)
def test_mat_file_of_any_content(tmp_path: Path, content: bytes) -> None:
    assert parsed(read_part_pitches, tmp_path / "GTF0s.mat", content) is None
