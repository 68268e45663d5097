"""What the embedded world consists of: which piece is played by whom in which dataset."""

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Protocol

import numpy as np

from ssmpe.seeding import numpy_generator
from ssmpe.world.casting import (
    DRUM_KITS,
    GUITARS,
    GUITARSET_STYLES,
    MUSICNET_FIRST_ID,
    MUSICNET_KINDS,
    MUSICNET_TEST_IDS,
    NSYNTH_KINDS,
    NSYNTH_VELOCITIES,
    URMP_FORMATS,
    URMP_PLAYERS,
    URMP_POOLS,
)
from ssmpe.world.instruments import INSTRUMENTS
from ssmpe.world.pieces import Deal
from ssmpe.world.sizes import WorldSize
from ssmpe.world.studio import STANDARD
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
