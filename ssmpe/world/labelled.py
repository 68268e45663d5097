"""The sets of labelled recordings: which piece is played by whom."""

from collections.abc import Iterator
from itertools import cycle, islice

from ssmpe.world.music.casting import (
    GUITARS,
    GUITARSET_STYLES,
    MAESTRO_PIANOS,
    MAESTRO_POOLS,
    MUSICNET_FIRST_ID,
    MUSICNET_KINDS,
    MUSICNET_TEST_IDS,
    SU_PIECES,
    TRIOS_PIECES,
    TRIOS_SONG,
    URMP_FORMATS,
    URMP_PLAYERS,
    URMP_POOLS,
)
from ssmpe.world.music.pieces import Deal
from ssmpe.world.sizes import WorldSize
from ssmpe.world.sound.studio import STANDARD, AudioFormat
from ssmpe.world.workers import Task
from ssmpe.world.writers.bach10 import Bach10Piece
from ssmpe.world.writers.guitarset import GuitarSetTrack
from ssmpe.world.writers.maestro import MaestroTable, MaestroTrack, Split
from ssmpe.world.writers.maps import AMBIENT, CLOSE, MapsPiece
from ssmpe.world.writers.musicnet import MusicNetTrack
from ssmpe.world.writers.su import SuPiece
from ssmpe.world.writers.trios import TriosPiece
from ssmpe.world.writers.urmp import UrmpPiece


def urmp(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the pieces of URMP."""
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
            rubato=size.rubato,
        )


def musicnet(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the recordings of MusicNet."""
    train_ids = (i for i in range(MUSICNET_FIRST_ID, 9999, 9) if i not in MUSICNET_TEST_IDS)
    for number, i in zip(MUSICNET_TEST_IDS[: size.musicnet_test], range(10), strict=False):
        pool, players = MUSICNET_KINDS[i][0]
        seconds = size.musicnet_test_seconds
        yield MusicNetTrack(number, "test", deal.draw(pool), players, seconds, size.rubato)
    for i, number in enumerate(islice(train_ids, size.musicnet_train)):
        kinds = MUSICNET_KINDS[i % len(MUSICNET_KINDS)]
        pool, players = kinds[i // len(MUSICNET_KINDS) % len(kinds)]
        seconds = size.musicnet_train_seconds
        yield MusicNetTrack(number, "train", deal.draw_shared(pool), players, seconds, size.rubato)


def bach10(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the chorales of Bach10."""
    for number in range(1, size.bach10 + 1):
        source = deal.draw("chorale")
        yield Bach10Piece(number, source, size.bach10_seconds, size.stems, size.rubato)


def guitarset(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the recordings of GuitarSet."""
    players = [("05", size.guitarset), ("00", size.guitarset_others), ("02", size.guitarset_others)]
    guitars = cycle(GUITARS)
    for player, count in players:
        for i in range(count):
            again, sheet = divmod(i, len(GUITARSET_STYLES))
            version: str = ("comp", "solo")[(sheet + again) % 2]
            name = f"{player}_{GUITARSET_STYLES[sheet]}_{version}"
            source = deal.draw("chorale" if version == "comp" else "tune")
            yield GuitarSetTrack(name, source, next(guitars), size.guitarset_seconds, size.rubato)


def su(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the pieces of Su."""
    for name, (pool, players) in islice(SU_PIECES.items(), size.su):
        yield SuPiece(name, deal.draw(pool), players, size.su_seconds, size.rubato)


def trios(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the pieces of TRIOS."""
    seconds, stems = size.trios_seconds, size.stems
    for name, (pool, players) in islice(TRIOS_PIECES.items(), size.trios):
        yield TriosPiece(name, deal.draw(pool), players, seconds, stems, size.rubato)
    if size.trios > len(TRIOS_PIECES):
        yield TriosPiece(TRIOS_SONG, None, (), seconds, stems)


def maestro(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the recordings of MAESTRO, and their table."""
    splits: list[Split] = ["validation"] * size.maestro_validation
    splits += ["test"] * size.maestro_test
    splits += ["train"] * size.maestro_train
    tracks = []
    for i, split in enumerate(splits):
        draw = deal.draw_shared if split == "train" else deal.draw
        tracks.append(
            MaestroTrack(
                number=i + 1,
                split=split,
                source=draw(MAESTRO_POOLS[i % len(MAESTRO_POOLS)]),
                piano=MAESTRO_PIANOS[i % len(MAESTRO_PIANOS)],
                seconds=size.maestro_seconds if i else size.maestro_long_seconds,
                # Recordings as MAESTRO publishes them, where a loader is to meet them.
                form=AudioFormat(44100, 2) if i == 1 else STANDARD,
                rubato=size.rubato,
            )
        )
    yield from tracks
    if tracks:
        yield MaestroTable(tuple(tracks))


def maps(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the pieces of MAPS: one before all microphones, the others before either of the two."""
    for number in range(1, 2 * size.maps):
        microphones = (AMBIENT,) if number % 2 else (CLOSE,)
        yield MapsPiece(
            number=number,
            source=deal.draw(MAESTRO_POOLS[number // 2 % len(MAESTRO_POOLS)]),
            microphones=(CLOSE, AMBIENT) if number == 1 else microphones,
            seconds=size.maps_seconds,
            # Recordings as MAPS publishes them, where a loader is to meet them.
            form=AudioFormat(44100, 2) if number == 1 else STANDARD,
            rubato=size.rubato,
        )
