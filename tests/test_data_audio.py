"""Audio files in all the shapes they come in."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data import audio
from ssmpe.data.audio import duration, read_audio, read_mono
from ssmpe.errors import DataError

RATE = 22_050


def tone(hz: float, seconds: float, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_tone_comes_back_at_its_pitch_time_and_peak(tmp_path: Path, rate: int) -> None:
    def faded(rate: int) -> np.ndarray:
        return tone(1000.0, 1.0, rate) * np.hanning(rate + 1)[:-1]

    path = tmp_path / "a.wav"
    soundfile.write(path, 0.3 * faded(rate), rate, subtype="FLOAT")
    samples = read_audio(path, RATE)
    assert samples.dtype == np.float32
    assert samples.shape == (RATE,)
    assert np.abs(samples).max() == 1.0
    assert np.abs(samples - faded(RATE)).max() < 5e-3


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    left, right = tone(500.0, 0.2, RATE), tone(800.0, 0.2, RATE)
    soundfile.write(path, np.stack([0.5 * left, 0.25 * right, 0 * left], 1), RATE, subtype="FLOAT")
    expected = (0.5 * left + 0.25 * right) / 3
    assert np.abs(read_mono(path, RATE) - expected).max() < 1e-6
    assert np.abs(read_audio(path, RATE) - expected / np.abs(expected).max()).max() < 1e-5


def test_opposite_channels_are_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    left = tone(500.0, 0.2, RATE)
    soundfile.write(path, np.stack([left, -left], 1), RATE, subtype="FLOAT")
    assert not read_audio(path, RATE).any()


def test_what_lies_above_the_new_nyquist_does_not_fold_back(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(15_000.0, 1.0, 48_000), 48_000, subtype="FLOAT")
    assert np.abs(read_mono(path, RATE)[1000:-1000]).max() < 1e-4


def test_long_audio_is_read_in_blocks_without_a_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    noise = np.random.default_rng(0).normal(size=(50_000, 2))
    soundfile.write(path, 0.1 * noise, 48_000, subtype="FLOAT")
    whole = read_audio(path, RATE)
    monkeypatch.setattr(audio, "_BLOCK_FRAMES", 777)
    assert np.array_equal(read_audio(path, RATE), whole)


@pytest.mark.parametrize("n", [1, 2, 3, 17, 400])
@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_very_short_audio_is_valid(tmp_path: Path, n: int, rate: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(n, 0.5), rate)
    samples = read_audio(path, RATE)
    assert samples.shape == (int(np.ceil(n * RATE / rate)),)
    assert np.isfinite(samples).all()


def test_silent_audio_stays_silent(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(48_000), 48_000)
    assert not read_audio(path, RATE).any()


def test_mp3_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, 0.5 * tone(440.0, 1.0, 44_100), 44_100)
    samples = read_audio(path, RATE)
    spectrum = np.abs(np.fft.rfft(samples[: RATE // 2]))
    assert spectrum.argmax() * 2 == pytest.approx(440, abs=2)
    assert duration(path) == pytest.approx(1.0, abs=0.1)


def test_duration_is_that_of_the_file_not_of_its_resampling(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((4801, 2)), 48_000)
    assert duration(path) == 4801 / 48_000


def damaged(path: Path, damage: str) -> None:
    samples = np.zeros(1000)
    if damage in ("nan", "inf", "opposite infinities"):
        samples = np.zeros((1000, 2))
        samples[500, 0] = np.nan if damage == "nan" else np.inf
        samples[500, 1] = -np.inf if damage == "opposite infinities" else 0
    soundfile.write(path, samples[: 0 if damage == "no samples" else 1000], 48_000, subtype="FLOAT")
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
    "folder": "no such audio file",
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


@pytest.mark.parametrize("damage", ["no bytes", "text", "missing"])
def test_duration_of_damaged_audio_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.wav"
    damaged(path, damage)
    with pytest.raises(DataError, match=DAMAGES[damage].replace("(", r"\(").replace(")", r"\)")):
        duration(path)
