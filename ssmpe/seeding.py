"""Random generators seeded by what they are for, never by the order in which they are made."""

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_of(*identity: object) -> int:
    """Make a 63-bit seed that depends on the given identity alone.

    Args:
        identity: JSON-representable parts, for example ``("excerpts", seed, batch, "MusicNet")``.
    """
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(*identity: object) -> np.random.Generator:
    """Make a NumPy generator of this identity."""
    return np.random.default_rng(seed_of(*identity))


def torch_generator(*identity: object) -> "torch.Generator":
    """Make a Torch generator of this identity, on the CPU."""
    import torch  # a second and a half, which processes that only render can do without

    return torch.Generator().manual_seed(seed_of(*identity))
