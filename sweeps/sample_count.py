"""Does the output on unlabelled data degenerate to blank, the more of it is added to a batch?

Paper section 4.1, the rows +MN-2 to +MN-16 (likewise NSynth and FMA): excerpts without labels,
seen by the self-supervised objectives alone, join the labelled ones in every batch. Counts keep
the paper's ratios to the labelled excerpts: a quarter, a half, one and two times as many.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import REFERENCE, added, supervised_only
from ssmpe.experiments.sweep import Row, row

SETS = ("MusicNet/train", "NSynth/train", "FMA/train")
RATIOS = (0.25, 0.5, 1.0, 2.0)


def rows(base: TrialConfig) -> list[Row]:
    """Return the supervised line, the closed condition, and every set at every count."""
    counts = [row(added(base, name, ratio)) for name in SETS for ratio in RATIOS]
    return [row(supervised_only(base)), row(REFERENCE), *counts]


SWEEP = sweep(
    rows,
    default_rows=("supervised", "Ref.", "+MN-*"),
    scientific=("data.added", "objectives.weights"),
)
