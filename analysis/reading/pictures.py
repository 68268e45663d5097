"""Pictures of salience-grams that trials have left in their artifacts, as numbers again."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.image import imread
from numpy.typing import NDArray

from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import StoredTrial
from ssmpe.tracking.stored.store import artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient

_COLOURS = colormaps["magma"](np.arange(256), bytes=True)[:, :3].astype(int)
_LINE = 2
"""Pixels between truth and salience"""


@dataclass(frozen=True)
class Picture:
    """A set's first seconds at one validation.

    Attributes:
        salience: (bins, frames) in steps of 1/255, the lowest pitch first.
        truth: likewise; None of a set without annotation.
    """

    salience: NDArray[np.float64]
    truth: NDArray[np.float64] | None


Pictures = dict[tuple[str, int], Picture]
"""Set and batch -> picture"""


def read_pictures(
    client: "MlflowClient", trial: StoredTrial, sets: tuple[str, ...], scratch: Path
) -> Pictures:
    """Read the pictures that a trial has left, if any.

    Args:
        scratch: folder for the downloaded files.

    Raises:
        UserError: a file is there, but is no such picture.
    """
    found = artifacts(client, trial.run_id, schema.SALIENCE_ARTIFACTS, scratch)
    return {
        (set_name, int(file.stem)): _read(file, trial)
        for set_name in sets
        for file in sorted((found / schema.file_name(set_name)).glob("*.png"))
    }


def _read(file: Path, trial: StoredTrial) -> Picture:
    name = f"{schema.SALIENCE_ARTIFACTS}/{file.parent.name}/{file.name}"
    try:
        pixels = np.round(255 * imread(file)[..., :3]).astype(int)
        halves = [_frames(_values(half), trial) for half in _split(pixels)]
    except (OSError, SyntaxError, ValueError, IndexError) as error:
        raise UserError(f"run {trial.run_id}: {name} is no picture of salience") from error
    return Picture(halves[-1], halves[0] if len(halves) == 2 else None)


def _split(pixels: NDArray[np.int_]) -> list[NDArray[np.int_]]:
    """Split into truth and salience, if a line as bright as can be parts them."""
    half = (pixels.shape[1] - _LINE) // 2
    middle = pixels[:, half : half + _LINE]
    if pixels.shape[1] % 2 == 0 and (middle == _COLOURS[-1]).all():
        return [pixels[:, :half], pixels[:, half + _LINE :]]
    return [pixels]


def _values(pixels: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return values in [0, 1] of colours of the map; ValueError if one is not of it."""
    codes, table = (c @ (1 << 16, 1 << 8, 1) for c in (pixels, _COLOURS))
    order = np.argsort(table)
    places = order[np.searchsorted(table[order], codes).clip(max=len(table) - 1)]
    if (table[places] != codes).any():
        raise ValueError("a colour that is not of the map")
    return np.asarray(places / 255.0)


def _frames(values: NDArray[np.float64], trial: StoredTrial) -> NDArray[np.float64]:
    """Return one row per bin, low pitches first; ValueError if bins have no whole pixels."""
    n_bins = int(trial.params.get("geometry.n_bins", values.shape[0]))
    height = values.shape[0] // n_bins
    if height * n_bins != values.shape[0]:
        raise ValueError("not a whole number of pixels per bin")
    return values[::-1][::height]


def frame_width(pictures: Iterable[Picture]) -> int | None:
    """Return the pixels that a frame takes, by where columns differ; None if none ever does."""
    panels = [p for pic in pictures for p in (pic.salience, pic.truth) if p is not None]
    places = {
        int(place) + 1
        for panel in panels
        for place in np.flatnonzero((np.diff(panel, axis=1) != 0).any(axis=0))
    }
    return int(np.gcd.reduce([panels[0].shape[1], *places])) if places else None
