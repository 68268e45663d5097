"""Soundfont, sampler and studio: what is asked for is what is heard."""

import errno
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from ssmpe.errors import DataError
from ssmpe.units import midi_to_hz
from ssmpe.world.music.casting import DRUM_KITS
from ssmpe.world.sound.drums import CRASH, HAT, KICK, OPEN_HAT, RIDE, RIM, SNARE, TOM
from ssmpe.world.sound.sampler import RATE, PitchCurve, general_midi_sampler
from ssmpe.world.sound.soundfont import SoundFont, general_midi
from ssmpe.world.sound.studio import AudioFormat, write_mp3, write_wav
from ssmpe.world.sound.tuning import pitch_deviation
from ssmpe.world.sound.wave import tuned_wave
from tests.support.combs import comb_track, tone


def test_detuning_and_vibrato_are_heard_as_asked():
    detuned = general_midi_sampler().note(71, 70, 90, PitchCurve(70.37), 1.0).audio[2000:20000]
    np.testing.assert_allclose(comb_track(detuned, RATE, [0.2, 0.4, 0.6], 70), 70.37, atol=0.03)

    curve = PitchCurve(70, depth=0.5, rate=2.0, phase=0.0, delay=0.0)
    audio = general_midi_sampler().note(71, 70, 90, curve, 2.0).audio
    times = np.arange(0.4, 1.8, 0.01)
    heard = [
        pitch_deviation(audio[round(t * RATE) - 200 : round(t * RATE) + 200], RATE, 70)
        for t in times
    ]
    np.testing.assert_allclose(heard, curve.at(times) - 70, atol=0.05)


def test_vibrato_sets_in_gradually():
    curve = PitchCurve(60, depth=0.2, rate=5.0, phase=1.0, delay=0.3)
    assert np.all(curve.at(np.arange(0, 0.3, 0.01)) == 60)
    later = curve.at(np.arange(0.6, 2, 0.001))
    assert later.max() == pytest.approx(60.2, abs=1e-3)
    assert later.min() == pytest.approx(59.8, abs=1e-3)


def test_pitch_deviation_measures_tones_and_refuses_noise():
    for midi, sharp in ((40, 0.13), (69, -0.4), (96, 0.05)):
        assert pitch_deviation(tone(midi + sharp, RATE), RATE, midi) == pytest.approx(
            sharp, abs=0.01
        )
    noise = np.random.default_rng(0).standard_normal(8000, dtype=np.float32)
    assert np.isnan(pitch_deviation(noise, RATE, 69))


def test_attacks_of_samples_are_straightened():
    """The trumpet's samples scoop: as they are, they change pitch on their way to the loop."""
    (zone,) = general_midi().zones(0, 56, 70, 90)
    region = zone.region
    wave = tuned_wave(general_midi().pool, region)
    before_loop = round(wave.end - wave.loop)
    window = round(4 * region.rate / float(midi_to_hz(region.pitch)))

    def wander(samples):
        """Measure the range of pitch in semitones, but for the noise at the very beginning."""
        starts = range(before_loop // 12, before_loop - window, before_loop // 24)
        tones = [samples[s : s + window] for s in starts]
        return np.ptp([pitch_deviation(tone, region.rate, region.pitch) for tone in tones])

    assert wander(general_midi().pool[region.start : region.loop_end]) > 0.2
    assert wander(wave.samples[1:]) < 0.07


def test_released_note_is_heard_until_it_has_died_away():
    winds = general_midi_sampler().note(73, 72, 90, PitchCurve(72), 0.5)
    assert 0.5 < winds.heard_until < 0.75
    pad = general_midi_sampler().note(89, 60, 90, PitchCurve(60), 0.5)
    assert pad.heard_until > winds.heard_until
    plucked = general_midi_sampler().note(45, 84, 90, PitchCurve(84), 3.0)
    assert plucked.heard_until < 1.0  # died away although the key is held
    assert winds.heard_from < 0.05


def test_velocity_changes_the_level_by_its_square():
    soft, loud = (general_midi_sampler().note(71, 70, v, PitchCurve(70), 0.5) for v in (50, 100))
    assert np.abs(loud.audio).max() / np.abs(soft.audio).max() == pytest.approx(4, rel=0.01)


def test_every_drum_of_every_kit_sounds():
    for kit in DRUM_KITS:
        for key in (KICK, SNARE, RIM, HAT, OPEN_HAT, RIDE, CRASH, TOM):
            hit = general_midi_sampler().hit(kit, key, 100, 0.25)
            assert np.abs(hit).max() > 0.01, f"kit {kit}, key {key}"


def test_file_that_is_no_soundfont_is_named(tmp_path: Path):
    path = tmp_path / "some.sf2"
    path.write_bytes(b"RIFF\x04\x00\x00\x00WAVE")
    with pytest.raises(DataError, match=r"some\.sf2: not a SoundFont 2 file"):
        SoundFont(path)
    path.write_bytes(b"RIFF\x04\x00\x00\x00sfbk")
    with pytest.raises(DataError, match=r"some\.sf2: not a complete SoundFont 2 file"):
        SoundFont(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_an_error_while_writing_audio():
    with pytest.raises(OSError) as raised:  # noqa: PT011 (the number is checked below)
        write_wav(Path("/dev/full"), np.zeros(1000, np.float32))
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize("channels", [1, 2])
def test_compressed_audio_is_what_was_written(tmp_path: Path, channels: int):
    audio = (0.2 * tone(60, RATE, seconds=2.0)).astype(np.float32)
    files = [tmp_path / f"{i}.mp3" for i in range(3)]
    for path in files:
        write_mp3(path, audio, AudioFormat(44100, channels))
    assert len({path.read_bytes() for path in files}) == 1
    heard, _ = soundfile.read(files[0], always_2d=True)
    assert heard.shape[1] == channels
    expected = soxr.resample(audio, RATE, 44100)
    for channel in heard[: len(expected)].T:
        assert np.std(channel - expected) < 0.05 * np.std(expected)
