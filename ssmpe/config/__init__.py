"""What defines a trial: frozen, validated on construction, identified by a stable hash.

Everything here is scientific (it can change a result). Paths, devices, addresses and numbers of
workers are not, and live with the code that uses them. Default values are the paper's.
"""

from ssmpe.config.data import DataConfig
from ssmpe.config.geometry import GeometryConfig
from ssmpe.config.model import ModelConfig
from ssmpe.config.objectives import OBJECTIVES, ObjectivesConfig
from ssmpe.config.training import TrainingConfig
from ssmpe.config.trial import LATER, OPEN, TrialConfig

__all__ = [
    "LATER",
    "OBJECTIVES",
    "OPEN",
    "DataConfig",
    "GeometryConfig",
    "ModelConfig",
    "ObjectivesConfig",
    "TrainingConfig",
    "TrialConfig",
]
