"""Weights of the published program, renamed and turned to this project's memory layout."""

import re
from collections.abc import Mapping

import numpy as np
import torch

_LEVEL = r"(encoder|decoder)\.blocks\.(\d)\."
_RENAMES = (
    (r"encoder\.convin\.0\.", "encoder.input."),
    (r"encoder\.convin\.1\.", "encoder.input_norm."),
    (r"encoder\.convlat\.0\.", "encoder.latent."),
    (r"encoder\.convlat\.1\.", "encoder.latent_norm."),
    (r"decoder\.convin\.0\.", "decoder.input."),
    (r"decoder\.convin\.1\.", "decoder.input_norm."),
    (r"decoder\.convout\.0\.", "decoder.output."),
    (_LEVEL + r"sconv\.0\.", r"\1.levels.\2.down."),
    (_LEVEL + r"tconv\.0\.", r"\1.levels.\2.up."),
    (_LEVEL + r"[st]conv\.1\.", r"\1.levels.\2.norm."),
)


def load_published_state(golden: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """State dict of ``Autoencoder`` from the ``model_weight/*`` entries of a golden file."""
    state = {}
    for key in golden:
        if not key.startswith("model_weight/"):
            continue
        name = key.removeprefix("model_weight/")
        for pattern, replacement in _RENAMES:
            name = re.sub(pattern, replacement, name)
        name = re.sub(_LEVEL + r"block(\d)\.conv([12])\.0\.", _residual, name)
        weight = torch.from_numpy(np.asarray(golden[key]))
        # frequency and time (or channel and frequency, in a norm) change places
        turned = weight.ndim == 4 or "norm" in name
        state[name] = weight.transpose(-1, -2).contiguous() if turned else weight
    return state


def _residual(match: re.Match[str]) -> str:
    side, level, block, conv = match.groups()
    part = "dilated" if conv == "1" else "pointwise"
    return f"{side}.levels.{level}.residuals.{int(block) - 1}.{part}."
