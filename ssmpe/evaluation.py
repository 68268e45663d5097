"""Scores of a network on whole tracks: mir_eval's multi-pitch measures and signs of collapse."""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields

import mir_eval
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssmpe import units
from ssmpe.config import GeometryConfig
from ssmpe.data.annotation import Annotation, MultiPitch
from ssmpe.features import SOUNDING_RMS, frame_rms
from ssmpe.hcqt import HCQT
from ssmpe.inference import salience, track_features
from ssmpe.model import Autoencoder
from ssmpe.salience import decode, peaks
from ssmpe.sets import LoadedSet

FEATURE_CACHE_BYTES = 512 * 2**20
"""features of evaluation tracks kept in memory between validations, all sets together"""


@dataclass(frozen=True)
class TrackScores:
    """Measures of one track.

    Attributes:
        precision, recall, f1: mir_eval.multipitch, window half a semitone; NaN if unannotated.
        blank_rate: share of the sounding frames without any estimated pitch. Sounding: annotated
            with a pitch, or, in unannotated audio, of an RMS of 0.01 or more. NaN if none sounds.
        mean_peak: largest salience of a frame, averaged over sounding frames; NaN if none sounds.
        pitches_per_frame: estimated pitches, averaged over all frames.
    """

    precision: float
    recall: float
    f1: float
    blank_rate: float
    mean_peak: float
    pitches_per_frame: float


MEASURES = tuple(f.name for f in fields(TrackScores))


@dataclass(frozen=True)
class SetScores:
    """Means over the tracks of a set, which count alike; and those of every track."""

    name: str
    means: TrackScores
    tracks: dict[str, TrackScores]


class EvaluationSet:
    """A set to be scored again and again: annotations are prepared once, features if they fit."""

    def __init__(self, source: LoadedSet, hcqt: HCQT, device: str, cache_bytes: int) -> None:
        self.name, self._source, self._hcqt, self._device = source.name, source, hcqt, device
        self._room = cache_bytes
        self._features: dict[int, Tensor] = {}
        g = hcqt.geometry
        self._references = []
        for i, annotation in enumerate(source.annotations):
            audio = torch.from_numpy(source.store.audio(i).copy())[None, None]
            self._references.append(Reference.of(annotation, audio, g))

    def __len__(self) -> int:
        return len(self._references)

    @property
    def geometry(self) -> GeometryConfig:
        return self._hcqt.geometry

    def track_name(self, i: int) -> str:
        return self._source.store.tracks[i].name

    def reference(self, i: int) -> "Reference":
        return self._references[i]

    def features(self, i: int) -> Tensor:
        """Features (1, H, F, T) of track i on the device."""
        if i in self._features:
            return self._features[i]
        audio = torch.from_numpy(self._source.store.audio(i).copy())[None, None]
        features = track_features(audio.to(self._device), self._hcqt)
        size = features.numel() * features.element_size()
        if size <= self._room:
            self._room -= size
            self._features[i] = features
        return features

    @property
    def cached_bytes(self) -> int:
        return sum(f.numel() * f.element_size() for f in self._features.values())

    def saliences(self, network: Autoencoder) -> Iterator[Tensor]:
        """Salience (F, T) of one track after the other."""
        for i in range(len(self)):
            yield salience(network, self.features(i))


@dataclass(frozen=True)
class Reference:
    """What a track's estimate is compared with.

    Attributes:
        truth: F0s on the grid they are scored on, or None if unannotated.
        on_frames: F0s on the model's frames, or None if unannotated.
        sounding: (T,) booleans on the model's frames.
        times: (T,) seconds of the model's frames.
    """

    truth: MultiPitch | None
    on_frames: MultiPitch | None
    sounding: NDArray[np.bool_]
    times: units.Floats

    @classmethod
    def of(cls, annotation: Annotation | None, audio: Tensor, g: GeometryConfig) -> "Reference":
        """From a track's annotation and its audio (1, 1, N)."""
        times = units.frame_times(
            units.n_frames(audio.shape[-1], g.hop_length), g.hop_length, g.sample_rate
        )
        if annotation is None:
            sounding = (frame_rms(audio, g.hop_length)[0] >= SOUNDING_RMS).numpy()
            return cls(None, None, sounding, times)
        on_frames = annotation.at(times)
        sounding = np.array([len(f0s) > 0 for f0s in on_frames.f0s], dtype=bool)
        truth = on_frames if annotation.grid is None else annotation.at(annotation.grid)
        return cls(truth, on_frames, sounding, times)


def prepare(sources: tuple[LoadedSet, ...], hcqt: HCQT, device: str) -> list[EvaluationSet]:
    """Evaluation sets that share one allowance of memory for features, first come first served."""
    prepared, room = [], FEATURE_CACHE_BYTES
    for source in sources:
        evaluation_set = EvaluationSet(source, hcqt, device, room)
        for i in range(len(evaluation_set)):
            if evaluation_set.cached_bytes < room:
                evaluation_set.features(i)
        room -= evaluation_set.cached_bytes
        prepared.append(evaluation_set)
    return prepared


def evaluate(network: Autoencoder, evaluated: EvaluationSet) -> SetScores:
    """Scores of a network in evaluation mode on a set."""
    g = evaluated.geometry
    tracks = {}
    for i, estimate in enumerate(evaluated.saliences(network)):
        scores = score_track(estimate.cpu(), evaluated.reference(i), g)
        tracks[evaluated.track_name(i)] = scores
    return SetScores(evaluated.name, mean_scores(list(tracks.values())), tracks)


def score_track(estimate: Tensor, reference: Reference, g: GeometryConfig) -> TrackScores:
    """Scores of a salience (F, T) against its reference."""
    pitched = peaks(estimate)
    per_frame = pitched.sum(dim=0).numpy()
    sounding = reference.sounding
    precision, recall = float("nan"), float("nan")
    if reference.truth is not None:
        precision, recall = precision_recall(reference, decode(estimate, g))
    strongest = estimate.amax(dim=0).numpy()[sounding]
    blank = per_frame[sounding] == 0
    return TrackScores(
        precision=precision,
        recall=recall,
        f1=f1(precision, recall),
        blank_rate=float(blank.mean()) if len(blank) else float("nan"),
        mean_peak=float(strongest.mean()) if len(strongest) else float("nan"),
        pitches_per_frame=float(per_frame.mean()),
    )


def precision_recall(
    reference: Reference, estimate: list[NDArray[np.float64]]
) -> tuple[float, float]:
    """mir_eval's precision and recall of estimated F0s on the model's frames."""
    assert reference.truth is not None
    with warnings.catch_warnings():
        # empty references and estimates are scored 0, which is meant
        warnings.simplefilter("ignore")
        result = mir_eval.multipitch.metrics(
            reference.truth.times, list(reference.truth.f0s), reference.times, estimate
        )
    return float(result[0]), float(result[1])


def f1(precision: float, recall: float) -> float:
    """2 P R / (P + R), 0 where both are; NaN in, NaN out."""
    total = precision + recall
    return total if total != total else (2 * precision * recall / total if total > 0 else 0.0)


def mean_scores(tracks: list[TrackScores]) -> TrackScores:
    """Means over the tracks that have a measure, each counting alike; NaN if none has."""
    means = []
    for measure in MEASURES:
        values = [v for t in tracks if not math.isnan(v := getattr(t, measure))]
        means.append(float(np.mean(values)) if values else float("nan"))
    return TrackScores(*means)
