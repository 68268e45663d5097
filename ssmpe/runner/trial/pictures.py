"""Small pictures of the salience of one excerpt per set, to see a collapse with one's eyes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssmpe.evaluation.scoring import EvaluationSet
from ssmpe.signal.salience import blurred_target
from ssmpe.tracking import schema
from ssmpe.training.trainer import Trainer

SECONDS = 4.0
"""Length that is shown of a set's first track."""
_HEIGHT, _WIDTH = 400, 450
"""Pixels of a panel, about: bins and frames are drawn as whole pixels."""


def save_pictures(trainer: Trainer, folder: Path) -> None:
    """Write a PNG per evaluated set: the truth, if known, left of the salience, low pitches below.

    To be called after a validation, whose salience it shows.
    """
    for evaluated in trainer.evaluated:
        file = folder / schema.file_name(evaluated.name) / f"{trainer.batch:06d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file, _panels(evaluated))


def write(file: Path, panels: Sequence[NDArray[np.float32]]) -> None:
    """Write panels (F, T) of values in [0, 1] beside each other, divided by a line.

    Bins and frames are whole pixels and colours those of one map, so that the values can be read
    back in steps of 1/255.
    """
    from matplotlib.image import imsave  # a third of a second, which a trial's start can do without

    n_bins, n_frames = panels[0].shape
    pixels = np.ones((max(1, _HEIGHT // n_bins), max(1, _WIDTH // n_frames)), np.float32)
    drawn = [np.kron(panel[::-1], pixels) for panel in panels]
    line = np.ones((drawn[0].shape[0], 2), np.float32)
    picture = np.concatenate([drawn[0], *(x for p in drawn[1:] for x in (line, p))], axis=1)
    quick = {"compress_level": 1}
    imsave(file, picture, cmap="magma", vmin=0.0, vmax=1.0, pil_kwargs=quick)


def _panels(evaluated: EvaluationSet) -> list[NDArray[np.float32]]:
    assert evaluated.first_salience is not None
    g = evaluated.geometry
    n_frames = round(SECONDS * g.frame_rate)
    panels = [evaluated.first_salience[:, :n_frames].cpu().numpy()]
    truth = evaluated.reference(0).on_frames
    if truth is not None:
        panels.insert(0, blurred_target(truth.f0s[:n_frames], g))
    return panels
