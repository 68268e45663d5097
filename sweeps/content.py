"""What keeps the output on unlabelled music alive without false alarms?

The paper's second open question. Remedies, each with twice as many MusicNet excerpts as labelled
ones: targets without gradient (+stop) or from a moving average of the network (+teacher), further
objectives, energy objectives that fade (+EGx0.3fade), and as many labelled as added excerpts. Rows
without +MN are the remedies alone: what they cost where nothing is added.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import CONTENT_EVERYWHERE, NO_NETWORK, REFERENCE, added, remedies
from ssmpe.experiments.sweep import Row, row

RATIO = 2.0


def rows(base: TrialConfig) -> list[Row]:
    """Return what is without remedies, +MN with every remedy, and every remedy alone."""
    on_all, on_content = remedies(base, RATIO)
    more = added(base, "MusicNet/train", RATIO)
    table = [row(NO_NETWORK), row(REFERENCE), row(more)]
    table += [row(more, remedy) for remedy in (*on_all, *on_content)]
    alone = [row(remedy, CONTENT_EVERYWHERE) for remedy in on_content]
    return [*table, *(row(remedy) for remedy in on_all), *alone]


SWEEP = sweep(
    rows,
    default_rows=("no network", "Ref.", "+MN-*"),
    scientific=("data.added", "data.labelled_excerpts", "model.network", "objectives"),
)
