"""Can a network come back whose output on unlabelled music has gone blank?

+MN, which has collapsed, is continued at the same learning rate (-regen): with nothing added, as it
was, with every remedy of ``content.py``, without the entropy of its targets (+KL), and with the
adversarial objective by which the paper's authors tried (+adversarial); they had it with labels and
contrastive objective alone (supervised+...). What returns, and how fast: the level of the output
(blank rate at one half), or the content as well (average precision)?
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import (
    KL,
    REFERENCE,
    added,
    adversarial,
    going_on,
    objective,
    remedies,
    supervised_only,
)
from ssmpe.experiments.sweep import Row, row

RATIO = 2.0


def rows(base: TrialConfig) -> list[Row]:
    """Return Ref., the collapsed parent, and what continues it."""
    parent = row(added(base, "MusicNet/train", RATIO))
    on_all, on_content = remedies(base, RATIO)
    later = going_on(base, "-regen")
    ways = [(REFERENCE,), parent.deltas]
    ways += [(*parent.deltas, way) for way in (*on_all, *on_content, KL, adversarial(base))]
    recipe = objective(base, "contrastive"), adversarial(base)
    ways.append((supervised_only(base), *parent.deltas, *recipe))
    table = [row(*deltas, later, continues=parent) for deltas in ways]
    return [row(REFERENCE), parent, *table]


SWEEP = sweep(
    rows,
    scientific=(
        *("data.added", "data.labelled_excerpts", "objectives"),
        *("training.parent", "training.n_batches"),
    ),
)
