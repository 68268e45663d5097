"""Does the output on unlabelled data degenerate to blank, the more of it is added to a batch?

Paper section 4.1, the rows +MN-2 to +MN-16 (likewise NSynth and FMA): excerpts without labels,
seen by the self-supervised objectives alone, join the labelled ones in every batch. Counts keep
the paper's ratios to the labelled excerpts: a quarter, a half, one and two times as many. Below all
of it lies what the input tells without a network.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import DECOMPOSITION, NO_NETWORK, REFERENCE, added, supervised_only
from ssmpe.experiments.sweep import Row, row

SETS = ("MusicNet/train", "NSynth/train", "FMA/train")
RATIOS = (0.25, 0.5, 1.0, 2.0)


def rows(base: TrialConfig) -> list[Row]:
    """Return the signal's lines, the supervised one, the closed condition, every set and count."""
    counts = [row(added(base, name, ratio)) for name in SETS for ratio in RATIOS]
    signal = row(NO_NETWORK), row(DECOMPOSITION)
    return [*signal, row(supervised_only(base)), row(REFERENCE), *counts]


SWEEP = sweep(
    rows,
    default_rows=("no network", "decomposition", "supervised", "Ref.", "+MN-*"),
    scientific=("data.added", "model.network", "objectives.weights"),
)
