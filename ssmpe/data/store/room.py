"""How long tracks are by their headers, and whether there is room for them decoded."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.files.audio import duration
from ssmpe.data.store.layout import SampleFormat
from ssmpe.errors import DataError, UserError
from ssmpe.seeding import numpy_generator

_N_ASKED = 200
"""Headers read for an estimate"""


def seconds_of(track: Track) -> float:
    """Length of a track by its file's header; 0 if that cannot be read."""
    try:
        left = max(0.0, duration(track.audio) - track.start)
    except DataError:
        return 0.0
    return left if track.seconds is None else min(track.seconds, left)


def estimated_seconds(tracks: Sequence[Track]) -> float:
    """Length of all tracks, exact for few of them and from always the same sample of many."""
    asked = tracks
    if len(tracks) > _N_ASKED:
        rng = numpy_generator("estimate", tracks[0].dataset, len(tracks))
        asked = [tracks[i] for i in rng.choice(len(tracks), _N_ASKED, replace=False).tolist()]
    return sum(map(seconds_of, asked)) * len(tracks) / len(asked)


def require_room(
    tracks: Sequence[Track], disk: Path, sample_rate: int, sample_format: SampleFormat
) -> None:
    """Check that tracks not yet decoded will fit on a disk.

    Raises:
        UserError: they will not, by what their headers say.
    """
    if not tracks:
        return
    needed = estimated_seconds(tracks) * sample_rate * sample_format.dtype.itemsize
    free = shutil.disk_usage(disk).free
    if needed <= free:
        return
    smaller = "halve it with --set data.sample_format=int16, "
    raise UserError(
        f"{tracks[0].dataset} needs about {_shown(needed)} decoded, and the disk of {disk} has "
        f"{_shown(free)} free; decode less with --max-hours SET=HOURS, "
        f"{smaller if sample_format.dtype.itemsize > 2 else ''}"
        "or set SSMPE_CACHE to a folder on another disk"
    )


def _shown(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
