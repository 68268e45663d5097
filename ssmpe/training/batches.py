"""Training batches as a pure function of configuration, seed and batch number."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ssmpe import units
from ssmpe.config import TrialConfig
from ssmpe.data.excerpts import Excerpt, ExcerptSampler
from ssmpe.data.files.annotation import Annotation
from ssmpe.data.sets import LoadedSet, Sets
from ssmpe.objectives.base import Batch
from ssmpe.seeding import numpy_generator
from ssmpe.signal.features import frame_rms, scaled_decibels
from ssmpe.signal.hcqt import HCQT
from ssmpe.signal.salience import blurred_target


@dataclass(frozen=True)
class _Source:
    """Set that batches draw from.

    Attributes:
        excerpts, drums: samplers of its excerpts and of the drums to mix with them.
        count: excerpts in a batch.
        labelled: indices of the tracks that are learnt from with their annotations.
    """

    set: LoadedSet
    excerpts: ExcerptSampler
    drums: ExcerptSampler
    count: int
    labelled: frozenset[int]


class _Drawn(NamedTuple):
    source: _Source
    track: int
    excerpt: Excerpt

    @property
    def labelled(self) -> bool:
        return self.track in self.source.labelled


class BatchMaker:
    """Maker of the batches of a trial: number i is the same on every worker, and after a resume.

    A set's excerpts and their drums do not depend on what else is in the batch, nor on labels, so
    rows of a sweep that differ in added sets or in what is labelled of them see the same excerpts.
    Those with labels come first, whatever set they are of; else sets keep their order. ::

        config = tiny().replace({"data.added": {"NSynth/train": 2}})  # 4 labelled excerpts, 2 not
        rate = config.geometry.sample_rate
        sets = load_sets(config.data, rate, Locations(data_root), cache_dir())
        hcqt = HCQT(config.geometry)
        make = BatchMaker(config, sets, hcqt, frozenset({"percussive"}), "cpu")
        batch = make(0)
        batch.features  # (6, 6, 176, 22): B excerpts, H harmonics, F bins, T frames of a second
        batch.target  # (4, 176, 22): of the labelled ones, which come first
        batch.percussive  # (6, 6, 176, 22), with drums; batch.mixture is None: nothing needs it
        batch.sets  # ("URMP/train", ...) of the excerpts

    Args:
        needs: optional fields of the batch that the objectives use.
    """

    def __init__(
        self, config: TrialConfig, sets: Sets, hcqt: HCQT, needs: frozenset[str], device: str
    ) -> None:
        self.config, self.sets, self.hcqt = config, sets, hcqt
        self.needs, self.device = needs, device
        self._sources = [self._labelled_source(), *map(self._added_source, sets.added)]

    def __call__(self, index: int) -> Batch:
        """Make a batch, by its number from 0."""
        drawn = [
            _Drawn(source, track, excerpt)
            for source in self._sources
            for track, excerpt in source.excerpts.batch(index, source.count)
        ]
        order = sorted(range(len(drawn)), key=lambda i: not drawn[i].labelled)
        drawn = [drawn[i] for i in order]
        audio = self._stack([d.excerpt for d in drawn])
        bins = self.hcqt.distinct(audio)
        percussive = None
        if "percussive" in self.needs:
            percussive = self._features(bins + self._drum_bins(index, order))
        return Batch(
            features=self._features(bins),
            target=self._target([d for d in drawn if d.labelled]),
            percussive=percussive,
            mixture=self._features(bins + bins.roll(-1, 0)) if "mixture" in self.needs else None,
            rms=frame_rms(audio, self.hcqt.geometry.hop_length) if "rms" in self.needs else None,
            sets=tuple(d.source.set.name for d in drawn),
            strength=self.config.objectives.view_strength,
        )

    def _labelled_source(self) -> _Source:
        own = self.sets.labelled
        excerpts = self._sampler(own, drop_incomplete=True)
        tracks = range(len(own.store))
        return _Source(
            own, excerpts, self._drums(own), self.config.data.labelled_excerpts, frozenset(tracks)
        )

    def _added_source(self, own: LoadedSet) -> _Source:
        share = self.config.data.labelled_share.get(own.name)
        labelled = own.labelled_tracks(share) if share else frozenset()
        excerpts = self._sampler(own, drop_incomplete=False)
        return _Source(own, excerpts, self._drums(own), self.config.data.added[own.name], labelled)

    def _drums(self, own: LoadedSet) -> ExcerptSampler:
        """Return a sampler of drums for one set alone: none depend on what else is added."""
        return self._sampler(self.sets.percussion, drop_incomplete=False, use=own.name)

    def _sampler(self, source: LoadedSet, drop_incomplete: bool, use: str = "") -> ExcerptSampler:
        identity = ("excerpts", self.config.training.seed, source.name, use)
        n_samples = self.config.geometry.excerpt_samples
        return ExcerptSampler(source.store, n_samples, identity, drop_incomplete=drop_incomplete)

    def _stack(self, excerpts: list[Excerpt]) -> Tensor:
        samples = torch.from_numpy(np.stack([e.samples for e in excerpts]))
        return samples[:, None].to(self.device, non_blocking=True)

    def _features(self, bins: Tensor) -> Tensor:
        return self.hcqt.gather(scaled_decibels(bins))

    def _drum_bins(self, index: int, order: list[int]) -> Tensor:
        """Return distinct bins (B, K, T) of drum excerpts at random volumes.

        As the transform is linear, they can be added to those of the excerpts.

        Args:
            order: indices, in the order of the sets, of the excerpts in the order of the batch.
        """
        drums, volumes = [], []
        for source in self._sources:
            drums += [excerpt for _, excerpt in source.drums.batch(index, source.count)]
            rng = numpy_generator("volume", source.drums.identity, index)
            volumes.append(rng.random((source.count, 1, 1), dtype=np.float32))
        strength = np.float32(self.config.objectives.view_strength)
        volume = torch.from_numpy(strength * np.concatenate(volumes)[order])
        bins = self.hcqt.distinct(self._stack([drums[i] for i in order]))
        return bins * volume.to(self.device, non_blocking=True)

    def _target(self, drawn: list[_Drawn]) -> Tensor:
        g = self.config.geometry
        times = units.frame_times(g.excerpt_frames, g.hop_length, g.sample_rate)
        targets = []
        for source, track, excerpt in drawn:
            annotation = source.set.annotations[track]
            n_samples = source.set.store.n_samples(track)
            target = excerpt_target(annotation, excerpt.start, times, n_samples, self.config)
            targets.append(target)
        return torch.from_numpy(np.stack(targets)).to(self.device, non_blocking=True)


def excerpt_target(
    annotation: Annotation | None,
    start: int,
    times: units.Floats,
    n_samples: int,
    config: TrialConfig,
) -> np.ndarray:
    """Return the blurred target (F, T) of an excerpt that begins at sample ``start`` of its track.

    Args:
        times: (T,) seconds from the excerpt's start.
        n_samples: length of the track; nothing sounds in the zeros around a short one.
    """
    assert annotation is not None, "only annotated sets are used as labelled ones"
    rate = config.geometry.sample_rate
    at = annotation.at(times + start / rate)
    inside = (at.times >= 0) & (at.times <= n_samples / rate)
    f0s = [f if there else f[:0] for f, there in zip(at.f0s, inside, strict=True)]
    return blurred_target(f0s, config.geometry)
