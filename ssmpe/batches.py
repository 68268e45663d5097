"""Training batches as a pure function of configuration, seed and batch number."""

import numpy as np
import torch
from torch import Tensor

from ssmpe import units
from ssmpe.config import TrialConfig
from ssmpe.data.annotation import Annotation
from ssmpe.data.excerpts import Excerpt, ExcerptSampler
from ssmpe.features import frame_rms, scaled_decibels
from ssmpe.hcqt import HCQT
from ssmpe.objectives.base import Batch
from ssmpe.salience import blurred_target
from ssmpe.seeding import numpy_generator
from ssmpe.sets import LoadedSet, Sets


class BatchMaker:
    """Makes batch number i of a trial: the same one on every worker, before and after a resume.

    Labelled excerpts and drums do not depend on what else is in the batch, so rows of a sweep
    that differ in added sets see the same labelled excerpts.

    Args:
        needs: optional fields of the batch that the objectives use.
    """

    def __init__(
        self, config: TrialConfig, sets: Sets, hcqt: HCQT, needs: frozenset[str], device: str
    ) -> None:
        self.config, self.sets, self.hcqt = config, sets, hcqt
        self.needs, self.device = needs, device
        self._labelled = self._sampler(sets.labelled, drop_incomplete=True)
        counts = [config.data.added[s.name] for s in sets.added]
        samplers = [self._sampler(s, drop_incomplete=False) for s in sets.added]
        self._added = list(zip(samplers, counts, strict=True))
        # drums for a set are drawn for that set alone, so that none hang on what else is added
        self._drums = [
            (self._sampler(sets.percussion, drop_incomplete=False, use=name), count)
            for name, count in [
                (sets.labelled.name, config.data.labelled_excerpts),
                *zip(config.data.added, counts, strict=True),
            ]
        ]

    def __call__(self, index: int) -> Batch:
        labelled = self._labelled.batch(index, self.config.data.labelled_excerpts)
        drawn = [excerpt for _, excerpt in labelled]
        names = [self.sets.labelled.name] * len(drawn)
        for source, (sampler, count) in zip(self.sets.added, self._added, strict=True):
            drawn += [excerpt for _, excerpt in sampler.batch(index, count)]
            names += [source.name] * count
        audio = self._stack(drawn)
        bins = self.hcqt.distinct(audio)
        percussive = None
        if "percussive" in self.needs:
            percussive = self._features(bins + self._drum_bins(index))
        return Batch(
            features=self._features(bins),
            target=self._target(labelled),
            percussive=percussive,
            rms=frame_rms(audio, self.hcqt.geometry.hop_length) if "rms" in self.needs else None,
            sets=tuple(names),
        )

    def _sampler(self, source: LoadedSet, drop_incomplete: bool, use: str = "") -> ExcerptSampler:
        identity = ("excerpts", self.config.training.seed, source.name, use)
        n_samples = self.config.geometry.excerpt_samples
        return ExcerptSampler(source.store, n_samples, identity, drop_incomplete=drop_incomplete)

    def _stack(self, excerpts: list[Excerpt]) -> Tensor:
        samples = torch.from_numpy(np.stack([e.samples for e in excerpts]))
        return samples[:, None].to(self.device, non_blocking=True)

    def _features(self, bins: Tensor) -> Tensor:
        return self.hcqt.gather(scaled_decibels(bins))

    def _drum_bins(self, index: int) -> Tensor:
        """Distinct bins (B, K, T) of drum excerpts at random volumes: the transform is linear."""
        drums, volumes = [], []
        for sampler, count in self._drums:
            drums += [excerpt for _, excerpt in sampler.batch(index, count)]
            rng = numpy_generator("volume", sampler.identity, index)
            volumes.append(rng.random((count, 1, 1), dtype=np.float32))
        volume = torch.from_numpy(np.concatenate(volumes)).to(self.device, non_blocking=True)
        return self.hcqt.distinct(self._stack(drums)) * volume

    def _target(self, drawn: list[tuple[int, Excerpt]]) -> Tensor:
        g = self.config.geometry
        times = units.frame_times(g.excerpt_frames, g.hop_length, g.sample_rate)
        targets = []
        for track, excerpt in drawn:
            annotation = self.sets.labelled.annotations[track]
            n_samples = len(self.sets.labelled.store.audio(track))
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
    """Blurred target (F, T) of an excerpt that begins at sample ``start`` of its track.

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
