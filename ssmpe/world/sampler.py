"""A small sampler: one note of a preset, following a pitch curve that is exactly known."""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly

from ssmpe.units import Floats, midi_to_hz
from ssmpe.world.soundfont import Envelope, SoundFont, Zone, general_midi
from ssmpe.world.tuning import pitch_deviation

Audio = NDArray[np.float32]

RATE = 22050  # Hz; every note is rendered at this rate
CONTROL = 32  # samples between points of pitch and gain curves
SILENCE = 60.0  # dB below full level at which a released note is over
LONGEST_RING = 1.5  # seconds after note-off
GUARD = 64  # samples of the loop repeated after its end, for the interpolator
BLOCK = 220  # samples per level measurement, 10 ms
FADED_HELD, FADED_RELEASED = 30.0, 20.0  # dB: below peak while held; below note-off level after it


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
        """MIDI pitch at ``time`` seconds after note-on."""
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
    """Plays presets of a soundfont."""

    def __init__(self, font: SoundFont) -> None:
        self._font = font
        self._levels = cache(self._band_limited)
        self._deviation = cache(self._measured_deviation)

    def note(
        self, program: int, key: int, velocity: int, pitch: PitchCurve, duration: float
    ) -> RenderedNote:
        """Render a note of a pitched preset (bank 0) held for ``duration`` seconds."""
        zones = self._font.zones(0, program, key, velocity)
        audio = self._sum(zones, key, velocity, pitch, duration, in_tune=True)
        heard_from, heard_until = _heard(audio, duration)
        return RenderedNote(audio, heard_from, heard_until)

    def hit(self, kit: int, key: int, velocity: int, duration: float) -> Audio:
        """Render a hit (N,) on a drum of a kit (bank 128)."""
        zones = self._font.zones(128, kit, key, velocity)
        return self._sum(zones, key, velocity, PitchCurve(key), duration, in_tune=False)

    def _sum(
        self,
        zones: tuple[Zone, ...],
        key: int,
        velocity: int,
        pitch: PitchCurve,
        duration: float,
        in_tune: bool,
    ) -> Audio:
        layers = []
        for zone in zones:
            bend = pitch.midi - key  # detuning is not scaled, the distance between keys is
            shift = zone.scale * (key - zone.root) + zone.tuning + bend
            if in_tune:
                shift -= self._deviation(zone)
            layers.append(self._layer(zone, shift, pitch, duration))
        audio = np.zeros(max((len(layer) for layer in layers), default=0), np.float32)
        for layer in layers:
            audio[: len(layer)] += layer
        return audio * np.float32((velocity / 127) ** 2)

    def _layer(self, zone: Zone, shift: float, pitch: PitchCurve, duration: float) -> Audio:
        """One zone, transposed by ``shift`` semitones and the vibrato of ``pitch``."""
        ring = min(zone.envelope.release * SILENCE / 100, LONGEST_RING)
        time = np.arange(0, duration + ring, CONTROL / RATE)
        vibrato = pitch.at(time) - pitch.midi
        step = zone.rate / RATE * 2 ** ((shift + vibrato) / 12)
        level = max(0, int(np.ceil(np.log2(step.max() / 1.1))))
        audio = _read(self._levels(zone, level), _spread(step / 2**level))
        gain = _gain(zone.envelope, time, duration) * 10 ** (-zone.attenuation / 20)
        audio *= _spread(gain)[: len(audio)]
        return _low_pass(audio, max(zone.cutoff, 3 * float(midi_to_hz(pitch.midi))), zone.resonance)

    def _band_limited(self, zone: Zone, level: int) -> "_Wave":
        """The zone's sample at 1/2^level of its rate, so that reading it fast does not alias."""
        if level == 0:
            return _unrolled(self._font.pool, zone)
        finer = self._levels(zone, level - 1)
        samples = resample_poly(finer.samples, 1, 2).astype(np.float32)
        return _Wave(samples, finer.end / 2, finer.loop / 2)

    def _measured_deviation(self, zone: Zone) -> float:
        """Semitones by which the zone's sample is sharp of what its zone claims."""
        wave = self._levels(zone, 0)
        steady = int(wave.end - wave.loop) if wave.loop else min(len(wave.samples) // 4, 4000)
        tone = _read(wave, np.ones(16384, np.float64))
        return pitch_deviation(tone[min(steady, 2000) :], zone.rate, zone.root - zone.tuning)


@lru_cache(maxsize=1)
def general_midi_sampler() -> Sampler:
    """The sampler of the General MIDI soundfont, one per process."""
    return Sampler(general_midi())


@dataclass(frozen=True)
class _Wave:
    """A sample to read from: the loop is the ``loop`` samples before ``end``; 0 = no loop.

    After ``end`` the loop is repeated (or silence follows), for the interpolator to look at.
    """

    samples: Audio
    end: float
    loop: float


def _unrolled(pool: Audio, zone: Zone) -> _Wave:
    if not zone.loops or zone.loop_end - zone.loop_start < 4:
        return _Wave(np.pad(pool[zone.start : zone.end], (0, GUARD)), zone.end - zone.start, 0)
    loop = pool[zone.loop_start : zone.loop_end]
    repeats = -(-GUARD * 8 // len(loop))
    samples = np.concatenate((pool[zone.start : zone.loop_end], np.tile(loop, repeats)))
    return _Wave(samples, zone.loop_end - zone.start, len(loop))


def _spread(control: Floats) -> Floats:
    """A control curve (K,) interpolated to every sample, (K·CONTROL,)."""
    n = len(control)
    return np.interp(np.arange(n * CONTROL) / CONTROL, np.arange(n), control)


def _read(wave: _Wave, step: Floats) -> Audio:
    """Read the wave with a step (N,) per output sample, by cubic (Catmull–Rom) interpolation."""
    position = np.cumsum(step) - step[0]
    if wave.loop:
        beyond = position >= wave.end
        position[beyond] = wave.end + (position[beyond] - wave.end) % wave.loop
    else:
        position = position[: int(np.searchsorted(position, wave.end))]
    index = position.astype(np.int64)
    u = (position - index).astype(np.float32)
    padded = np.concatenate((wave.samples[:1], wave.samples, np.zeros(4, np.float32)))
    a, b, c, d = (padded[index + k] for k in range(4))
    return b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)))


def _gain(envelope: Envelope, time: Floats, released: float) -> Floats:
    """Amplitude of the volume envelope at ``time``; decay and release are straight in dB."""
    held = np.minimum(time, released) - envelope.delay
    rise = np.clip(held / envelope.attack, 0, 1) if envelope.attack else np.float64(held >= 0)
    decaying = np.maximum(held - envelope.attack - envelope.hold, 0)
    fall = 100 * decaying / envelope.decay if envelope.decay else 100.0 * (decaying > 0)
    release = 100 * np.maximum(time - released, 0) / max(envelope.release, 0.01)
    return np.asarray(rise * 10 ** (-(np.minimum(fall, envelope.sustain) + release) / 20))


def _low_pass(audio: Audio, cutoff: float, resonance: float) -> Audio:
    """Two-pole low-pass; ``resonance`` is the gain at the cutoff in dB over the flat response."""
    if cutoff > 0.45 * RATE or not len(audio):
        return audio
    omega = 2 * np.pi * cutoff / RATE
    alpha = np.sin(omega) / (2 * 10 ** ((resonance - 3.01) / 20))
    b = np.array([0.5, 1.0, 0.5]) * (1 - np.cos(omega))
    a = np.array([1 + alpha, -2 * np.cos(omega), 1 - alpha])
    return np.asarray(lfilter(b / a[0], a / a[0], audio), dtype=np.float32)


def _heard(audio: Audio, released: float) -> tuple[float, float]:
    """From when until when a note is heard, in seconds after note-on.

    Held, it is heard within 30 dB of its peak; released, until 20 dB below its level at note-off.
    """
    n = len(audio) // BLOCK
    if n == 0:
        return 0.0, 0.0
    level = np.sqrt(np.mean(audio[: n * BLOCK].reshape(n, BLOCK) ** 2, axis=1)) + 1e-9
    loud = np.flatnonzero(level >= level.max() * 10 ** (-FADED_HELD / 20))
    off = min(int(released * RATE / BLOCK), n - 1)
    tail = np.flatnonzero(level[off:] < level[off] * 10 ** (-FADED_RELEASED / 20))
    end = min(off + tail[0] if len(tail) else n, loud[-1] + 1)
    return float(loud[0] * BLOCK / RATE), float(end * BLOCK / RATE)
