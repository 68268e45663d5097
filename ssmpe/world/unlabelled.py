"""The unlabelled sets, the single notes and the drums: which piece is played by whom."""

from collections.abc import Iterator

import numpy as np

from ssmpe.seeding import numpy_generator
from ssmpe.world.music.bands import BANDS
from ssmpe.world.music.casting import (
    CHAMBER,
    DRUM_KITS,
    LIEDER,
    NSYNTH_KINDS,
    NSYNTH_VELOCITIES,
    Ensemble,
    one_part_each,
)
from ssmpe.world.music.instruments import INSTRUMENTS
from ssmpe.world.music.pieces import Deal
from ssmpe.world.playing.programme import Music, ScoredMusic, SongMusic
from ssmpe.world.sizes import WorldSize
from ssmpe.world.sound.drums import PATTERNS
from ssmpe.world.sound.studio import AudioFormat
from ssmpe.world.workers import Task
from ssmpe.world.writers import bach10
from ssmpe.world.writers.egmd import DrumIndex, DrumLoop
from ssmpe.world.writers.fma import FmaClip, FmaTables, Genre
from ssmpe.world.writers.magnatagatune import MagnatuneClip
from ssmpe.world.writers.medleydb import MedleyTrack
from ssmpe.world.writers.nsynth import NSynthNote, NSynthSplit
from ssmpe.world.writers.swd import SwdSong

ROOTS = {
    2: "International",
    3: "Blues",
    4: "Jazz",
    5: "Classical",
    8: "Old-Time / Historic",
    9: "Country",
    10: "Pop",
    12: "Rock",
    13: "Easy Listening",
    14: "Soul-RnB",
    15: "Electronic",
    17: "Folk",
    20: "Spoken",
    21: "Hip-Hop",
    38: "Experimental",
    1235: "Instrumental",
}
BELOW = {25: ("Punk", 12), 42: ("Ambient Electronic", 15), 66: ("Indie-Rock", 12)}
GENRES = (
    *(Genre(number, 0, title, number) for number, title in ROOTS.items()),
    *(Genre(number, root, title, root) for number, (title, root) in BELOW.items()),
)

# Genres of a clip, and the band of ``bands.BANDS`` or the ensemble that plays. Any stretch of it
# is mixed; the second has two root genres.
CLIPS: tuple[tuple[tuple[int, ...], str | Ensemble], ...] = (
    ((12,), "Rock"),
    ((21, 15), "Hip-Hop"),
    ((5,), CHAMBER[0]),
    ((42,), "Electronic"),
    ((17,), "Folk"),
    ((10,), "Pop"),
    ((4,), "Jazz"),
    ((5,), CHAMBER[1]),
    ((25, 12), "Punk"),
    ((14,), "Soul-RnB"),
    ((2,), "International"),
    ((15,), "Electronic"),
    ((1235,), CHAMBER[5]),
    ((66, 17), "Rock"),
    ((21,), "Hip-Hop"),
    ((5,), CHAMBER[2]),
    ((42, 38), "Ambient"),
    ((17,), CHAMBER[3]),
    ((12, 10), "Pop"),
    ((2,), CHAMBER[4]),
)
MISSING = 20  # number of a track that is in the table but has no clip
EMPTY = 99134  # number of a clip without sound, as in the dataset

# Of songs and chamber music in turn; the popular music that such collections have most of is most.
MIXED: list[str | Ensemble] = list(BANDS)
for place, ensemble in enumerate(CHAMBER):
    MIXED.insert(3 * place + 2, ensemble)
MP3_FORMATS = (AudioFormat(44100, 2), AudioFormat(44100, 1), AudioFormat(44100, 2))
FMA_SPLITS = ("training", "training", "training", "validation", "test")
MAGNATUNE_EMPTY = "6/norine_braun-now_and_zen-08-gently-117-146"  # as in the dataset


def nsynth(size: WorldSize) -> Iterator[Task]:
    """Plan the splits of NSynth."""
    first = 0
    taken: set[str] = set()  # no note is in two splits, although valid and test share instruments
    counts = {
        "train": size.nsynth_train,
        "valid": size.nsynth_valid,
        "test": size.nsynth_test,
    }
    for split, count in counts.items():
        rng = numpy_generator("world", "NSynth", split)
        notes: dict[str, NSynthNote] = {}
        while len(notes) < count:
            note = _nsynth_note(split, len(notes), first + len(notes), rng)
            if note.name not in taken:
                notes[note.name] = note
                taken.add(note.name)
        if notes:
            yield NSynthSplit(split, tuple(notes.values()))
        first += count


def _nsynth_note(split: str, i: int, number: int, rng: np.random.Generator) -> NSynthNote:
    family, source, members = NSYNTH_KINDS[i % len(NSYNTH_KINDS)]
    instrument = INSTRUMENTS[members[i // len(NSYNTH_KINDS) % len(members)]]
    return NSynthNote(
        number=number,
        program=instrument.program,
        family=family,
        source=source,
        # The real training set shares no instrument with the others; here numbers tell them apart.
        instrument=2 * instrument.program + (split != "train"),
        pitch=int(rng.integers(instrument.low, instrument.high + 1)),
        velocity=int(rng.choice(NSYNTH_VELOCITIES)),
    )


def egmd(size: WorldSize) -> Iterator[Task]:
    """Plan the recordings of E-GMD, and their table."""
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


def fma(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the clips of FMA, with one that is missing and one that is empty, and their tables."""
    if not size.fma:
        return
    clips = [
        FmaClip(MISSING, (12,), None, size.fma_seconds, MP3_FORMATS[0]),
        FmaClip(EMPTY, (17,), None, size.fma_seconds, MP3_FORMATS[0], empty=True),
    ]
    for i in range(size.fma):
        genres, kind = CLIPS[i % len(CLIPS)]
        clips.append(
            FmaClip(
                number=2 + 3 * i + 500 * (i // 3),  # three to a folder or so
                genres=genres,
                music=_music(kind, deal, size.rubato),
                seconds=size.fma_seconds,
                form=MP3_FORMATS[i % len(MP3_FORMATS)],
                split=FMA_SPLITS[i % len(FMA_SPLITS)],
            )
        )
    yield from clips
    yield FmaTables(tuple(clips), GENRES)


def medleydb(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the recordings of MedleyDB, and one of Bach10, as it is handed round among them."""
    if not size.medleydb:
        return
    kinds: dict[str, str | Ensemble] = {
        "Bach10_AchGott": ("chorale", one_part_each(*bach10.PLAYERS)),
    }
    for i in range(size.medleydb):
        kind = MIXED[i % len(MIXED)]
        artist = f"{kind}Band" if isinstance(kind, str) else "ChamberPlayers"
        kinds[f"{''.join(filter(str.isalnum, artist))}_Piece{i + 1:02d}"] = kind
    for name, kind in kinds.items():
        music = _music(kind, deal, size.rubato)
        yield MedleyTrack(name, music, size.medleydb_seconds, size.stems)


def swd(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan two performances of each song of the Schubert Winterreise Dataset."""
    for i in range(size.swd):
        if i % 2 == 0:
            source = deal.draw_shared(LIEDER[0][0])
        _, players = LIEDER[i % len(LIEDER)]
        music = ScoredMusic(source, players, size.rubato)
        yield SwdSong(1 + i // 2, ("HU33", "SC06")[i % 2], music, size.swd_seconds)


def magnatagatune(size: WorldSize, deal: Deal) -> Iterator[Task]:
    """Plan the clips of MagnaTagATune, one of them empty."""
    if not size.magnatagatune:
        return
    seconds = size.magnatagatune_seconds
    yield MagnatuneClip(MAGNATUNE_EMPTY, None, seconds)
    for i in range(size.magnatagatune):
        # From the end on, so that small worlds have here what MedleyDB has not.
        kind = MIXED[-1 - i % len(MIXED)]
        name = f"{7 * i % 16:x}/players-pieces-{i + 1:02d}-piece-0-{round(seconds)}"
        yield MagnatuneClip(name, _music(kind, deal, size.rubato), seconds)


def _music(kind: str | Ensemble, deal: Deal, rubato: float) -> Music:
    """Choose a song for a band, or a piece for an ensemble."""
    if isinstance(kind, str):
        return SongMusic(kind)
    pool, players = kind
    return ScoredMusic(deal.draw_shared(pool), players, rubato)
