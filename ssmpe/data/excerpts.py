"""Seeded excerpts of the tracks of an audio store: the same ones whoever draws them, and when."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ssmpe.data.files.resampling import Samples
from ssmpe.data.store.audio_store import AudioStore
from ssmpe.seeding import numpy_generator


@dataclass(frozen=True)
class Excerpt:
    """A stretch of a track.

    Attributes:
        samples: (n_samples,) float32.
        start: sample of the track at which it begins; negative by the zeros put in front.
    """

    samples: Samples
    start: int


def draw_excerpt(
    read: Callable[[int, int], Samples], length: int, n_samples: int, rng: np.random.Generator
) -> Excerpt:
    """Draw an excerpt whose start is uniform over the track.

    A track that is shorter than the excerpt is in it as a whole; the zeros that it lacks are split
    at random between front and back.

    Args:
        read: gives the track's samples from the first to before the second of its arguments.
        length: of the track, in samples.
        n_samples: length of the excerpt.
    """
    spare = length - n_samples
    start = int(rng.integers(spare + 1)) if spare >= 0 else -int(rng.integers(-spare + 1))
    front = max(-start, 0)
    inside = read(start + front, min(start + n_samples, length))
    samples = np.zeros(n_samples, np.float32)
    samples[front : front + len(inside)] = inside
    return Excerpt(samples, start)


class ExcerptSampler:
    """Batches of excerpts: epoch after epoch, one excerpt of every track in random order.

    A batch depends on nothing but the identity, its index and its size. So a resumed run, or any
    other worker, draws what an undisturbed one would have drawn.
    """

    def __init__(
        self,
        store: AudioStore,
        n_samples: int,
        identity: tuple[object, ...],
        *,
        drop_incomplete: bool,
    ) -> None:
        """Prepare to draw; nothing is read yet.

        Args:
            store: tracks to draw from.
            n_samples: length of an excerpt.
            identity: what the draws are for, for example ("excerpts", seed, "URMP/train").
            drop_incomplete: begin every epoch with a fresh batch and drop what does not fill its
                last one (labelled sets, as published). Else, and where a batch is larger than
                the set, batches run on into the next epoch (unlabelled sets).
        """
        self.store = store
        self.n_samples = n_samples
        self.identity = identity
        self.drop_incomplete = drop_incomplete
        self._latest: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def epoch_order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order of an epoch: a permutation (tracks,) of the tracks' indices."""
        if self._latest[0] != epoch:  # of large sets it takes longer to draw than a batch does
            rng = numpy_generator(*self.identity, "order", epoch)
            self._latest = epoch, rng.permutation(len(self.store))
        return self._latest[1]

    def batch(self, batch_index: int, batch_size: int) -> list[tuple[int, Excerpt]]:
        """Read a batch: index of the track, and excerpt, for each of its places.

        Args:
            batch_index: 0, 1, …
        """
        whole = len(self.store) // batch_size
        if self.drop_incomplete and whole:
            epoch, place = divmod(batch_index, whole)
            places = [(epoch, place * batch_size + i) for i in range(batch_size)]
        else:
            first = batch_index * batch_size
            places = [divmod(first + i, len(self.store)) for i in range(batch_size)]
        return [self._excerpt(epoch, place) for epoch, place in places]

    def _excerpt(self, epoch: int, place: int) -> tuple[int, Excerpt]:
        track = int(self.epoch_order(epoch)[place])
        rng = numpy_generator(*self.identity, "start", epoch, place)
        read = partial(self.store.read, track)
        return track, draw_excerpt(read, self.store.n_samples(track), self.n_samples, rng)
