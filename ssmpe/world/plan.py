"""Contents of the embedded world."""

from ssmpe.world import labelled, unlabelled
from ssmpe.world.music.pieces import Deal
from ssmpe.world.sizes import WorldSize
from ssmpe.world.workers import Task


def plan(size: WorldSize) -> list[Task]:
    """Plan all tasks of a world of this size.

    Pieces of the corpus are dealt out in this order. A set that joins them has to come last, so
    that the others keep their pieces.
    """
    deal = Deal()
    return [
        *labelled.urmp(size, deal),
        *labelled.musicnet(size, deal),
        *labelled.bach10(size, deal),
        *labelled.guitarset(size, deal),
        *unlabelled.nsynth(size),
        *unlabelled.egmd(size),
        *labelled.su(size, deal),
        *labelled.trios(size, deal),
        *labelled.maestro(size, deal),
        *unlabelled.fma(size, deal),
        *unlabelled.medleydb(size, deal),
        *unlabelled.swd(size, deal),
        *unlabelled.magnatagatune(size, deal),
        *labelled.maps(size, deal),
    ]
