"""What keeps the output on unlabelled music alive without false alarms?

The paper's second open question. Remedies, each with twice as many MusicNet excerpts as labelled
ones: targets without gradient (+stop) or from a moving average of the network (+teacher), further
objectives, energy objectives that fade (+EGx0.3fade), and as many labelled as added excerpts. Rows
without +MN are the remedies alone: what they cost where nothing is added.
"""

from ssmpe.config import TrialConfig
from ssmpe.experiments.sweep import Delta, Row, row
from sweeps import deltas, sweep
from sweeps.deltas import (
    CONTENT_EVERYWHERE,
    NO_NETWORK,
    REFERENCE,
    STOP_GRADIENT,
    added,
    objective,
)

RATIO = 2.0
ON_ALL = ("additivity", "feature_dropout")
ON_CONTENT = ("content", "contrastive", "entropy")


def remedies(base: TrialConfig) -> tuple[list[Delta], list[Delta]]:
    """Return those that see all excerpts, and those on content, which see the added ones."""
    on_all = [STOP_GRADIENT, deltas.teacher(base), deltas.labelled_excerpts(base, RATIO)]
    on_all += [objective(base, name) for name in ON_ALL]
    return on_all, [*(objective(base, name) for name in ON_CONTENT), deltas.fading_energy(base)]


def rows(base: TrialConfig) -> list[Row]:
    """Return what is without remedies, +MN with every remedy, and every remedy alone."""
    on_all, on_content = remedies(base)
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
