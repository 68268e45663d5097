"""Pitch moves as the time-frequency plane is moved (paper section 2.3.1)."""

import torch

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, View
from ssmpe.objectives.invariance import consistency
from ssmpe.signal.transforms import GeometricTransform


def _transformed(batch: Batch, g: GeometryConfig, rng: torch.Generator) -> View:
    n, n_frames = batch.features.shape[0], batch.features.shape[-1]
    transform = GeometricTransform.draw(n, n_frames, g, rng, batch.strength)
    return View(transform(batch.features), transform)


GEOMETRIC = Objective("geometric", consistency, _transformed)
