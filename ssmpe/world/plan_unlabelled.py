"""The unlabelled sets, the single notes and the drums: which piece is played by whom."""

from collections.abc import Iterator

import numpy as np

from ssmpe.seeding import numpy_generator
from ssmpe.world.casting import DRUM_KITS, NSYNTH_KINDS, NSYNTH_VELOCITIES
from ssmpe.world.drums import PATTERNS
from ssmpe.world.instruments import INSTRUMENTS
from ssmpe.world.sizes import WorldSize
from ssmpe.world.task import Task
from ssmpe.world.writers.egmd import DrumIndex, DrumLoop
from ssmpe.world.writers.nsynth import NSynthNote, NSynthSplit


def nsynth(size: WorldSize) -> Iterator[Task]:
    """NSynth's splits."""
    first = 0
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
            notes.setdefault(note.name, note)
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
    """E-GMD's recordings and their table."""
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
