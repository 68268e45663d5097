"""Reading of a SoundFont 2 file: its samples, and the zones that a note of a preset sounds.

Format: SoundFont Technical Specification 2.04. Only what a static sampler needs is read: no
modulators and no low-frequency oscillators, so that a note's fundamental frequency is what the
caller asks for.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssmpe.errors import DataError

PRESET_HEADER = np.dtype(
    [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "<u4", 3)]
)
INSTRUMENT_HEADER = np.dtype([("name", "S20"), ("bag", "<u2")])
BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
GENERATOR = np.dtype([("operator", "<u2"), ("amount", "<i2")])
SAMPLE_HEADER = np.dtype(
    [
        ("name", "S20"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("loop_start", "<u4"),
        ("loop_end", "<u4"),
        ("rate", "<u4"),
        ("root_key", "u1"),
        ("correction", "i1"),
        ("link", "<u2"),
        ("type", "<u2"),
    ]
)

# Generators by number (specification, section 8.1.2) and their defaults where these are not 0.
START, END, LOOP_START, LOOP_END = 0, 1, 2, 3
START_COARSE, END_COARSE, LOOP_START_COARSE, LOOP_END_COARSE = 4, 12, 45, 50
FILTER_CUTOFF, FILTER_Q, ENVELOPE_TO_FILTER, ATTENUATION = 8, 9, 11, 48
DELAY, ATTACK, HOLD, DECAY, SUSTAIN, RELEASE, KEY_TO_HOLD, KEY_TO_DECAY = range(33, 41)
INSTRUMENT, KEY_RANGE, VELOCITY_RANGE, SAMPLE, SAMPLE_MODES = 41, 43, 44, 53, 54
COARSE_TUNE, FINE_TUNE, SCALE_TUNING, ROOT_KEY = 51, 52, 56, 58
DEFAULTS = {FILTER_CUTOFF: 13500, SCALE_TUNING: 100, ROOT_KEY: -1} | dict.fromkeys(
    (DELAY, ATTACK, HOLD, DECAY, RELEASE), -12000
)
# Generators that a preset zone may not set: ranges are intersected, the others are ignored there.
INSTRUMENT_ONLY = {
    *(START, END, LOOP_START, LOOP_END, START_COARSE, END_COARSE),
    *(LOOP_START_COARSE, LOOP_END_COARSE, SAMPLE_MODES, ROOT_KEY),
}

Generators = dict[int, int]


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
        chunks = _riff_chunks(path)
        try:
            pool = np.frombuffer(chunks[b"smpl"], "<i2").astype(np.float32)
            self.pool: NDArray[np.float32] = pool / np.float32(32768)
            self._presets = np.frombuffer(chunks[b"phdr"], PRESET_HEADER)
            self._instruments = np.frombuffer(chunks[b"inst"], INSTRUMENT_HEADER)
            self._samples = np.frombuffer(chunks[b"shdr"], SAMPLE_HEADER)
            self._preset_zones = _Zones(chunks[b"pbag"], chunks[b"pgen"], INSTRUMENT)
            self._instrument_zones = _Zones(chunks[b"ibag"], chunks[b"igen"], SAMPLE)
        except (KeyError, ValueError) as error:
            raise DataError(f"{path}: not a complete SoundFont 2 file ({error})") from error

    @cached_property
    def presets(self) -> dict[tuple[int, int], int]:
        """Index of the preset of each (bank, program)."""
        heads = self._presets[:-1]
        return {(int(h["bank"]), int(h["program"])): i for i, h in enumerate(heads)}

    def zones(self, bank: int, program: int, key: int, velocity: int) -> tuple[Zone, ...]:
        """The zones that sound together for a key and velocity (0–127) of a preset."""
        preset = self.presets[bank, program]
        found = []
        for outer in self._preset_zones.of(self._presets, preset, key, velocity):
            for inner in self._instrument_zones.of(
                self._instruments, outer[INSTRUMENT], key, velocity
            ):
                found.append(self._zone(_combine(inner, outer), key))
        return tuple(found)

    def _zone(self, g: Generators, key: int) -> Zone:
        head = self._samples[g[SAMPLE]]
        root = (g[ROOT_KEY] if g[ROOT_KEY] >= 0 else head["root_key"]) - head["correction"] / 100
        tuning = g[COARSE_TUNE] + g[FINE_TUNE] / 100
        return Zone(
            region=_region(g, head, float(root - tuning)),
            shift=float(g[SCALE_TUNING] / 100 * (key - root) + tuning),
            # The first hardware read 0.4 dB where the specification says 1 dB, and soundfonts
            # are voiced for that.
            attenuation=0.04 * g[ATTENUATION],
            # The modulation envelope opens the filter at once and closes it over seconds: a
            # static filter is best left where the envelope opens it to.
            cutoff=8.176 * 2.0 ** ((g[FILTER_CUTOFF] + max(g[ENVELOPE_TO_FILTER], 0)) / 1200),
            resonance=g[FILTER_Q] / 10,
            envelope=_envelope(g, key),
        )


class _Zones:
    """The zones of all presets, or of all instruments, with their generators."""

    def __init__(self, bags: bytes, generators: bytes, target: int) -> None:
        """``target`` is the generator that names what a zone plays; a zone without is global."""
        first = np.frombuffer(bags, BAG)["generator"]
        pairs = np.frombuffer(generators, GENERATOR).tolist()
        self._zones = [dict(pairs[a:b]) for a, b in pairwise(first)]
        self._target = target

    def of(
        self, headers: NDArray[np.void], index: int, key: int, velocity: int
    ) -> list[Generators]:
        """Zones of header ``index`` that answer to the key and velocity, defaults filled in."""
        zones = self._zones[int(headers[index]["bag"]) : int(headers[index + 1]["bag"])]
        common: Generators = {}
        if zones and self._target not in zones[0]:
            common = zones[0]
        merged = [common | zone for zone in zones if self._target in zone]
        return [
            zone
            for zone in merged
            if _in_range(zone.get(KEY_RANGE), key) and _in_range(zone.get(VELOCITY_RANGE), velocity)
        ]


def _in_range(amount: int | None, value: int) -> bool:
    return amount is None or (amount & 0xFF) <= value <= ((amount >> 8) & 0xFF)


def _combine(inner: Generators, outer: Generators) -> Generators:
    """Instrument generators over the defaults; preset generators are added to them."""
    total = dict.fromkeys(range(61), 0) | DEFAULTS | inner
    for number, amount in outer.items():
        if number not in INSTRUMENT_ONLY and number not in (INSTRUMENT, KEY_RANGE, VELOCITY_RANGE):
            total[number] += amount
    return total


def _region(g: Generators, head: np.void, pitch: float) -> Region:
    return Region(
        start=int(head["start"]) + g[START] + 32768 * g[START_COARSE],
        end=int(head["end"]) + g[END] + 32768 * g[END_COARSE],
        loop_start=int(head["loop_start"]) + g[LOOP_START] + 32768 * g[LOOP_START_COARSE],
        loop_end=int(head["loop_end"]) + g[LOOP_END] + 32768 * g[LOOP_END_COARSE],
        loops=g[SAMPLE_MODES] in (1, 3),
        rate=int(head["rate"]),
        pitch=pitch,
    )


def _envelope(g: Generators, key: int) -> Envelope:
    hold = g[HOLD] + g[KEY_TO_HOLD] * (60 - key)
    decay = g[DECAY] + g[KEY_TO_DECAY] * (60 - key)
    return Envelope(
        delay=_seconds(g[DELAY]),
        attack=_seconds(g[ATTACK]),
        hold=_seconds(hold),
        decay=_seconds(decay),
        sustain=min(max(g[SUSTAIN], 0) / 10, 100.0),
        release=_seconds(g[RELEASE]),
    )


def _seconds(timecents: int) -> float:
    """Timecents to seconds; the least value, about a millisecond, stands for 'none'."""
    return float(2.0 ** (timecents / 1200)) if timecents > -12000 else 0.0


def _riff_chunks(path: Path) -> dict[bytes, bytes]:
    """Chunks of all lists of a RIFF file by name."""
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise DataError(f"{path}: not a SoundFont 2 file (no RIFF sfbk header)")
    chunks = {}
    position = 12
    while position + 8 <= len(data):
        name, size = data[position : position + 4], data[position + 4 : position + 8]
        length = int.from_bytes(size, "little")
        if name == b"LIST":
            position += 12
            continue
        chunks[name] = data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
    return chunks


@lru_cache(maxsize=1)
def general_midi() -> SoundFont:
    """The General MIDI soundfont that the installed ``pretty_midi`` package carries."""
    return SoundFont(Path(str(files("pretty_midi") / "TimGM6mb.sf2")))
