"""Studio: room, noise floor, level, sampling rate and channels of mixtures, and their files."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy  # its modules load when they are used
import soundfile
import soxr
from numpy.typing import NDArray

from ssmpe.world.sound.sampler import RATE
from ssmpe.world.sound.wave import Audio

PEAK = 0.35, 0.95  # range of a mixture's peak
REVERBERATION = 0.2, 0.6  # seconds until the room has fallen by 60 dB
DIRECT_TO_REVERBERANT = 8.0, 16.0  # dB
PREDELAY = 0.008  # seconds
NOISE = -80.0, -55.0  # dB below full scale


@dataclass(frozen=True)
class AudioFormat:
    """Sampling rate in Hz and number of channels of a file."""

    rate: int = RATE
    channels: int = 1


STANDARD = AudioFormat()


def mix(parts: list[Audio], rng: np.random.Generator) -> Audio:
    """Mix parts (N,) in a room, with a noise floor, at a drawn level."""
    dry: Audio = np.sum(np.stack(parts), axis=0, dtype=np.float32)
    wet = scipy.signal.oaconvolve(dry, _room(rng))[: len(dry)]
    wet *= rng.uniform(*PEAK) / max(float(np.abs(wet).max()), 1e-6)
    noise = scipy.signal.lfilter([1.0], [1.0, -0.7], rng.standard_normal(len(dry)))
    noise *= 10 ** (rng.uniform(*NOISE) / 20) / np.std(noise)
    return np.asarray(wet + noise, dtype=np.float32)


def _room(rng: np.random.Generator) -> Audio:
    """Draw an impulse response: the direct sound, then noise that decays and grows duller."""
    decay = rng.uniform(*REVERBERATION)
    time = np.arange(round(decay * RATE)) / RATE
    tail = scipy.signal.lfilter([1.0], [1.0, -0.6], rng.standard_normal(len(time)))
    tail *= 10 ** (-3 * time / decay) * (time > PREDELAY)
    tail *= 10 ** (-rng.uniform(*DIRECT_TO_REVERBERANT) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(tail, dtype=np.float32)


def write_wav(path: Path, audio: Audio, form: AudioFormat = STANDARD) -> None:
    """Write audio (N,) at the sampler's rate as a 16-bit WAV file."""
    samples = np.round(_as_asked(audio, form) * 32767).astype(np.int16)
    _write(path, samples, form.rate, "WAV", "PCM_16")


def write_mp3(path: Path, audio: Audio, form: AudioFormat) -> None:
    """Write audio (N,) at the sampler's rate as an MP3 file of variable bit rate."""
    # As floating-point numbers: libsndfile 1.2.2 garbles 16-bit stereo, each time in another way.
    _write(path, _as_asked(audio, form), form.rate, "MP3", "MPEG_LAYER_III")


def _as_asked(audio: Audio, form: AudioFormat) -> Audio:
    """Bring audio (N,) to the form's rate and into [-1, 1]; (N, C) if it has several channels."""
    if form.rate != RATE:
        audio = soxr.resample(audio, RATE, form.rate)
    audio = np.clip(audio, -1, 1)
    return np.repeat(audio[:, None], form.channels, axis=1) if form.channels > 1 else audio


def _write(path: Path, samples: NDArray[Any], rate: int, container: str, coding: str) -> None:
    """Write a file, made in memory first: a full disk is then an OSError, not a short file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, subtype=coding)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
