"""Small copies of datasets: what one is, and a tone to fill it with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ssmpe.data.files.annotation import FrameAnnotation, NoteAnnotation

SECONDS = 0.5
"""duration of every track"""


@dataclass(frozen=True)
class Layout:
    """Set on disk, and what reading it must give.

    Attributes:
        write: writes the whole dataset, a folder of its name, into a root.
        tracks: names of the set's tracks in the order expected.
        sounding: F0s in Hz of the first track around 0.2 s, ascending.
        annotation: type of its annotation; None if the set tells nothing of what sounds.
    """

    write: Callable[[Path], None]
    tracks: tuple[str, ...]
    sounding: tuple[float, ...] = ()
    annotation: type[FrameAnnotation] | type[NoteAnnotation] | None = None


def write_tone(path: Path, hz: float = 440.0, rate: int = 16_000, channels: int = 1) -> None:
    """Write half a second of a sine, in the format of the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(SECONDS * rate)) / rate)
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate)
