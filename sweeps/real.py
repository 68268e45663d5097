"""Does real piano without labels help a network that has learnt real chorales, or blank it?

No sound is synthetic: six pieces of Bach10 are labelled, all sums of two to four of their parts;
what joins without labels are the Disklavier pieces of MAPS before close microphones, once and twice
as many excerpts as labelled ones, as they are and with remedies; the percussion is MDB Drums. Two
more pieces of Bach10 choose weights and thresholds. Tests choose nothing: the last two pieces, and
those pieces before MAPS's ambient microphones that the others have not.

Give --data-root; rows of released recordings (+classical) want --folder classical=DIR besides.
"""

from ssmpe.config import TrialConfig
from ssmpe.experiments.sweep import Delta, Row, row
from sweeps import deltas, sweep
from sweeps.deltas import REFERENCE, STOP_GRADIENT, added, supervised_only

REAL = Delta(
    "",
    {
        "data.labelled": "Bach10/01-06",
        "data.options.Bach10/submixes": True,
        "data.percussion": "MDBDrums/all",
        "data.validation": "Bach10/07-08",
        "data.evaluation": ["Bach10/09-10", "MAPS/ENSTDkAm-only"],
    },
)
RATIOS = (1.0, 2.0)


def rows(base: TrialConfig) -> list[Row]:
    """Return the supervised line, the closed condition and all counts, each with all remedies."""
    remedies = [STOP_GRADIENT, deltas.teacher(base)]
    table = [row(REAL, supervised_only(base)), row(REAL, REFERENCE)]
    table += [row(REAL, remedy) for remedy in remedies]
    for name in ("MAPS/ENSTDkCl", "classical/all"):
        for more in (added(base, name, ratio) for ratio in RATIOS):
            table += [row(REAL, more), *(row(REAL, more, remedy) for remedy in remedies)]
    return table


SWEEP = sweep(
    rows,
    default_rows=("supervised", "Ref.", "+stop", "+teacher", "+MAPS-*"),
    scientific=("data.added", "objectives"),
)
