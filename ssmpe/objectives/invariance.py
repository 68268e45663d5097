"""Pitch stays as it is when timbre changes, drums join in, or some of the features are missing.

The first two are of the paper (section 2.3.1).
"""

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, Outputs, View, bce
from ssmpe.signal.transforms import dropped_harmonics, random_equalization


def consistency(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    """Return the BCE between the output for the view and the original's, transformed alike."""
    assert out.view is not None
    assert out.view_logits is not None
    return bce(out.view_logits, out.view.transform(out.targets))


def _same(salience: Tensor) -> Tensor:
    return salience


def _equalized(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    return View(random_equalization(batch.features, g, rng), _same)


def _percussive(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    assert batch.percussive is not None
    return View(batch.percussive, _same)


def _dropped(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    return View(dropped_harmonics(batch.features, rng), _same)


TIMBRE = Objective("timbre", consistency, _equalized)
PERCUSSION = Objective("percussion", consistency, _percussive, needs=("percussive",))
FEATURE_DROPOUT = Objective("feature_dropout", consistency, _dropped)
"""Objective that is off in the paper; blank output is a minimum, as it is of the others."""
