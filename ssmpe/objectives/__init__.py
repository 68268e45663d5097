"""Objectives in modules named after the property they enforce, and their registry.

The total loss is the sum of ``weight * objective`` over the configured weights. All losses are
summed over frequency, which leaves one number per frame, and averaged over time and excerpts
(paper section 2.3).
"""

from ssmpe.objectives.base import Batch, Objective, Outputs, View, bce
from ssmpe.objectives.registry import REGISTRY, objective
from ssmpe.objectives.total import Step, TotalLoss

__all__ = [
    "REGISTRY",
    "Batch",
    "Objective",
    "Outputs",
    "Step",
    "TotalLoss",
    "View",
    "bce",
    "objective",
]
