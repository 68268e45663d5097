"""Damaged and malicious MIDI files: one line that names them, soon and in little memory."""

import struct
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ssmpe.data.files.midi import MAX_BYTES, read_notes
from ssmpe.errors import DataError

TICKS = 480

any_example = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def rejected(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_notes(path)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def chunks(*parts: tuple[bytes, bytes]) -> bytes:
    return b"".join(name + struct.pack(">L", len(data)) + data for name, data in parts)


def smf(body: bytes, header: bytes = struct.pack(">hhh", 1, 1, TICKS)) -> bytes:
    return chunks((b"MThd", header), (b"MTrk", body))


NOTE = b"\x00\x90\x3c\x50\x60\x3c\x00\x00\xff\x2f\x00"
DAMAGED = {
    "empty": (b"", "empty (0 bytes)"),
    "not MIDI": (b"RIFF....WAVE", "MThd not found"),
    "truncated": (smf(NOTE)[:-6], "ends too soon"),
    "track missing": (smf(NOTE, struct.pack(">hhh", 1, 2, TICKS)), "ends too soon"),
    "other track": (smf(NOTE).replace(b"MTrk", b"XFIH"), "no MTrk header"),
    "no tracks": (smf(NOTE, struct.pack(">hhh", 1, -1, TICKS)), "no notes"),
    "format 2": (smf(NOTE, struct.pack(">hhh", 2, 1, TICKS)), "format 2"),
    "format 77": (smf(NOTE, struct.pack(">hhh", 77, 1, TICKS)), "format 77"),
    "resolution 0": (smf(NOTE, struct.pack(">hhh", 1, 1, 0)), "not in parts of quarter notes"),
    "SMPTE frames": (smf(NOTE, b"\0\1\0\1\xe7\x28"), "not in parts of quarter notes"),
    "tempo 0": (smf(b"\x00\xff\x51\x03\0\0\0" + NOTE), "tempo is 0"),
    "tempo cut short": (smf(b"\x00\xff\x51\x01\x05" + NOTE), "not a readable MIDI file"),
    "key of no signature": (smf(b"\x00\xff\x59\x02\x63\x00" + NOTE), "not a readable MIDI file"),
    "status of no message": (smf(b"\x00\xf4\x00" + NOTE), "not a readable MIDI file"),
    "data of no message": (smf(b"\x00\x90\x3c\xf0" + NOTE), "not a readable MIDI file"),
    "running status of nothing": (smf(b"\x00\x3c\x50"), "running status"),
    "silence": (smf(b"\x00\xff\x2f\x00"), "no notes"),
    "drums alone": (smf(b"\x00\x99\x24\x50\x60\x24\x00\x00\xff\x2f\x00"), "no notes"),
    "text of a gigabyte": (smf(b"\x00\xff\x01\x84\x80\x80\x80\x00" + NOTE), "exceeds maximum"),
    "header of four": (b"MThd\xff\xff\xff\xff" + smf(NOTE)[8:], "ends too soon"),
    "month of a rest": (smf(b"\xff\xff\xff\x7f\x90\x3c\x50" + NOTE), "lasts more than 86400 s"),
    "ages of a rest": (smf(b"\xff" * 2000 + b"\x7f\x90\x3c\x50" + NOTE), "lasts more than"),
    "endless number": (smf(b"\xff" * (MAX_BYTES - 100)), "not a readable MIDI file"),
    "too large": (smf(NOTE) + bytes(MAX_BYTES), f"larger than {MAX_BYTES} bytes"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_file_is_one_line_that_names_it(tmp_path: Path, damage: str) -> None:
    content, expected = DAMAGED[damage]
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    begun = time.monotonic()
    assert expected in rejected(path)
    assert time.monotonic() - begun < 5


def test_missing_file_is_one_line_that_names_it(tmp_path: Path) -> None:
    assert "cannot be read (No such file" in rejected(tmp_path / "a.mid")
    assert "cannot be read (Is a directory" in rejected(tmp_path)


messages = st.one_of(
    st.binary(max_size=6),
    st.tuples(st.integers(0, 127), st.sampled_from([0x80, 0x90, 0x99, 0xB0]), st.integers(0, 127))
    .map(lambda m: bytes([m[0], m[1], m[2], 64])),
    st.just(b"\x00\xff\x51\x03\x07\xa1\x20"),
)  # fmt: skip
bodies = st.lists(messages, max_size=12).map(b"".join)
headers = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-9, 999))


@any_example
@given(
    content=st.one_of(
        st.binary(max_size=200),
        bodies.map(smf),
        st.builds(lambda body, header: smf(body, struct.pack(">hhh", *header)), bodies, headers),
    )
)
@example(content=smf(NOTE))
def test_any_bytes_are_notes_or_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    try:
        notes = read_notes(path)
    except DataError:
        rejected(path)
    else:
        assert (notes.onsets >= 0).all()
        assert len(notes.onsets) > 0
