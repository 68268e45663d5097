"""Which network comes with the package?

Its labels are the embedded world's alone: chamber music, guitar, single notes. Views of all that
are taught the truth: in another timbre, with drums, shifted and stretched; and, by "+views", in
rooms and with harmonics missing. By "+EMA" a moving average of the weights is scored and kept. In
further rows free music (--folder free=DIR) joins without labels, and is taught pseudo-labels. Give
--preset compact for the one that is shipped.
"""

from ssmpe.cli import sweep
from ssmpe.config import TrialConfig
from ssmpe.experiments import deltas
from ssmpe.experiments.deltas import SCORED, TRUTH, added, teacher, with_labels
from ssmpe.experiments.sweep import Delta, Row, row

LABELLED = {"GuitarSet/00-04": 0.25, "NSynth/train": 0.125}
"""Further labelled sets -> their share of the labelled excerpts"""
FREE, RATIO = "free/all", 0.5
VIEWS = ("reverberation", "feature_dropout")


def labels(base: TrialConfig) -> Delta:
    """Share the labelled excerpts out among all sets with labels: "labels"."""
    n = base.data.labelled_excerpts
    counts = {name: max(1, round(share * n)) for name, share in LABELLED.items()}
    changes = {**TRUTH.changes, "data.labelled_excerpts": n - sum(counts.values())}
    for name, count in counts.items():
        changes |= {f"data.added.{name}": count, **with_labels(name, 1.0).changes}
    return Delta("labels", changes)


def rows(base: TrialConfig) -> list[Row]:
    """Return labels alone, with more views, with an average of the weights, with free music."""
    views = Delta("+views", {f"objectives.weights.{name}": 1.0 for name in VIEWS})
    average = Delta("+EMA", {**teacher(base).changes, **SCORED.changes})
    known, free = labels(base), added(base, FREE, RATIO)
    table = [(known,), (known, views), (known, views, average)]
    table += [(known, views, average, free, how(base)) for how in (deltas.rank, deltas.signal)]
    return [row(*changes) for changes in table]


SWEEP = sweep(
    rows,
    default_rows=("labels+views+EMA",),
    scientific=("data.added", "data.labelled_share", "data.labelled_excerpts", "objectives"),
)
