"""Does more, or more varied, labelled data keep added unlabelled music from going blank?

Open question 1 of the paper. Every row but Ref. has the unlabelled data of +MN-16; what differs is
which tracks are labelled: how many of URMP, of one family of instruments or of several, of URMP
alone or of other datasets, too, at as many labelled excerpts in a batch; and, semi-supervised, a
share of the added tracks themselves (scored on MusicNet/test, of which no track is trained on).
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import (
    REFERENCE,
    added,
    fewer_tracks,
    labelled_too,
    of_family,
    with_labels,
)
from ssmpe.experiments.sweep import Delta, Row, row

UNLABELLED, RATIO = "MusicNet/train", 2.0
TRACKS = (2, 5, 10, 20)
FAMILIES = ("strings", "winds", "brass", "mixed")
FEW = 5
"""Number of pieces that there are of each family."""
DATASETS = ("GuitarSet/00-04", "MAESTRO/train")
SHARES = (0.05, 0.2, 1.0)


def rows(base: TrialConfig) -> list[Row]:
    """Return rows with all labels of URMP, with fewer, with others, and with added ones."""
    unlabelled = added(base, UNLABELLED, RATIO)
    labels: list[Delta] = [fewer_tracks(base, count) for count in TRACKS]
    labels += [of_family(base, family, FEW) for family in FAMILIES]
    labels += [labelled_too(base, *DATASETS[: n + 1]) for n in range(len(DATASETS))]
    shares = [row(unlabelled, with_labels(UNLABELLED, share)) for share in SHARES]
    table = [row(unlabelled), *(row(delta, unlabelled) for delta in labels), *shares]
    return [row(REFERENCE), *table, *map(row, labels)]


SWEEP = sweep(
    rows,
    default_rows=("Ref.", "+MN-*", "URMP*+MN-*", "*[05]-tracks+MN-*", "5-[sm]*+MN-*"),
    scientific=("data.labelled", "data.labelled_share", "data.added", "data.max_tracks"),
)
