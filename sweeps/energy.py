"""Do energy and sparsity objectives keep added music from going blank, and at what precision?

The paper's rows +NS-16+EG, +MN-16+EG and +FMA-16+EG: on the added excerpts, salience is
to be where there is energy, and sparse. Besides, with MusicNet: either objective without the
other, both with weights times a factor (+EGx0.3), and less sparsity than energy.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import REFERENCE, added, energy, energy_and_sparsity, sparsity
from ssmpe.experiments.sweep import Row, row

SETS = ("MusicNet/train", "NSynth/train", "FMA/train")
RATIO = 2.0
FACTORS = (0.1, 0.3, 3.0)


def rows(base: TrialConfig) -> list[Row]:
    """Return the closed condition, all sets with and without EG, and variants with MusicNet."""
    table = [row(REFERENCE)]
    for name in SETS:
        more = added(base, name, RATIO)
        table += [row(more), row(more, energy_and_sparsity(base))]
    more = added(base, "MusicNet/train", RATIO)
    variants = [energy(base), sparsity(base)]
    variants += [energy_and_sparsity(base, factor) for factor in FACTORS]
    weaker = row(more, energy(base), sparsity(base, 0.3))
    return [*table, *(row(more, variant) for variant in variants), weaker]


SWEEP = sweep(
    rows,
    default_rows=("Ref.", "+MN-*"),
    scientific=("data.added", "objectives.weights"),
)
