"""Does unlabelled music help, and how far is the ceiling?

A ladder. At its foot stands what is known without a network; at its top, what the added tracks
would be worth with all their labels. Between them: labels alone, labels with views of the labelled
excerpts (+aug), the closed condition (Ref.), and twice as many MusicNet excerpts as labelled ones,
as published and with each remedy. "+truth" teaches views of labelled excerpts the annotation, and
"+rank" and "+signal" teach those of unlabelled ones pseudo-labels, of a moving average of the
network alone or together with the signal.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments import deltas
from ssmpe.experiments.deltas import REFERENCE, STOP_GRADIENT, TRUTH
from ssmpe.experiments.sweep import Row, row

UNLABELLED, RATIO = "MusicNet/train", 2.0


def rows(base: TrialConfig) -> list[Row]:
    """Return the ladder from its foot to its top."""
    more = deltas.added(base, UNLABELLED, RATIO)
    foot = [deltas.NO_NETWORK, deltas.HARMONIC_SUM, deltas.supervised_only(base), deltas.AUG]
    return [
        *map(row, foot),
        row(REFERENCE),
        row(more),
        row(more, STOP_GRADIENT),
        row(more, deltas.teacher(base)),
        row(more, TRUTH, deltas.rank(base)),
        row(more, TRUTH, deltas.signal(base)),
        row(deltas.ceiling(base, UNLABELLED, RATIO)),
    ]


SWEEP = sweep(
    rows,
    scientific=("data.added", "data.labelled_share", "model.network", "objectives"),
)
