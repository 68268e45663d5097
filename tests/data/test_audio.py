"""Audio files in all the shapes they come in, whole and in stretches."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.files import audio
from ssmpe.data.files.audio import AudioFile, duration, read_audio
from ssmpe.errors import DataError

RATE = 22_050


def read_mono(path: Path, sample_rate: int) -> np.ndarray:
    """Read a whole file like ``read_audio``, but as loud as it was recorded."""
    with AudioFile(path) as file:
        return file.mono(sample_rate)


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


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 300])
@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        *(("WAV", s) for s in ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE", "ULAW")),
        *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("AIFF", "PCM_16"), ("W64", "PCM_16")),
    ],
)
def test_samples_are_those_of_the_floats_that_the_library_gives(
    tmp_path: Path, form: str, subtype: str, channels: int
) -> None:
    """To the last bit, whatever a file stores, of all of its range."""
    if form == "FLAC" and channels > 8:
        return
    path = tmp_path / f"a.{form}"
    noise = np.random.default_rng(channels).uniform(-1, 1, (3000, channels))
    noise[:2] = [[-1.0] * channels, [1.0] * channels]
    soundfile.write(path, noise, RATE, subtype=subtype, format=form)
    floats, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert floats.min() < -0.98
    expected = floats[:, 0]
    for channel in range(1, channels):
        expected = expected + floats[:, channel]
    np.testing.assert_array_equal(read_mono(path, RATE), expected / np.float32(channels))


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


def test_copies_that_macos_leaves_beside_files_are_no_part_of_them(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.mp3", np.zeros(44_100), 44_100)
    (tmp_path / "._song.mp3").write_bytes(b"\0\5\x16\7" + bytes(100))
    assert len(read_audio(tmp_path / "song.mp3", 22_050)) == 22_050


def test_duration_is_that_of_the_file_not_of_its_resampling(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((4801, 2)), 48_000)
    assert duration(path) == 4801 / 48_000


@pytest.mark.parametrize("name", [b"f\xfcnf.wav", "fünf – \n.wav".encode()])
def test_names_of_files_are_of_any_encoding(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    samples = np.full(1000, 0.5)
    soundfile.write(os.fsencode(path), samples, RATE, format="WAV")
    assert len(read_audio(path, RATE)) == 1000


@pytest.mark.parametrize("rate", [RATE, 48_000])
@pytest.mark.parametrize(
    ("start", "seconds", "first", "stop"),
    [(0, None, 0, 3.0), (1, None, 1, 3), (0.5, 1, 0.5, 1.5), (0, 0.25, 0, 0.25), (2, 5, 2, 3)],
)
def test_stretch_is_cut_out_of_the_whole_track(
    tmp_path: Path, rate: int, start: float, seconds: float | None, first: float, stop: float
) -> None:
    path = tmp_path / "a.wav"
    noise = np.random.default_rng(0).normal(size=3 * rate) * np.linspace(0.01, 0.1, 3 * rate)
    soundfile.write(path, noise, rate, subtype="FLOAT")
    whole = read_audio(path, RATE)
    found = read_audio(path, RATE, start, seconds)
    # the peak is the whole track's
    assert np.array_equal(found, whole[round(first * RATE) : round(stop * RATE)])


def test_stretch_behind_the_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(RATE, 0.1), RATE)
    with pytest.raises(DataError, match=r"a\.wav: audio ends after 1\.00 s, before .* at 30 s"):
        read_audio(path, RATE, 30, 30)
