"""What headers promise of audio: less is refused, and what nobody knew is no promise."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.files.audio import duration, read_audio
from ssmpe.errors import DataError

RATE = 22_050
CONTAINERS = {
    "PCM 16": ("wav", "PCM_16"),
    "PCM 24": ("wav", "PCM_24"),
    "float": ("wav", "FLOAT"),
    "AIFF": ("aiff", "PCM_16"),
    "AU": ("au", "PCM_16"),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.98])
def test_truncated_audio_is_refused_not_shortened(
    tmp_path: Path, container: str, kept: float
) -> None:
    suffix, subtype = CONTAINERS[container]
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.full((44_100, 2), 0.1), 44_100, subtype=subtype)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert duration(path) == pytest.approx(1, abs=0.01)
    with pytest.raises(DataError, match=rf"truncated: {kept:.2f} of 1\.00 s are there"):
        read_audio(path, RATE)


def test_truncated_flac_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 44_100), 44_100)
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(DataError, match="cannot be read"):
        read_audio(path, RATE)


@pytest.mark.parametrize("size", [2**32 - 1, 2**31 - 1, 2**32 - 45, 2 * 8000 + 44])
def test_data_size_of_a_writer_that_did_not_know_it_is_no_promise(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(8000, 0.1), 8000)
    content = bytearray(path.read_bytes())
    content[40:44] = size.to_bytes(4, "little")
    path.write_bytes(content)
    assert len(read_audio(path, 8000)) == 8000


def mp3(path: Path, *, seconds: float) -> bytes:
    """Write an MP3 file whose first frame tells its length; return path and content."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * 44_100))
    soundfile.write(path, noise, 44_100, bitrate_mode="CONSTANT", compression_level=0.5)
    return path.read_bytes()


@pytest.mark.parametrize("album_art", [0, 100_000])
def test_truncated_mp3_is_refused_if_it_tells_its_length(tmp_path: Path, album_art: int) -> None:
    path = tmp_path / "a.mp3"
    content = mp3(path, seconds=6)
    sizes = [album_art >> 7 * i & 0x7F for i in (3, 2, 1, 0)]
    tag = b"ID3\4\0\0" + bytes(sizes) + bytes(album_art)
    path.write_bytes(tag + content)
    assert len(read_audio(path, RATE)) == 6 * RATE
    path.write_bytes(tag + content[: len(content) // 2])
    with pytest.raises(DataError, match=r"truncated: [23]\.\d\d of 6\.00 s"):
        read_audio(path, RATE)


def test_mp3_whose_length_is_a_guess_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    content = mp3(path, seconds=6)
    second_frame = content.index(content[:2], 100)
    path.write_bytes(content[second_frame : len(content) // 2])
    assert len(read_audio(path, RATE)) / RATE == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize("n_bytes", [2**30, 10**6])
def test_header_that_lies_of_hours_is_refused(tmp_path: Path, n_bytes: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(1000, 0.1), 8000)
    content = bytearray(path.read_bytes())
    content[40:44] = n_bytes.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"truncated: 0\.1"):
        read_audio(path, 8000)
