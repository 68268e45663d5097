"""Annotations that are written as text or JAMS come back as they were."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssmpe.data.datasets.musicnet import read_labels
from ssmpe.data.datasets.su import read_note_table
from ssmpe.data.files.annotation import FrameAnnotation, NoteAnnotation
from ssmpe.data.files.jams import read_jams
from ssmpe.data.files.parsing import read_f0_track
from ssmpe.data.files.ragged import read_ragged
from ssmpe.units import hz_to_midi, midi_to_hz

any_example = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

milliseconds = st.lists(st.integers(0, 10_000), min_size=1, max_size=9, unique=True).map(sorted)
hertz = st.integers(20_000, 4_000_000).map(lambda millihertz: millihertz / 1000)
frames = milliseconds.flatmap(
    lambda times: st.tuples(
        *(st.tuples(st.just(time / 1000), st.lists(hertz, max_size=3)) for time in times)
    )
)
note = st.tuples(st.integers(0, 9000), st.integers(1, 999), st.integers(21, 108)).map(
    lambda n: (n[0] / 1000, (n[0] + n[1]) / 1000, n[2])
)
melodies = st.lists(note, min_size=1, max_size=9)


def assert_notes(found: object, expected: list[tuple[float, float, int]]) -> None:
    assert isinstance(found, NoteAnnotation)
    midi = hz_to_midi(found.f0s)
    rows = list(zip(found.onsets, found.offsets, midi, strict=True))
    assert np.allclose(rows, expected, rtol=0, atol=2e-5)


@any_example
@given(frames=frames, separator=st.sampled_from([" ", "\t", ", ", ","]), crlf=st.booleans())
def test_ragged_text_is_read_back(
    tmp_path: Path, frames: tuple[tuple[float, list[float]], ...], separator: str, crlf: bool
) -> None:
    lines = [separator.join(map(str, [time, *f0s])) for time, f0s in frames]
    end = "\r\n" if crlf else "\n"
    path = tmp_path / "a.txt"
    path.write_text(end.join(["# time, F0s", *lines]), newline="")
    found = read_ragged(path).observed
    assert found.times.tolist() == [time for time, _ in frames]
    assert [f.tolist() for f in found.f0s] == [f0s for _, f0s in frames]


@any_example
@given(frames=frames)
def test_f0_track_is_read_back(
    tmp_path: Path, frames: tuple[tuple[float, list[float]], ...]
) -> None:
    path = tmp_path / "a.txt"
    one = [(time, f0s[0] if f0s else 0.0) for time, f0s in frames]
    path.write_text("".join(f"{time}\t{hz}\n" for time, hz in one))
    assert list(zip(*map(np.ndarray.tolist, read_f0_track(path)), strict=True)) == one


@any_example
@given(notes=melodies)
def test_notes_are_read_back(tmp_path: Path, notes: list[tuple[float, float, int]]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{a} {b} {midi_to_hz(key):.6f}\n" for a, b, key in notes))
    assert_notes(read_note_table(path), notes)
    rows = [f"{round(a * 44_100)},{round(b * 44_100)},{key}" for a, b, key in notes]
    path.write_text("\n".join(["start_time,end_time,note", *rows]))
    assert_notes(read_labels(path), notes)


@any_example
@given(notes=melodies, columns=st.booleans(), namespace=st.sampled_from(["note_midi", "note_hz"]))
def test_notes_of_jams_are_read_back(
    tmp_path: Path, notes: list[tuple[float, float, int]], columns: bool, namespace: str
) -> None:
    values = [key if namespace == "note_midi" else float(midi_to_hz(key)) for _, _, key in notes]
    data: Any = [
        {"time": a, "duration": b - a, "value": value, "confidence": None}
        for (a, b, _), value in zip(notes, values, strict=True)
    ]
    if columns:
        data = {name: [row[name] for row in data] for name in data[0]}
    path = tmp_path / "a.jams"
    annotations = [{"namespace": "beat", "data": []}, {"namespace": namespace, "data": data}]
    document = {"file_metadata": {"duration": 10}, "annotations": annotations}
    path.write_text(json.dumps(document))
    assert_notes(read_jams(path), notes)


@any_example
@given(
    first=st.integers(0, 100), hop=st.integers(1, 50), n=st.integers(3, 60), gap=st.integers(5, 20)
)
def test_contours_of_jams_keep_their_own_grid(
    tmp_path: Path, first: int, hop: int, n: int, gap: int
) -> None:
    times = [(first + hop * (i + gap * (i >= n // 2))) / 1000 for i in range(n)]
    data = [{"time": t, "value": {"voiced": True, "frequency": 100 + t}} for t in times]
    path = tmp_path / "a.jams"
    annotations = [{"namespace": "pitch_contour", "data": data}]
    document = {"file_metadata": {"duration": times[-1]}, "annotations": annotations}
    path.write_text(json.dumps(document))
    found = read_jams(path)
    assert isinstance(found, FrameAnnotation)
    sounding = [
        (t, *f0s) for t, f0s in zip(found.grid, found.observed.f0s, strict=True) if len(f0s)
    ]
    assert np.allclose(sounding, [(t, 100 + t) for t in times], rtol=0, atol=1e-6)
