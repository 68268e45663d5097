"""Sizes of the embedded worlds."""

from dataclasses import asdict, dataclass
from typing import Any

from ssmpe.world.sound.studio import AudioFormat

STEMS = AudioFormat(rate=11025)


@dataclass(frozen=True)
class WorldSize:
    """Amount of everything in a world; lengths are in seconds.

    Attributes:
        urmp: number of pieces, from piece 01 on.
        guitarset: tracks of player 05; two more players have ``guitarset_others`` each.
        su, trios: number of pieces, in the order of ``casting.SU_PIECES``, ``TRIOS_PIECES``.
        maestro_validation: tracks of this split, the first of which lasts ``maestro_long_seconds``.
        fma: clips that sound; a missing and an empty one are added to them.
        medleydb: tracks, besides one that a loader is to leave out.
        maps: pieces of each set of microphones, of which they share the first.
        stems: format of the stems, which no loader reads.
        rubato: standard deviation of the tempo within a movement, relative to its mean.
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
    nsynth_test: int = 12
    drum_loops: int = 16
    drum_seconds: float = 8.0
    su: int = 10
    su_seconds: float = 10.0
    trios: int = 5
    trios_seconds: float = 10.0
    maestro_train: int = 2
    maestro_validation: int = 10
    maestro_test: int = 2
    maestro_seconds: float = 10.0
    maestro_long_seconds: float = 35.0
    fma: int = 12
    fma_seconds: float = 10.0
    medleydb: int = 3
    medleydb_seconds: float = 10.0
    swd: int = 3
    swd_seconds: float = 10.0
    magnatagatune: int = 6
    magnatagatune_seconds: float = 10.0
    stems: AudioFormat = STEMS
    rubato: float = 0.0
    maps: int = 0
    maps_seconds: float = 10.0

    def origin(self) -> dict[str, Any]:
        """Return the fields that tell worlds apart.

        What joined later is left out of a world that has nothing of it: that world and its name
        are the same as before.
        """
        fields = asdict(self)
        if not self.maps:
            del fields["maps"], fields["maps_seconds"]
        return fields


# About the size of the real URMP and, of the evaluation sets, of real recordings.
FULL = WorldSize(
    urmp_seconds=115.0,
    bach10_seconds=33.0,
    musicnet_train=60,
    musicnet_train_seconds=90.0,
    musicnet_test_seconds=60.0,
    guitarset=60,
    guitarset_others=10,
    guitarset_seconds=20.0,
    nsynth_train=1200,
    nsynth_valid=240,
    nsynth_test=60,
    drum_loops=120,
    drum_seconds=20.0,
    su_seconds=30.0,
    trios_seconds=60.0,
    maestro_seconds=40.0,
    maestro_long_seconds=90.0,
    fma=60,
    fma_seconds=30.0,
    medleydb=8,
    medleydb_seconds=60.0,
    swd=8,
    swd_seconds=60.0,
    magnatagatune=30,
    magnatagatune_seconds=29.0,
    rubato=0.06,
)

SIZES = {"tiny": WorldSize(), "full": FULL, "tiny-maps": WorldSize(maps=6)}
"""Sizes by name; "tiny-maps" is "tiny" and real piano's stand-in besides"""
