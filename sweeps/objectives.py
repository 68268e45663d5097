"""What does each self-supervised objective bring under closed conditions, alone and with others?

Paper section 3.3: the supervised objective alone, with each of timbre, percussion (invariance) and
geometric (equivariance), with each pair of them, and with all three (Ref.). Nothing is added.
"""

from itertools import combinations

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import REFERENCE, SELF_SUPERVISED, supervised_only, with_objective
from ssmpe.experiments.sweep import Row, row


def rows(base: TrialConfig) -> list[Row]:
    """Return eight rows: every subset of the three objectives, named after what is in it."""
    alone = supervised_only(base)
    table = [row(alone)]
    for count in (1, 2):
        for names in combinations(SELF_SUPERVISED, count):
            deltas = [with_objective(base, name) for name in names]
            table.append(Row(row(*deltas).name, (alone, *deltas)))
    return [*table, row(REFERENCE)]


SWEEP = sweep(
    rows,
    scientific=("objectives.weights",),
)
