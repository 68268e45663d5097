"""Do the categorical, transposition-equivariant objectives of monophonic methods carry over?

The paper's third open question. Per frame of the polyphonic output, in PESTO's manner: cross-
entropy with the labels (+categorical), and its three self-supervised terms (invariance to timbre,
shift cross-entropy, equivariant transposition; +PESTO), beside the paper's objectives or instead
of them (PESTO), under closed conditions and with twice as many MusicNet excerpts as labelled ones.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import REFERENCE, added, categorical, pesto, supervised_only
from ssmpe.experiments.sweep import Row, row

RATIO = 2.0


def rows(base: TrialConfig) -> list[Row]:
    """Return supervised alone, and the rest with and without MusicNet."""
    more, alone, monophonic = (
        added(base, "MusicNet/train", RATIO),
        supervised_only(base),
        pesto(base),
    )
    table = [row(alone), row(REFERENCE), row(more)]
    for delta in (categorical(base), monophonic):
        table += [row(delta), row(more, delta)]
    instead = (alone, monophonic)
    return [*table, Row("PESTO", instead), Row(f"PESTO{more.name}", (*instead, more))]


SWEEP = sweep(
    rows,
    scientific=("data.added", "objectives.weights"),
)
