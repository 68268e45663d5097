"""What the embedded world consists of: which piece is played by whom in which dataset."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Protocol

import numpy as np

from ssmpe.seeding import numpy_generator
from ssmpe.world.instruments import INSTRUMENTS
from ssmpe.world.pieces import Deal, Pool
from ssmpe.world.studio import STANDARD, WavFormat
from ssmpe.world.writers.bach10 import Bach10Piece
from ssmpe.world.writers.egmd import PATTERNS, DrumIndex, DrumLoop
from ssmpe.world.writers.guitarset import GuitarSetTrack
from ssmpe.world.writers.musicnet import MusicNetTrack
from ssmpe.world.writers.nsynth import NSynthNote, NSynthSplit
from ssmpe.world.writers.urmp import UrmpPiece


class Task(Protocol):
    """One or several files of the world, written independently of all others."""

    @property
    def label(self) -> str:
        """What a progress display shows."""

    def write(self, root: Path) -> None:
        """Write the files below the data root."""


STEMS = WavFormat(rate=11025)


@dataclass(frozen=True)
class WorldSize:
    """How much there is of everything; lengths in seconds.

    Attributes:
        urmp: number of pieces, from piece 01 on.
        guitarset: tracks of player 05; two more players have ``guitarset_others`` each.
        stems: format of the stems, which no loader reads.
    """

    urmp: int = 44
    urmp_seconds: float = 10.0
    bach10: int = 10
    bach10_seconds: float = 10.0
    musicnet_train: int = 40
    musicnet_train_seconds: float = 12.0
    musicnet_test: int = 10
    musicnet_test_seconds: float = 10.0
    guitarset: int = 8
    guitarset_others: int = 2
    guitarset_seconds: float = 10.0
    nsynth_train: int = 64
    nsynth_valid: int = 24
    drum_loops: int = 16
    drum_seconds: float = 8.0
    stems: WavFormat = STEMS


SIZES = {"tiny": WorldSize()}

# Players of URMP's 44 pieces, as abbreviated in its folder names (sextets cut to four players).
URMP_PLAYERS = """
vn-vc vn-vn fl-cl fl-fl tpt-tpt sax-sax tpt-tbn fl-vn tpt-vn tpt-sax ob-cl vn-vn-vc vn-vn-va
fl-fl-cl tpt-tpt-tbn tpt-tpt-sax vn-fl-cl vn-fl-tpt cl-vn-vc tpt-vn-vc cl-tbn-tba sax-tbn-tba
cl-sax-tba vn-vn-va-vc vn-vn-va-sax vn-vn-va-vc vn-vn-va-sax fl-ob-cl-bn fl-fl-ob-cl fl-fl-ob-sax
tpt-tpt-hn-tbn vn-vn-va-vc tpt-tpt-hn-tbn tpt-tpt-hn-tbn vn-vn-va-db vn-vn-va-vc fl-vn-va-vc
vn-va-vc-db vn-va-sax-db fl-ob-cl-bn fl-cl-sax-bn tpt-tpt-tbn-tba tpt-hn-tbn-tba vn-vn-va-vc
"""
URMP_POOLS: tuple[Pool, ...] = ("chorale", "madrigal", "quartet", "madrigal")
# Recordings as URMP publishes them, where a loader is to meet them.
URMP_FORMATS = {1: WavFormat(48000, 2), 2: WavFormat(48000, 1)}

ALL = slice(None, 4)
MUSICNET_TEST_IDS = (1759, 1819, 2106, 2191, 2298, 2303, 2382, 2416, 2556, 2628)
MUSICNET_FIRST_ID = 1727


def _line_up(*names: str) -> tuple[tuple[str, slice], ...]:
    return tuple((name, slice(i, i + 1)) for i, name in enumerate(names))


Ensemble = tuple[Pool, tuple[tuple[str, slice], ...]]
# Ten recordings: six of ensembles, four with piano, in an order in which any stretch is mixed.
MUSICNET_KINDS: tuple[tuple[Ensemble, ...], ...] = (
    (
        ("quartet", _line_up("violin", "violin", "viola", "cello")),
        ("madrigal", _line_up("violin", "viola", "viola", "cello")),
    ),
    (("piano", (("piano", ALL),)), ("chorale", (("bright_piano", ALL),))),
    (
        ("madrigal", _line_up("flute", "oboe", "clarinet", "bassoon")),
        ("chorale", _line_up("oboe", "clarinet", "horn", "bassoon")),
    ),
    (("madrigal", _line_up("strings", "strings", "strings", "strings")),),
    (("quartet", (("piano", ALL),)), ("piano", (("bright_piano", ALL),))),
    (
        ("quartet", (("violin", slice(0, 1)), ("cello", slice(3, 4)), ("harpsichord", ALL))),
        ("chorale", (("flute", slice(0, 1)), ("harpsichord", ALL))),
    ),
    (
        ("chorale", _line_up("pizzicato", "pizzicato", "pizzicato", "pizzicato")),
        ("quartet", _line_up("violin", "pizzicato", "pizzicato", "pizzicato")),
    ),
    (("madrigal", (("piano", ALL),)), ("piano", (("piano", ALL),))),
    (
        ("chorale", (("violin", slice(0, 1)), ("harp", slice(1, 4)))),
        ("madrigal", (("flute", slice(0, 1)), ("harp", slice(1, 4)))),
    ),
    (
        ("quartet", (("violin", slice(0, 1)), ("piano", slice(1, 4)))),
        ("chorale", (("cello", slice(0, 1)), ("piano", slice(1, 4)))),
    ),
)

GUITARS = ("steel_guitar", "nylon_guitar", "steel_guitar", "jazz_guitar")
GUITARSET_STYLES = (
    *("BN1-129-Eb", "Funk1-97-C", "Jazz2-110-Bb", "Rock1-90-C#", "SS1-68-E"),
    *("BN2-166-Ab", "Jazz3-137-Eb", "Rock2-142-D"),
)

# Instruments of NSynth: family, source and the instruments of this world that belong there.
NSYNTH_KINDS = (
    ("bass", "synthetic", ("synth_bass_1", "synth_bass_2")),
    ("bass", "electronic", ("finger_bass", "pick_bass", "fretless_bass", "slap_bass_1")),
    ("brass", "acoustic", ("trumpet", "horn", "trombone", "tuba", "brass")),
    ("flute", "acoustic", ("flute", "recorder", "pan_flute")),
    ("guitar", "acoustic", ("nylon_guitar", "steel_guitar", "harp")),
    ("guitar", "electronic", ("jazz_guitar",)),
    ("keyboard", "acoustic", ("piano", "harpsichord")),
    ("keyboard", "electronic", ("electric_piano",)),
    ("mallet", "acoustic", ("vibraphone", "marimba")),
    ("reed", "acoustic", ("oboe", "clarinet", "saxophone", "bassoon")),
    ("string", "acoustic", ("violin", "viola", "cello", "strings", "pizzicato")),
    ("synth_lead", "synthetic", ("square_lead", "warm_pad", "polysynth_pad")),
)
NSYNTH_VELOCITIES = (25, 50, 75, 100, 127)

DRUM_KITS = {0: "Acoustic Kit", 8: "Room Kit", 16: "Power Kit", 24: "808 Simple", 32: "Jazz Kit"}


def plan(size: WorldSize) -> list[Task]:
    """All tasks of a world of this size; every piece of the corpus is used at most once."""
    deal = Deal()
    return [
        *_urmp(size, deal),
        *_musicnet(size, deal),
        *_bach10(size, deal),
        *_guitarset(size, deal),
        *_nsynth(size),
        *_egmd(size),
    ]


def _urmp(size: WorldSize, deal: Deal) -> Iterator[Task]:
    pools = cycle(URMP_POOLS)
    for number, (players, pool) in enumerate(zip(URMP_PLAYERS.split(), pools, strict=False), 1):
        if number > size.urmp:
            return
        # Chorales have clear bass lines, quartets high ones: brass and winds play the former.
        pool = "chorale" if pool == "quartet" and "vn" not in players else pool
        yield UrmpPiece(
            number=number,
            source=deal.draw(pool),
            players=tuple(players.split("-")),
            seconds=size.urmp_seconds,
            mixture=URMP_FORMATS.get(number, STANDARD),
            stems=size.stems,
        )


def _musicnet(size: WorldSize, deal: Deal) -> Iterator[Task]:
    train_ids = (i for i in range(MUSICNET_FIRST_ID, 9999, 9) if i not in MUSICNET_TEST_IDS)
    for number, i in zip(MUSICNET_TEST_IDS[: size.musicnet_test], range(10), strict=False):
        pool, players = MUSICNET_KINDS[i][0]
        seconds = size.musicnet_test_seconds
        yield MusicNetTrack(number, "test", deal.draw(pool), players, seconds)
    for i, number in enumerate(islice(train_ids, size.musicnet_train)):
        kinds = MUSICNET_KINDS[i % len(MUSICNET_KINDS)]
        pool, players = kinds[i // len(MUSICNET_KINDS) % len(kinds)]
        seconds = size.musicnet_train_seconds
        yield MusicNetTrack(number, "train", deal.draw(pool), players, seconds)


def _bach10(size: WorldSize, deal: Deal) -> Iterator[Task]:
    for number in range(1, size.bach10 + 1):
        yield Bach10Piece(number, deal.draw("chorale"), size.bach10_seconds, size.stems)


def _guitarset(size: WorldSize, deal: Deal) -> Iterator[Task]:
    players = [("05", size.guitarset), ("00", size.guitarset_others), ("02", size.guitarset_others)]
    guitars = cycle(GUITARS)
    for player, count in players:
        for i in range(count):
            version: str = ("comp", "solo")[i % 2]
            name = f"{player}_{GUITARSET_STYLES[i]}_{version}"
            source = deal.draw("chorale" if version == "comp" else "tune")
            yield GuitarSetTrack(name, source, next(guitars), size.guitarset_seconds)


def _nsynth(size: WorldSize) -> Iterator[Task]:
    first = 0
    for split, count in (("train", size.nsynth_train), ("valid", size.nsynth_valid)):
        rng = numpy_generator("world", "NSynth", split)
        notes = tuple(_nsynth_note(split, i, first + i, rng) for i in range(count))
        yield NSynthSplit(split, notes)
        first += count


def _nsynth_note(split: str, i: int, number: int, rng: np.random.Generator) -> NSynthNote:
    family, source, members = NSYNTH_KINDS[i % len(NSYNTH_KINDS)]
    instrument = INSTRUMENTS[members[i // len(NSYNTH_KINDS) % len(members)]]
    return NSynthNote(
        number=number,
        program=instrument.program,
        family=family,
        source=source,
        # Instruments of the real splits are disjoint; these are told apart by their numbers.
        instrument=2 * instrument.program + (split == "valid"),
        pitch=int(rng.integers(instrument.low, instrument.high + 1)),
        velocity=int(rng.choice(NSYNTH_VELOCITIES)),
    )


def _egmd(size: WorldSize) -> Iterator[Task]:
    styles, kits = list(PATTERNS), list(DRUM_KITS.items())
    splits = ["train"] * 6 + ["validation", "test"]
    loops = tuple(
        DrumLoop(
            drummer=1 + i % 4,
            number=i + 1,
            style=styles[i % len(styles)],
            bpm=int(numpy_generator("world", "E-GMD", "bpm", i).integers(78, 150)),
            kit=kits[i // 2 % len(kits)][0],
            kit_name=kits[i // 2 % len(kits)][1],
            split=splits[i % len(splits)],
            seconds=size.drum_seconds,
        )
        for i in range(size.drum_loops)
    )
    yield from loops
    yield DrumIndex(loops)
