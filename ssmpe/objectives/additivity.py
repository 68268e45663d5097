"""The pitches of a mixture are those of its parts."""

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, View
from ssmpe.objectives.invariance import consistency


def union(salience: Tensor) -> Tensor:
    """Return the salience (B, F, T) of every excerpt mixed with the next, from that of each.

    The larger of the two, as in the published program. A bin of the mixture is active if it is in
    either part: where outputs are sure, maximum, clipped sum and 1 - (1 - a)(1 - b) are one and
    the same, and a pitch that both parts have stays one peak of the same width. Where they are
    not, the other two ask the mixture for more than is claimed of either part (0.3 and 0.3 would
    pass the threshold as 0.6 or 0.51), and so for false alarms; the maximum never does.
    """
    return torch.maximum(salience, salience.roll(-1, 0))


def _mixed(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    assert batch.mixture is not None
    return View(batch.mixture, union)


ADDITIVITY = Objective("additivity", consistency, _mixed, needs=("mixture",))
"""BCE(F(HCQT(x_i + x_j)), max(Y_i, Y_j)), j = i + 1 around the batch. An output that is blank
throughout is a minimum; but where a labelled excerpt is mixed with an unlabelled one, its pitches
must be found among sounds of the other kind."""
