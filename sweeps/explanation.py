"""Why does added unlabelled music empty the output: does the target move, or is entropy minimised?

A view's output q is compared with its target Y by BCE(Y, q) = H(Y) + KL(Y || q). Through Y, its
gradient asks for less wherever q is below one half. Is that the target that comes to the view, or
its entropy that falls? +MN as published, without the entropy (+KL), by the squared error, which has
none (+MSE), without gradient through Y (+stop), and with that of the entropy alone (+stop+H).

From the start, where the output is blank, and going on from Ref., which is alive (-on). Run it with
--diagnostics 10 to see the pulls on saliences below and above one half.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import KL, REFERENCE, STOP_GRADIENT, STOP_H, added, going_on, mse
from ssmpe.experiments.sweep import Delta, Row, row

RATIO = 2.0


def rows(base: TrialConfig) -> list[Row]:
    """Return Ref. and +MN, compared in every way; from the start, and going on from Ref."""
    more, later = added(base, "MusicNet/train", RATIO), going_on(base, "-on")
    ways: list[tuple[Delta, ...]] = [(REFERENCE,), (more,)]
    ways += [(more, way) for way in (KL, mse(base), STOP_GRADIENT, STOP_H)]
    table = [row(*deltas) for deltas in ways]
    return [*table, *(row(*deltas, later, continues=table[0]) for deltas in ways)]


SWEEP = sweep(
    rows,
    scientific=(
        *("data.added", "objectives.consistency", "objectives.stop_gradient"),
        *("objectives.weights", "training.parent", "training.n_batches"),
    ),
)
