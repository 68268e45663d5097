"""What a track is scored by: mir_eval's multi-pitch measures and signs of collapse."""

import math
import warnings
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssmpe import units
from ssmpe.config import GeometryConfig
from ssmpe.data.files.annotation import Annotation, MultiPitch
from ssmpe.evaluation.multipitch import GridReference
from ssmpe.signal.features import SOUNDING_RMS, frame_rms
from ssmpe.signal.salience import decode, peaks


class ScoringError(Exception):
    """The vectorised score of a track is not that of mir_eval."""


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

    def on_grid(self, g: GeometryConfig, device: str) -> GridReference | None:
        """Prepared to be compared with peaks on a device; None if unannotated.

        Raises:
            ValueError: pitches, or bins of the geometry, that cannot be scored.
        """
        if self.truth is None:
            return None
        return GridReference(self.truth, self.times, g.bin_frequencies, device)


@dataclass(frozen=True)
class Observed:
    """What a track's scores are made of.

    Attributes:
        strongest: (T,) largest salience of every frame.
        per_frame: (T,) number of pitches.
        n_matched: pitches that are right; 0 if unannotated.
    """

    strongest: NDArray[np.float32]
    per_frame: NDArray[np.int32]
    n_matched: int

    @staticmethod
    def packed(salience: Tensor, grid: GridReference | None) -> Tensor:
        """Of a salience (F, T), in one integer tensor (2 T + 1,) on its device."""
        pitched = peaks(salience)
        n_matched = pitched.new_zeros(()) if grid is None else grid.n_matched(pitched)
        # floating-point numbers as they are stored: one transfer to the host takes all
        strongest = salience.amax(dim=0).contiguous().view(torch.int32)
        return torch.cat([strongest, pitched.sum(dim=0).int(), n_matched.int()[None]])

    @classmethod
    def unpacked(cls, packed: NDArray[np.int32]) -> "Observed":
        """From what ``packed`` made, on the host."""
        n_frames = len(packed) // 2
        strongest, per_frame = packed[:n_frames].view(np.float32), packed[n_frames:-1]
        return cls(strongest, per_frame, int(packed[-1]))

    def scores(self, reference: Reference, precision: float, recall: float) -> TrackScores:
        """With precision and recall, NaN if unannotated, all measures."""
        strongest = self.strongest[reference.sounding]
        blank = self.per_frame[reference.sounding] == 0
        return TrackScores(
            precision=precision,
            recall=recall,
            f1=f1(precision, recall),
            blank_rate=float(blank.mean()) if len(blank) else math.nan,
            mean_peak=float(strongest.mean()) if len(strongest) else math.nan,
            pitches_per_frame=float(self.per_frame.mean()),
        )


def score_track(estimate: Tensor, reference: Reference, g: GeometryConfig) -> TrackScores:
    """Scores of a salience (F, T) against its reference, by mir_eval itself."""
    observed = Observed.unpacked(Observed.packed(estimate, None).cpu().numpy())
    return observed.scores(reference, *precision_recall(reference, decode(estimate, g)))


def precision_recall(
    reference: Reference, estimate: list[NDArray[np.float64]]
) -> tuple[float, float]:
    """mir_eval's measures of F0s estimated on the model's frames; NaN if unannotated."""
    import mir_eval  # a second, with all of its tasks; scores are mostly counted without it

    if reference.truth is None:
        return math.nan, math.nan
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
