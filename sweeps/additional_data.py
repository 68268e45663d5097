"""Does joint training with unlabelled music of another kind help the network, or blank it?

Paper section 4.1, the rows +NS-16, +MN-16 and +FMA-16: twice as many unlabelled excerpts as
labelled ones join every batch, of single notes, of chamber music and piano, or of anything. Other
sets of the kind, and the user's own, are rows or a ``--set data.added.NAME/all=N`` away.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import REFERENCE, SHORT_NAMES, added
from ssmpe.experiments.sweep import Row, row

RATIO = 2.0


def rows(base: TrialConfig) -> list[Row]:
    """Return the closed condition, and every unlabelled set."""
    return [row(REFERENCE), *(row(added(base, name, RATIO)) for name in SHORT_NAMES)]


SWEEP = sweep(
    rows,
    default_rows=("Ref.", "+NS-*", "+MN-*", "+FMA-*"),
    scientific=("data.added",),
)
