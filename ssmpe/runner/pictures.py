"""Small pictures of the salience of one excerpt per set, to see a collapse with one's eyes."""

from pathlib import Path

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from ssmpe.evaluation import EvaluationSet
from ssmpe.inference import salience
from ssmpe.salience import blurred_target
from ssmpe.training import Trainer

SECONDS = 4.0
"""shown of a set's first track"""
_SCALE = 3
"""pixels per bin and frame, at the least"""


def save_pictures(trainer: Trainer, folder: Path) -> None:
    """One PNG per evaluated set: above the truth, below the salience, low pitches at the bottom."""
    for evaluated in trainer.evaluated:
        file = folder / evaluated.name.replace("/", "-") / f"{trainer.batch:06d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        imsave(file, _picture(trainer, evaluated), cmap="magma", vmin=0.0, vmax=1.0)


def _picture(trainer: Trainer, evaluated: EvaluationSet) -> NDArray[np.float32]:
    g = trainer.config.geometry
    n_frames = round(SECONDS * g.frame_rate)
    features = evaluated.features(0)[..., :n_frames]
    estimate = salience(trainer.network, features, trainer.autocast).cpu().numpy()
    rows = [estimate]
    truth = evaluated.reference(0).on_frames
    if truth is not None:
        target = blurred_target(truth.f0s[:n_frames], g)
        rows = [target, np.ones((2, target.shape[1]), np.float32), estimate]
    stacked = np.concatenate([row[::-1] for row in rows])
    return np.kron(stacked, np.ones((1, _SCALE), np.float32)).repeat(_SCALE, axis=0)
