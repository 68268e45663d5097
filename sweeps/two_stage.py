"""Does a network that has learnt the labelled music keep it when unlabelled music joins later?

The paper's rows +MN-16-FT and +FMA-16-FT: training in two stages. The best checkpoint of Ref. is
continued with added excerpts, at a fifth of the learning rate. Compared with adding them from the
start (+MN-16), and with continuing Ref. for as long with nothing added (Ref.-FT).

What the rows continue is taken from the tracking store if it has it, and else trained first.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import REFERENCE, added, fine_tuning
from ssmpe.experiments.sweep import Row, row

SETS = ("MusicNet/train", "FMA/train")
RATIO = 2.0


def rows(base: TrialConfig) -> list[Row]:
    """Return Ref. and its continuation; every set from the start, and joining later."""
    reference, later = row(REFERENCE), fine_tuning(base)
    table = [reference, row(REFERENCE, later, continues=reference)]
    for name in SETS:
        more = added(base, name, RATIO)
        table += [row(more), row(more, later, continues=reference)]
    return table


SWEEP = sweep(
    rows,
    scientific=("data.added", "training.parent", "training.learning_rate"),
)
