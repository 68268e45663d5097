"""What is annotated is what sounds, as an estimator hears it that the world does not use itself."""

import numpy as np
import pytest
import soundfile

from ssmpe.units import hz_to_midi, midi_to_hz
from ssmpe.world.music.arrangement import arrange
from ssmpe.world.music.casting import one_part_each
from ssmpe.world.music.instruments import INSTRUMENTS
from ssmpe.world.music.scores import read_score
from ssmpe.world.playing.performance import perform
from ssmpe.world.sound.sampler import RATE, PitchCurve, general_midi_sampler
from tests.support.combs import comb_track, half_frame, tone
from tests.support.micro_world import stems_of

WITHIN, SHARE, MEDIAN = 20, 0.98, 5  # cents, share of frames, cents
WAVERING = 0.9  # share for instruments that waver
HELD = 1.0  # seconds


def cents_off(audio, rate, times, midi):
    """Measure in cents what is heard against the annotated pitches (T,) at ``times`` (T,)."""
    off = np.empty(len(times))
    for key in np.unique(np.round(midi)):
        these = np.round(midi) == key
        off[these] = 100 * (comb_track(audio, rate, times[these], key) - midi[these])
    return off


def note_off(name, key, velocity, hop):
    """Measure the same of one note of an instrument, with all the vibrato that it may have."""
    instrument = INSTRUMENTS[name]
    pitch = PitchCurve(key + 0.1, instrument.vibrato / 100, rate=5.6, phase=1.0, delay=0.1)
    note = general_midi_sampler().note(instrument.program, key, velocity, pitch, HELD)
    half = half_frame(key)
    times = np.arange(note.heard_from + half, min(note.heard_until, HELD) - half, hop)
    return cents_off(note.audio, RATE, times, pitch.at(times))


def check_instrument(name, keys, velocities, hop):
    """Check that every key sounds at its pitch, and all as exactly as annotations ask for."""
    off = {k: np.concatenate([note_off(name, k, v, hop) for v in velocities]) for k in keys}
    for key, cents in off.items():
        assert len(cents) >= 2, f"key {key}"
        assert abs(np.median(cents)) < 2 * MEDIAN, f"key {key}"
    together = np.concatenate(list(off.values()))
    wanted = WAVERING if INSTRUMENTS[name].wavers else SHARE
    assert np.mean(np.abs(together) < WITHIN) >= wanted
    assert abs(np.median(together)) < MEDIAN
    return together


@pytest.mark.parametrize("midi", [24.0, 37.2, 45.3, 69.0, 88.8, 103.9])
def test_estimator_hears_tones_whatever_is_expected(midi):
    times = np.arange(0.2, 0.4, 0.05)
    for octaves, error in ((-1, 0.02), (0, 0.02), (1, 0.1)):  # of three periods less is heard
        heard = comb_track(tone(midi, RATE), RATE, times, round(midi) + 12 * octaves)
        np.testing.assert_allclose(heard, midi, atol=error)


def test_estimator_follows_a_vibrato():
    time = np.arange(RATE) / RATE
    curve = 62 + 0.25 * np.sin(2 * np.pi * 5.5 * time)
    phase = 2 * np.pi * np.cumsum(midi_to_hz(curve)) / RATE
    audio = sum(np.sin(h * phase) / h for h in range(1, 7))
    times = np.arange(0.1, 0.9, 0.01)
    heard = comb_track(audio, RATE, times, 62)
    assert np.abs(heard - np.interp(times, time, curve)).max() < 0.06
    assert np.ptp(heard) > 0.4


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_instrument_sounds_as_annotated(name):
    """At both ends of its range and between."""
    low, high = INSTRUMENTS[name].low, INSTRUMENTS[name].high
    keys = np.unique(np.linspace(low, high, 5).astype(int))
    check_instrument(name, keys.tolist(), velocities=(50, 115), hop=0.04)


@pytest.mark.long
@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_key_sounds_as_annotated(name):
    keys = range(INSTRUMENTS[name].low, INSTRUMENTS[name].high + 1)
    check_instrument(name, keys, velocities=(40, 80, 120), hop=0.01)


def within_notes(times, midi):
    """Tell which frames (T,) lie so deep within a note that an estimate draws on nothing else."""
    edge = (midi == 0) | (np.abs(np.diff(midi, prepend=0)) > 0.7)
    edges = np.concatenate(([-np.inf], times[edge], [np.inf]))
    following = np.searchsorted(edges, times, side="right")
    gap = np.minimum(times - edges[following - 1], edges[following] - times)
    half = np.array([half_frame(m) if m else np.inf for m in midi])
    return gap > half


def check_stem(audio, rate, times, midi, stride):
    """Check that every ``stride``-th frame that stands alone is as exact as it has to be."""
    inside = np.flatnonzero(within_notes(times, midi))
    assert len(inside) > 0.2 * np.sum(midi > 0)
    off = cents_off(audio, rate, times[inside[::stride]], midi[inside[::stride]])
    assert np.mean(np.abs(off) < WITHIN) >= SHARE
    assert abs(np.median(off)) < MEDIAN


def test_stems_of_the_world_sound_as_annotated(world):
    for path, times, midi in stems_of(world):
        audio, rate = soundfile.read(path)
        check_stem(audio, rate, times, midi, stride=5)


@pytest.mark.parametrize("piece", ["bach/bwv269.mxl", "monteverdi/madrigal.4.4.mxl"])
def test_long_recordings_with_swaying_tempo_sound_as_annotated(piece):
    rng = np.random.default_rng(11)
    players = one_part_each("flute", "trumpet", "viola", "tuba")
    arrangement = arrange(read_score(piece), players, 58.0, rng, rubato=0.08)
    times = np.arange(0, 60, 0.01)
    recordings = perform(arrangement, 60.0, rng)
    f0 = np.stack([recording.f0(times) for recording in recordings])
    assert times[np.any(f0, axis=0)].max() > 54  # it does not end before its time
    for recording, line in zip(recordings, f0, strict=True):
        midi = np.where(line > 0, hz_to_midi(np.maximum(line, 1)), 0)
        check_stem(recording.audio, RATE, times, midi, stride=5)
