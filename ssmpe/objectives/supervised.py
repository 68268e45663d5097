"""Agreement with annotations, on labelled excerpts alone (paper section 2.3)."""

from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, Outputs, bce


def _loss(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return bce(out.logits[: batch.n_labelled], batch.target)


SUPERVISED = Objective("supervised", _loss)
