"""A part of a set that is no longer than so many hours."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ssmpe.data.dataset import Track
from ssmpe.data.store_space import seconds_of
from ssmpe.seeding import seed_of

_AT_ONCE = 256
"""Headers read before it is looked whether they are enough"""


def capped(tracks: Sequence[Track], hours: float) -> tuple[Track, ...]:
    """Tracks drawn at random until they have ``hours``, sorted by name; all if they have less.

    Which ones depends on the names alone, and what a smaller cap draws a larger one draws, too.
    Tracks without a readable header count as nothing, and are left for decoding to report.
    """
    shuffled = sorted(tracks, key=lambda t: (seed_of("cap", t.dataset, t.name), t.name))
    drawn: list[Track] = []
    left = hours * 3600
    with ThreadPoolExecutor(thread_name_prefix="header") as pool:
        while left > 0 and len(drawn) < len(shuffled):
            some = shuffled[len(drawn) : len(drawn) + _AT_ONCE]
            for track, seconds in zip(some, pool.map(seconds_of, some), strict=True):
                if left <= 0:
                    break
                drawn.append(track)
                left -= seconds
    return tuple(sorted(drawn, key=lambda track: track.name))
