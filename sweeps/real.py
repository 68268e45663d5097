"""Does real piano without labels help a network that has learnt real chorales, or blank it?

No sound is synthetic: six pieces of Bach10 are labelled, all sums of two to four of their parts;
what joins without labels are the Disklavier pieces of MAPS before close microphones, once and twice
as many excerpts as labelled ones, as they are and with remedies; the percussion is MDB Drums. Two
more pieces of Bach10 choose weights and thresholds. Tests choose nothing: the last two pieces, and
those pieces before MAPS's ambient microphones that the others have not. Give --data-root; rows of
released recordings (+classical) want --folder classical=DIR besides.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments import deltas
from ssmpe.experiments.deltas import AUG, REFERENCE, STOP_GRADIENT, TRUTH, added
from ssmpe.experiments.sweep import Delta, Row, row

PIANO, SONGS, RATIOS = "MAPS/ENSTDkCl", "classical/all", (1.0, 2.0)
REAL = {
    "data.labelled": "Bach10/01-06",
    "data.options.Bach10/submixes": True,
    "data.percussion": "MDBDrums/all",
    "data.validation": "Bach10/07-08",
    "data.evaluation": ["Bach10/09-10", "MAPS/ENSTDkAm-only"],
}


def rows(base: TrialConfig) -> list[Row]:
    """Return what is without added music, every count with every remedy, and the ceiling."""
    stop, teacher = STOP_GRADIENT, deltas.teacher(base)
    foot = [*deltas.WITHOUT_NETWORK, deltas.supervised_only(base), AUG, REFERENCE, stop, teacher]
    remedies = [(), (stop,), (teacher,), (TRUTH, deltas.rank(base)), (deltas.OWN_SIGNAL,)]
    remedies += [(TRUTH, deltas.signal(base)), (TRUTH, deltas.decomposed(base))]
    table: list[tuple[Delta, ...]] = [(delta,) for delta in foot]
    for name in (PIANO, SONGS):
        counts = [added(base, name, ratio) for ratio in RATIOS]
        table += [(count, *remedy) for count in counts for remedy in remedies]
    table.append((deltas.ceiling(base, PIANO, RATIOS[-1]),))
    return [row(Delta("", REAL), *changes) for changes in table]


SWEEP = sweep(
    rows,
    default_rows=(
        *("no network", "harmonic sum", "decomposition", "supervised", "+aug", "Ref.", "ceiling"),
        *("+MAPS-*[0-9]", "+MAPS-*+stop", "+MAPS-*+teacher", "+MAPS-*+rank", "+MAPS-*signal"),
    ),
    scientific=("data.added", "data.labelled_share", "model.network", "objectives"),
)
