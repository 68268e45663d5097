"""Parts of a set, drawn by hashing names: the same everywhere, a smaller one within a larger."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.store.room import seconds_of
from ssmpe.seeding import seed_of

_AT_ONCE = 256
"""Number of headers that are read before it is checked whether they are enough"""


def capped(tracks: Sequence[Track], hours: float) -> tuple[Track, ...]:
    """Return tracks drawn at random until they last ``hours``, sorted by name.

    All are returned if they last less. The draw depends on the names alone, and a larger cap has
    every track that a smaller one has. A track without a readable header counts as 0 s; decoding
    will report it.
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
    """Return ``count`` tracks drawn at random, sorted by name; all if there are fewer.

    The order of the draw is that of ``capped``: a set that is capped in both ways has the smaller
    of the two parts.
    """
    drawn = _drawn("cap", tracks)[:count]
    return tuple(sorted((tracks[i] for i in drawn), key=lambda track: track.name))


def labelled_part(tracks: Sequence[Track], share: float) -> frozenset[int]:
    """Return the indices of a share (0 to 1] of the tracks: at least one.

    They are drawn like a cap, but in another order, so that the labelled tracks of a capped set
    are not always those that the cap draws first.
    """
    return frozenset(_drawn("label", tracks)[: max(1, round(share * len(tracks)))])


def _drawn(purpose: str, tracks: Sequence[Track]) -> list[int]:
    """Return the indices of the tracks in the order in which they are drawn for a purpose."""
    keys = [(seed_of(purpose, t.dataset, t.name), t.name) for t in tracks]
    return sorted(range(len(tracks)), key=keys.__getitem__)
