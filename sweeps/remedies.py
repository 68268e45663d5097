"""Does unlabelled music help, and how far is the ceiling?

A ladder. At its foot stands what is known without a network; at its top, what the added tracks
would be worth with all their labels. Between them: labels alone, labels with views of the labelled
excerpts (+aug), the closed condition (Ref.), and twice as many MusicNet excerpts as labelled ones,
as published and with each remedy. "+truth" teaches views of labelled excerpts the annotation, and
"+rank" and "+signal" teach those of unlabelled ones pseudo-labels, of a moving average of the
network alone or together with the signal. --rows '*' climbs it with all else that was tried.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments import deltas
from ssmpe.experiments.deltas import FROZEN, REFERENCE, STOP_GRADIENT, TRUTH
from ssmpe.experiments.sweep import Delta, Row, row

UNLABELLED, RATIO = "MusicNet/train", 2.0


def rows(base: TrialConfig) -> list[Row]:
    """Return the ladder from its foot to its top."""
    more, alone = deltas.added(base, UNLABELLED, RATIO), deltas.supervised_only(base)
    signal = (more, TRUTH, deltas.signal(base))
    table: list[tuple[Delta, ...]] = [(foot,) for foot in deltas.WITHOUT_NETWORK]
    table += [(alone,), (deltas.AUG,), (REFERENCE,), (more,), (more, STOP_GRADIENT)]
    table += [(more, deltas.teacher(base)), (more, TRUTH, deltas.rank(base)), signal]
    table += [(more, *way) for way in deltas.tried(base)]
    table += [(*signal, way) for way in deltas.variants(base)]
    table.append((alone, more, deltas.vat(base)))
    later, reference = deltas.going_on(base, "-on"), row(REFERENCE)
    ways = [(REFERENCE,), signal, (more, FROZEN), (more, TRUTH, FROZEN), (*signal, FROZEN)]
    continued = [row(*way, later, continues=reference) for way in ways]
    top = row(deltas.ceiling(base, UNLABELLED, RATIO))
    return [*(row(*changes) for changes in table), *continued, top]


SWEEP = sweep(
    rows,
    default_rows=(
        *("no network", "harmonic sum", "decomposition", "supervised", "+aug", "Ref."),
        *("+MN-*[0-9]", "+MN-*[0-9]+stop", "+MN-*[0-9]+teacher", "+MN-*+truth+rank"),
        *("+MN-*+truth+signal", "ceiling"),
    ),
    scientific=(
        *("data.added", "data.labelled_share", "model.network", "objectives"),
        *("training.n_batches", "training.parent"),
    ),
)
