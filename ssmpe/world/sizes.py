"""How large the embedded worlds are."""

from dataclasses import dataclass

from ssmpe.world.studio import WavFormat

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
