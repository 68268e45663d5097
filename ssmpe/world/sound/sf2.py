"""The SoundFont 2 file format, as far as it is needed: chunks, records, generators.

Source: SoundFont Technical Specification 2.04; section numbers below refer to it.
"""

from collections.abc import Mapping
from enum import IntEnum
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


class Gen(IntEnum):
    """Generators, the parameters of a zone (8.1.2)."""

    START = 0
    END = 1
    LOOP_START = 2
    LOOP_END = 3
    START_COARSE = 4
    FILTER_CUTOFF = 8
    FILTER_Q = 9
    ENVELOPE_TO_FILTER = 11
    END_COARSE = 12
    DELAY = 33
    ATTACK = 34
    HOLD = 35
    DECAY = 36
    SUSTAIN = 37
    RELEASE = 38
    KEY_TO_HOLD = 39
    KEY_TO_DECAY = 40
    INSTRUMENT = 41
    KEY_RANGE = 43
    VELOCITY_RANGE = 44
    LOOP_START_COARSE = 45
    ATTENUATION = 48
    LOOP_END_COARSE = 50
    COARSE_TUNE = 51
    FINE_TUNE = 52
    SAMPLE = 53
    SAMPLE_MODES = 54
    SCALE_TUNING = 56
    ROOT_KEY = 58


# Values of generators that nobody sets, where these are not 0.
DEFAULTS = {Gen.FILTER_CUTOFF: 13500, Gen.SCALE_TUNING: 100, Gen.ROOT_KEY: -1} | dict.fromkeys(
    (Gen.DELAY, Gen.ATTACK, Gen.HOLD, Gen.DECAY, Gen.RELEASE), -12000
)
# What a preset's zone does not add to its instrument's: ranges and links are used otherwise, the
# rest it may not set (8.5).
NOT_ADDED = {
    *(Gen.START, Gen.END, Gen.LOOP_START, Gen.LOOP_END, Gen.START_COARSE, Gen.END_COARSE),
    *(Gen.LOOP_START_COARSE, Gen.LOOP_END_COARSE, Gen.SAMPLE_MODES, Gen.ROOT_KEY),
    *(Gen.INSTRUMENT, Gen.KEY_RANGE, Gen.VELOCITY_RANGE),
}

Generators = Mapping[int, int]
"""Amounts by number."""


def riff_chunks(path: Path) -> dict[bytes, bytes]:
    """Read the chunks of all lists of a RIFF file, by name."""
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


class GeneratorZones:
    """The zones of all presets, or of all instruments, with their generators."""

    def __init__(self, bags: bytes, generators: bytes, target: int) -> None:
        """Index zones; ``target`` is the generator that names what a zone plays.

        A header's first zone may lack it: its generators then hold for all zones of the header.
        """
        first = np.frombuffer(bags, BAG)["generator"]
        pairs = np.frombuffer(generators, GENERATOR).tolist()
        self._zones = [dict(pairs[a:b]) for a, b in pairwise(first)]
        self._target = target

    def of(
        self, headers: NDArray[np.void], index: int, key: int, velocity: int
    ) -> list[Generators]:
        """Return the zones of header ``index`` that answer to the key and velocity."""
        zones = self._zones[int(headers[index]["bag"]) : int(headers[index + 1]["bag"])]
        common = zones[0] if zones and self._target not in zones[0] else {}
        merged = [common | zone for zone in zones if self._target in zone]
        return [
            zone
            for zone in merged
            if _in_range(zone.get(Gen.KEY_RANGE), key)
            and _in_range(zone.get(Gen.VELOCITY_RANGE), velocity)
        ]


def _in_range(amount: int | None, value: int) -> bool:
    return amount is None or (amount & 0xFF) <= value <= ((amount >> 8) & 0xFF)


def combine(inner: Generators, outer: Generators) -> Generators:
    """Put generators ``inner`` of an instrument over the defaults; add ``outer`` of its preset."""
    total = dict.fromkeys(map(int, Gen), 0) | DEFAULTS | dict(inner)
    for number, amount in outer.items():
        if number in total and number not in NOT_ADDED:
            total[number] += amount
    return total
