"""Smallest embedded world that has everything, rendered once for all tests of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from ssmpe.units import hz_to_midi
from ssmpe.world.build import build_world
from ssmpe.world.sizes import WorldSize
from tests.support.shared import once

NOTHING = WorldSize(
    urmp=0,
    bach10=0,
    musicnet_train=0,
    musicnet_test=0,
    guitarset=0,
    guitarset_others=0,
    nsynth_train=0,
    nsynth_valid=0,
    nsynth_test=0,
    drum_loops=0,
    su=0,
    trios=0,
    maestro_train=0,
    maestro_validation=0,
    maestro_test=0,
    fma=0,
    medleydb=0,
    swd=0,
    magnatagatune=0,
)
SMALLEST = replace(NOTHING, nsynth_train=2, nsynth_valid=1, drum_loops=1, drum_seconds=2.0)
MICRO = replace(
    NOTHING,
    urmp=3,
    urmp_seconds=6.0,
    bach10=1,
    bach10_seconds=6.0,
    musicnet_train=2,
    musicnet_train_seconds=6.0,
    musicnet_test=1,
    musicnet_test_seconds=6.0,
    guitarset=2,
    guitarset_seconds=6.0,
    nsynth_train=4,
    nsynth_valid=3,
    nsynth_test=2,
    drum_loops=8,
    drum_seconds=2.0,
    su=3,
    su_seconds=6.0,
    trios=5,
    trios_seconds=6.0,
    maestro_train=1,
    maestro_validation=2,
    maestro_test=1,
    maestro_seconds=6.0,
    maestro_long_seconds=9.0,
    fma=4,
    fma_seconds=4.0,
    medleydb=2,
    medleydb_seconds=4.0,
    swd=2,
    swd_seconds=5.0,
    magnatagatune=2,
    magnatagatune_seconds=4.0,
)


def micro_world(factory: pytest.TempPathFactory) -> Path:
    """Render the world of size ``MICRO`` once."""
    made = once(factory, "micro", lambda folder: build_world(folder / "world", MICRO, jobs=2))
    return made / "world"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def stems_of(world):
    """Yield each stem with F0 labels: path, times (T,) in s, MIDI pitches (T,), 0 for none."""
    for path in sorted(world.glob("URMP/*/AuSep_*.wav")):
        f0s = np.loadtxt(path.with_name(path.name.replace("AuSep", "F0s")).with_suffix(".txt"))
        f0 = f0s[:, 1]
        yield path, f0s[:, 0], np.where(f0 > 0, hz_to_midi(np.maximum(f0, 1)), 0)
    for path in sorted(world.glob("Bach10/*/*-GTF0s.mat")):
        midi = loadmat(path)["GTF0s"]
        for row, name in zip(midi, ("violin", "clarinet", "saxphone", "bassoon"), strict=True):
            stem = path.with_name(path.name.replace("GTF0s.mat", f"{name}.wav"))
            yield stem, 0.023 + 0.010 * np.arange(len(row)), row
