"""Reading of a SoundFont 2 file: its samples, and the zones that a note of a preset sounds.

Format: SoundFont Technical Specification 2.04. Only what a static sampler needs is read: no
modulators and no low-frequency oscillators, so that a note's fundamental frequency is what the
caller asks for.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssmpe.errors import DataError
from ssmpe.world.sound.sf2 import (
    INSTRUMENT_HEADER,
    PRESET_HEADER,
    SAMPLE_HEADER,
    Gen,
    Generators,
    GeneratorZones,
    combine,
    riff_chunks,
)


@dataclass(frozen=True)
class Envelope:
    """Volume envelope: times in seconds, sustain in dB below full level.

    ``decay`` and ``release`` are the times of a fall by 100 dB, as in the specification.
    """

    delay: float
    attack: float
    hold: float
    decay: float
    sustain: float
    release: float


@dataclass(frozen=True)
class Region:
    """A stretch of the sample pool, as zones use it.

    Attributes:
        start, end: positions in the pool; ``loop_start`` and ``loop_end`` likewise.
        loops: whether the loop is repeated until the note has died away.
        rate: sampling rate in Hz.
        pitch: MIDI pitch that it is claimed to have at this rate.
    """

    start: int
    end: int
    loop_start: int
    loop_end: int
    loops: bool
    rate: int
    pitch: float


@dataclass(frozen=True)
class Zone:
    """A region as one key of a preset plays it.

    Attributes:
        shift: semitones by which it is transposed.
        attenuation: dB.
        cutoff: of the low-pass in Hz, ``resonance`` its gain at the cutoff in dB.
    """

    region: Region
    shift: float
    attenuation: float
    cutoff: float
    resonance: float
    envelope: Envelope


class SoundFont:
    """A SoundFont file held in memory.

    Attributes:
        pool (N,): all samples one after the other, float32 in [-1, 1).
    """

    def __init__(self, path: Path) -> None:
        """Read the file; raises DataError if it is no SoundFont 2 file."""
        chunks = riff_chunks(path)
        try:
            pool = np.frombuffer(chunks[b"smpl"], "<i2").astype(np.float32)
            self.pool: NDArray[np.float32] = pool / np.float32(32768)
            self._presets = np.frombuffer(chunks[b"phdr"], PRESET_HEADER)
            self._instruments = np.frombuffer(chunks[b"inst"], INSTRUMENT_HEADER)
            self._samples = np.frombuffer(chunks[b"shdr"], SAMPLE_HEADER)
            self._preset_zones = GeneratorZones(chunks[b"pbag"], chunks[b"pgen"], Gen.INSTRUMENT)
            self._instrument_zones = GeneratorZones(chunks[b"ibag"], chunks[b"igen"], Gen.SAMPLE)
        except (KeyError, ValueError) as error:
            raise DataError(f"{path}: not a complete SoundFont 2 file ({error})") from error

    @cached_property
    def presets(self) -> dict[tuple[int, int], int]:
        """Index of the preset of each (bank, program)."""
        heads = self._presets[:-1]
        return {(int(h["bank"]), int(h["program"])): i for i, h in enumerate(heads)}

    def zones(self, bank: int, program: int, key: int, velocity: int) -> tuple[Zone, ...]:
        """Return the zones that sound together for a key and velocity (0–127) of a preset."""
        preset = self.presets[bank, program]
        found = []
        for outer in self._preset_zones.of(self._presets, preset, key, velocity):
            for inner in self._instrument_zones.of(
                self._instruments, outer[Gen.INSTRUMENT], key, velocity
            ):
                found.append(self._zone(combine(inner, outer), key))
        return tuple(found)

    def _zone(self, g: Generators, key: int) -> Zone:
        head = self._samples[g[Gen.SAMPLE]]
        root = (g[Gen.ROOT_KEY] if g[Gen.ROOT_KEY] >= 0 else head["root_key"]) - head[
            "correction"
        ] / 100
        tuning = g[Gen.COARSE_TUNE] + g[Gen.FINE_TUNE] / 100
        return Zone(
            region=_region(g, head, float(root - tuning)),
            shift=float(g[Gen.SCALE_TUNING] / 100 * (key - root) + tuning),
            # The first hardware read 0.4 dB where the specification says 1 dB, and soundfonts
            # are voiced for that.
            attenuation=0.04 * g[Gen.ATTENUATION],
            # The modulation envelope opens the filter at once and closes it over seconds: a
            # static filter is best left where the envelope opens it to.
            cutoff=8.176
            * 2.0 ** ((g[Gen.FILTER_CUTOFF] + max(g[Gen.ENVELOPE_TO_FILTER], 0)) / 1200),
            resonance=g[Gen.FILTER_Q] / 10,
            envelope=_envelope(g, key),
        )


def _region(g: Generators, head: np.void, pitch: float) -> Region:
    return Region(
        start=int(head["start"]) + g[Gen.START] + 32768 * g[Gen.START_COARSE],
        end=int(head["end"]) + g[Gen.END] + 32768 * g[Gen.END_COARSE],
        loop_start=int(head["loop_start"]) + g[Gen.LOOP_START] + 32768 * g[Gen.LOOP_START_COARSE],
        loop_end=int(head["loop_end"]) + g[Gen.LOOP_END] + 32768 * g[Gen.LOOP_END_COARSE],
        loops=g[Gen.SAMPLE_MODES] in (1, 3),
        rate=int(head["rate"]),
        pitch=pitch,
    )


def _envelope(g: Generators, key: int) -> Envelope:
    hold = g[Gen.HOLD] + g[Gen.KEY_TO_HOLD] * (60 - key)
    decay = g[Gen.DECAY] + g[Gen.KEY_TO_DECAY] * (60 - key)
    return Envelope(
        delay=_seconds(g[Gen.DELAY]),
        attack=_seconds(g[Gen.ATTACK]),
        hold=_seconds(hold),
        decay=_seconds(decay),
        sustain=min(max(g[Gen.SUSTAIN], 0) / 10, 100.0),
        release=_seconds(g[Gen.RELEASE]),
    )


def _seconds(timecents: int) -> float:
    """Convert timecents to seconds; the least value, about a millisecond, stands for 'none'."""
    return float(2.0 ** (timecents / 1200)) if timecents > -12000 else 0.0


@lru_cache(maxsize=1)
def general_midi() -> SoundFont:
    """Open the General MIDI soundfont that the installed ``pretty_midi`` package carries."""
    return SoundFont(Path(str(files("pretty_midi") / "TimGM6mb.sf2")))
