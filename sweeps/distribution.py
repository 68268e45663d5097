"""Does output degenerate even when the unlabelled music is of the labelled kind?

The paper's rows T1, T1/T2 and T1/T2+EG: URMP's training pieces divided in two. 25 are labelled
(T1); the other 10 join without labels, 10 excerpts for 8 labelled ones (T1/T2); with energy and
sparsity objectives on these (+EG).
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import energy_and_sparsity
from ssmpe.experiments.sweep import Delta, Row, row

RATIO = 10 / 8


def rows(base: TrialConfig) -> list[Row]:
    """Return three rows; the first is what the others are compared with."""
    count = round(RATIO * base.data.labelled_excerpts)
    labelled = Delta("T1", {"data.labelled": "URMP/T1"})
    unlabelled = Delta("/T2", {"data.added": {"URMP/T2": count}})
    both = (labelled, unlabelled)
    return [row(labelled), row(*both), row(*both, energy_and_sparsity(base))]


SWEEP = sweep(
    rows,
    scientific=("data.labelled", "data.added", "objectives.weights"),
)
