"""Small sampler: it plays notes of a preset along a pitch curve that is exactly known."""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import scipy  # its modules load when they are used

from ssmpe.units import Floats, midi_to_hz
from ssmpe.world.sound.soundfont import Envelope, Region, SoundFont, Zone, general_midi
from ssmpe.world.sound.wave import Audio, Wave, raw_wave, tuned_wave

RATE = 22050  # Hz; every note is rendered at this rate
CONTROL = 32  # samples between points of pitch and gain curves
SILENCE = 60.0  # dB below full level at which a released note is over
LONGEST_RING = 1.5  # seconds after note-off
BLOCK = 220  # samples per level measurement, 10 ms
# dB below the note's peak at which it sets in, and dies away while held; dB below its level at
# note-off at which it has died away after that.
SETS_IN, FADED_HELD, FADED_RELEASED = 20.0, 30.0, 20.0


@dataclass(frozen=True)
class PitchCurve:
    """Pitch of a note over time: a constant with a vibrato that sets in gradually.

    Attributes:
        midi: centre pitch.
        depth: of the vibrato in semitones, ``rate`` in Hz, ``phase`` in radians.
        delay: seconds after note-on until the vibrato begins; it grows over ``GROWTH`` seconds.
    """

    midi: float
    depth: float = 0.0
    rate: float = 0.0
    phase: float = 0.0
    delay: float = 0.0

    GROWTH = 0.25

    def at(self, time: Floats) -> Floats:
        """Return the MIDI pitch at ``time`` seconds after note-on."""
        if self.depth == 0:
            return np.full(np.shape(time), self.midi)
        grown = np.clip((time - self.delay) / self.GROWTH, 0.0, 1.0)
        wave = np.sin(2 * np.pi * self.rate * time + self.phase)
        return np.asarray(self.midi + self.depth * grown * wave)


@dataclass(frozen=True)
class RenderedNote:
    """Audio of a note from its note-on, at ``RATE``, and when it is heard, in seconds."""

    audio: Audio
    heard_from: float
    heard_until: float


class Sampler:
    """Player of the presets of a soundfont."""

    def __init__(self, font: SoundFont) -> None:
        self._font = font
        self._wave = cache(self._prepared)

    def note(
        self, program: int, key: int, velocity: int, pitch: PitchCurve, duration: float
    ) -> RenderedNote:
        """Render a note of a pitched preset (bank 0) held for ``duration`` seconds."""
        zones = self._font.zones(0, program, key, velocity)
        layers = [self._layer(zone, key, pitch, duration, in_tune=True) for zone in zones]
        audio = _sum(layers, velocity)
        heard_from, heard_until = _heard(audio, duration)
        return RenderedNote(audio, heard_from, heard_until)

    def hit(self, kit: int, key: int, velocity: int, duration: float) -> Audio:
        """Render a hit (N,) on a drum of a kit (bank 128)."""
        zones = self._font.zones(128, kit, key, velocity)
        pitch = PitchCurve(key)
        return _sum([self._layer(z, key, pitch, duration, in_tune=False) for z in zones], velocity)

    def _layer(
        self, zone: Zone, key: int, pitch: PitchCurve, duration: float, in_tune: bool
    ) -> Audio:
        """Render one zone along a pitch curve, which is relative to ``key``."""
        ring = min(zone.envelope.release * SILENCE / 100, LONGEST_RING)
        time = np.arange(0, duration + ring, CONTROL / RATE)
        shift = zone.shift + pitch.at(time) - key
        shift -= self._wave(zone.region, in_tune, 0).deviation
        step = zone.region.rate / RATE * 2 ** (shift / 12)
        halvings = max(0, int(np.ceil(np.log2(step.max() / 1.1))))
        wave = self._wave(zone.region, in_tune, halvings)
        audio = wave.read(_spread(step / 2**halvings))
        gain = _gain(zone.envelope, time, duration) * 10 ** (-zone.attenuation / 20)
        audio *= _spread(gain)[: len(audio)]
        return _low_pass(audio, max(zone.cutoff, 3 * float(midi_to_hz(pitch.midi))), zone.resonance)

    def _prepared(self, region: Region, in_tune: bool, halvings: int) -> Wave:
        """Halve the rate of a region so often that reading it fast does not alias."""
        if halvings:
            return self._wave(region, in_tune, halvings - 1).halved()
        return (tuned_wave if in_tune else raw_wave)(self._font.pool, region)


@lru_cache(maxsize=1)
def general_midi_sampler() -> Sampler:
    """Return the sampler of the General MIDI soundfont, one per process."""
    return Sampler(general_midi())


def _sum(layers: list[Audio], velocity: int) -> Audio:
    """Add layers of different lengths, at the level that the velocity asks for."""
    audio = np.zeros(max((len(layer) for layer in layers), default=0), np.float32)
    for layer in layers:
        audio[: len(layer)] += layer
    return audio * np.float32((velocity / 127) ** 2)


def _spread(control: Floats) -> Floats:
    """Interpolate a control curve (K,) to every sample, (K·CONTROL,)."""
    n = len(control)
    return np.interp(np.arange(n * CONTROL) / CONTROL, np.arange(n), control)


def _gain(envelope: Envelope, time: Floats, released: float) -> Floats:
    """Return the amplitude of an envelope at ``time``; decay and release are straight in dB."""
    held = np.minimum(time, released) - envelope.delay
    rise = np.clip(held / envelope.attack, 0, 1) if envelope.attack else np.float64(held >= 0)
    decaying = np.maximum(held - envelope.attack - envelope.hold, 0)
    fall = 100 * decaying / envelope.decay if envelope.decay else 100.0 * (decaying > 0)
    release = 100 * np.maximum(time - released, 0) / max(envelope.release, 0.01)
    return np.asarray(rise * 10 ** (-(np.minimum(fall, envelope.sustain) + release) / 20))


def _low_pass(audio: Audio, cutoff: float, resonance: float) -> Audio:
    """Filter with two poles; ``resonance`` is the gain at the cutoff in dB over a flat response."""
    if cutoff > 0.45 * RATE or not len(audio):
        return audio
    omega = 2 * np.pi * cutoff / RATE
    alpha = np.sin(omega) / (2 * 10 ** ((resonance - 3.01) / 20))
    b = np.array([0.5, 1.0, 0.5]) * (1 - np.cos(omega))
    a = np.array([1 + alpha, -2 * np.cos(omega), 1 - alpha])
    return np.asarray(scipy.signal.lfilter(b / a[0], a / a[0], audio), dtype=np.float32)


def _heard(audio: Audio, released: float) -> tuple[float, float]:
    """Return from when until when a note is heard, in seconds after note-on.

    See ``SETS_IN`` and the others for the levels.
    """
    n = len(audio) // BLOCK
    if n == 0:
        return 0.0, 0.0
    level = np.sqrt(np.mean(audio[: n * BLOCK].reshape(n, BLOCK) ** 2, axis=1)) + 1e-9
    begun = np.flatnonzero(level >= level.max() * 10 ** (-SETS_IN / 20))
    loud = np.flatnonzero(level >= level.max() * 10 ** (-FADED_HELD / 20))
    off = min(int(released * RATE / BLOCK), n - 1)
    tail = np.flatnonzero(level[off:] < level[off] * 10 ** (-FADED_RELEASED / 20))
    end = min(off + tail[0] if len(tail) else n, loud[-1] + 1)
    return float(begun[0] * BLOCK / RATE), float(end * BLOCK / RATE)
