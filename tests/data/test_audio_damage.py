"""Audio files that cannot be read: one line each, which names the file and what is wrong."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.files.audio import duration, read_audio
from ssmpe.errors import DataError

RATE = 22_050


def damaged(path: Path, damage: str) -> None:
    samples = np.zeros(1000)
    if damage in ("nan", "inf", "opposite infinities"):
        samples = np.zeros((1000, 2))
        samples[500, 0] = np.nan if damage == "nan" else np.inf
        samples[500, 1] = -np.inf if damage == "opposite infinities" else 0
    soundfile.write(path, samples[: 0 if damage == "no samples" else 1000], 48_000, subtype="FLOAT")
    if damage == "too loud":
        soundfile.write(path, np.full((1000, 8), 3e38), 48_000, subtype="FLOAT")
    if damage == "too loud to resample":
        loud = np.finfo(np.float32).max * np.where(np.arange(1000) // 7 % 2, -1, 1)
        soundfile.write(path, loud, 48_000, subtype="FLOAT")
    if damage == "text":
        path.write_text("not audio at all" * 10)
    if damage == "no bytes":
        path.write_bytes(b"")
    if damage == "half a header":
        path.write_bytes(path.read_bytes()[:20])
    if damage == "rate":
        soundfile.write(path, samples, 1)
    if damage == "missing":
        path.unlink()
    if damage == "pipe":
        path.unlink()
        os.mkfifo(path)
    if damage == "folder":
        path.unlink()
        path.mkdir()


DAMAGES = {
    "nan": "NaN or infinite",
    "inf": "NaN or infinite",
    "opposite infinities": "NaN or infinite",
    "no samples": "empty (0 samples)",
    "no bytes": "empty (0 bytes)",
    "text": "cannot be read",
    "half a header": "cannot be read",
    "rate": "claims a sample rate of 1 Hz",
    "missing": "no such audio file",
    "folder": "a folder, not an audio file",
    "pipe": "cannot be read (not a regular file)",
    "too loud": "too large to be mixed or resampled",
    "too loud to resample": "too large to be mixed or resampled",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_audio_is_one_line_that_names_the_file(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.wav"
    damaged(path, damage)
    with pytest.raises(DataError) as error:
        read_audio(path, RATE)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.count(str(path)) == 1
    assert DAMAGES[damage] in message
    assert "\n" not in message


def test_the_loudest_samples_that_can_be_mixed_are(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full((1000, 8), 4e37), RATE, subtype="FLOAT")
    assert np.array_equal(read_audio(path, RATE), np.ones(1000, np.float32))


@pytest.mark.parametrize("damage", ["no bytes", "text", "missing", "pipe"])
def test_duration_of_damaged_audio_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.wav"
    damaged(path, damage)
    with pytest.raises(DataError, match=DAMAGES[damage].replace("(", r"\(").replace(")", r"\)")):
        duration(path)


@pytest.mark.parametrize("n", [10, 20_000])
def test_mp3_without_a_frame_is_no_audio(tmp_path: Path, n: int) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(np.random.default_rng(0).bytes(n))
    with pytest.raises(DataError, match=r"a\.mp3: audio cannot be read \((?!.*exist)"):
        read_audio(path, RATE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(1000, 0.5), RATE)
    path.chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        read_audio(path, RATE)
