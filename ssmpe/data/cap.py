"""Parts of a set, drawn by hashing names: the same everywhere, a smaller one within a larger."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.store.room import seconds_of
from ssmpe.seeding import seed_of

_AT_ONCE = 256
"""Headers read before it is looked whether they are enough"""


def capped(tracks: Sequence[Track], hours: float) -> tuple[Track, ...]:
    """Tracks drawn at random until they have ``hours``, sorted by name; all if they have less.

    Which ones depends on the names alone, and what a smaller cap draws a larger one draws, too.
    Tracks without a readable header count as nothing, and are left for decoding to report.
    """
    shuffled = [tracks[i] for i in _drawn("cap", tracks)]
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


def capped_in_number(tracks: Sequence[Track], count: int) -> tuple[Track, ...]:
    """``count`` tracks drawn at random, sorted by name; all if there are fewer.

    In the order in which ``capped`` draws, so that a set capped in both ways has the fewer of the
    two.
    """
    drawn = _drawn("cap", tracks)[:count]
    return tuple(sorted((tracks[i] for i in drawn), key=lambda track: track.name))


def labelled_part(tracks: Sequence[Track], share: float) -> frozenset[int]:
    """Indices of a share (0 to 1] of the tracks, rounded, but one at least.

    They are drawn like a cap, but in another order than that: of a capped set, too, the share is
    drawn out of all its tracks.
    """
    return frozenset(_drawn("label", tracks)[: max(1, round(share * len(tracks)))])


def _drawn(purpose: str, tracks: Sequence[Track]) -> list[int]:
    """Indices of the tracks in the order in which they are drawn."""
    keys = [(seed_of(purpose, t.dataset, t.name), t.name) for t in tracks]
    return sorted(range(len(tracks)), key=keys.__getitem__)
