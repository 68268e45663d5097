"""How long tracks are by their headers, and whether the disk has room for them decoded."""

from collections.abc import Sequence
from pathlib import Path

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.files.audio import duration
from ssmpe.data.store.layout import SampleFormat
from ssmpe.errors import DataError
from ssmpe.seeding import numpy_generator
from ssmpe.storage import require_room

_N_ASKED = 200
"""Largest number of headers that are read for an estimate"""


def seconds_of(track: Track) -> float:
    """Return the length of a track in seconds by its file's header; 0 if that cannot be read."""
    try:
        left = max(0.0, duration(track.audio) - track.start)
    except DataError:
        return 0.0
    return left if track.seconds is None else min(track.seconds, left)


def estimated_seconds(tracks: Sequence[Track]) -> float:
    """Return the length of all tracks in seconds; of many, estimated from always the same 200."""
    asked = tracks
    if len(tracks) > _N_ASKED:
        rng = numpy_generator("estimate", tracks[0].dataset, len(tracks))
        asked = [tracks[i] for i in rng.choice(len(tracks), _N_ASKED, replace=False).tolist()]
    return sum(map(seconds_of, asked)) * len(tracks) / len(asked)


def require_room_for(
    tracks: Sequence[Track], disk: Path, sample_rate: int, sample_format: SampleFormat
) -> None:
    """Check that tracks which are not decoded yet will fit on a disk.

    Raises:
        UserError: they will not, by what their headers say.
    """
    if not tracks:
        return
    needed = estimated_seconds(tracks) * sample_rate * sample_format.dtype.itemsize
    smaller = "halve it with --set data.sample_format=int16, "
    require_room(
        needed,
        disk,
        f"{tracks[0].dataset} needs about {{}} decoded",
        "decode less with --max-hours SET=HOURS, "
        f"{smaller if sample_format.dtype.itemsize > 2 else ''}"
        "or set SSMPE_CACHE to a folder on another disk",
    )
