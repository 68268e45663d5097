"""Where lies the border of the collapse between self-supervised weights and added excerpts?

The weights of timbre, percussion and geometric times a common factor (rows SSx0.3; 1 is that of
the preset), against the number of MusicNet excerpts added to a batch: none, and a half to twice as
many as labelled ones.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import added, self_supervised_scaled
from ssmpe.experiments.sweep import Row, row

FACTORS = (0.1, 0.3, 1.0, 2.0)
RATIOS = (0.5, 1.0, 2.0)


def rows(base: TrialConfig) -> list[Row]:
    """Return every factor in the closed condition and with every count."""
    counts = [added(base, "MusicNet/train", ratio) for ratio in RATIOS]
    table = []
    for factor in FACTORS:
        scaled = self_supervised_scaled(base, factor)
        # with the preset's own weights, rows are named as in other sweeps: Ref., +MN-16
        first = () if factor == 1 else (scaled,)
        table.append(row(scaled))
        table += [row(*first, count) for count in counts]
    return table


SWEEP = sweep(
    rows,
    scientific=("data.added", "objectives.weights"),
)
