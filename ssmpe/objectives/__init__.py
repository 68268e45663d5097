"""Objectives in modules named after the property they enforce, and their registry.

The total loss is the sum of ``weight * objective`` over the configured weights. All losses are
summed over frequency, which leaves one number per frame, and averaged over time and excerpts
(paper section 2.3).
"""

from ssmpe.config import OBJECTIVES
from ssmpe.objectives.additivity import ADDITIVITY
from ssmpe.objectives.adversarial import ADVERSARIAL
from ssmpe.objectives.base import Batch, Objective, Outputs, View
from ssmpe.objectives.categorical import (
    CATEGORICAL,
    CATEGORICAL_INVARIANCE,
    SHIFT_CROSS_ENTROPY,
    TRANSPOSITION,
)
from ssmpe.objectives.content import CONTENT, CONTRASTIVE, ENTROPY
from ssmpe.objectives.energy import ENERGY, HARMONIC, SPARSITY, SUPPORT
from ssmpe.objectives.equivariance import GEOMETRIC
from ssmpe.objectives.invariance import FEATURE_DROPOUT, PERCUSSION, TIMBRE
from ssmpe.objectives.supervised import SUPERVISED
from ssmpe.objectives.total import Step, TotalLoss

REGISTRY: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        SUPERVISED,
        TIMBRE,
        PERCUSSION,
        GEOMETRIC,
        ENERGY,
        SPARSITY,
        SUPPORT,
        HARMONIC,
        ENTROPY,
        CONTENT,
        CONTRASTIVE,
        ADDITIVITY,
        FEATURE_DROPOUT,
        CATEGORICAL,
        CATEGORICAL_INVARIANCE,
        SHIFT_CROSS_ENTROPY,
        TRANSPOSITION,
        ADVERSARIAL,
    )
}
assert tuple(REGISTRY) == OBJECTIVES

__all__ = ["REGISTRY", "Batch", "Objective", "Outputs", "Step", "TotalLoss", "View"]
