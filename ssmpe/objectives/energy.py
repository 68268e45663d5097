"""Content where there is energy, and little of it elsewhere (paper section 2.3.2)."""

from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, Outputs, bce, bce_negative, bce_positive
from ssmpe.signal.features import energy_estimate, first_harmonic


def _energy(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return bce(out.logits[out.rows], energy_estimate(batch.features[out.rows], g.harmonics))


def _sparsity(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return out.salience[out.rows].sum(dim=-2)


def _support(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    return bce_negative(out.logits[out.rows], first_harmonic(batch.features[out.rows], g))


def _harmonic(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    estimate = energy_estimate(batch.features[out.rows], g.harmonics)
    return bce_positive(out.logits[out.rows], estimate)


ENERGY = Objective("energy", _energy, on_content=True)
SPARSITY = Objective("sparsity", _sparsity, on_content=True)
SUPPORT = Objective("support", _support, on_content=True)
HARMONIC = Objective("harmonic", _harmonic, on_content=True)
