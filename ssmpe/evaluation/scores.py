"""Measures by which a track is scored: mir_eval's, ones without a threshold, signs of collapse."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssmpe import units
from ssmpe.config import GeometryConfig
from ssmpe.data.files.annotation import Annotation, MultiPitch
from ssmpe.evaluation.curves import Curve, Peaks, peak_heights, top_n
from ssmpe.evaluation.multipitch import Counts, GridReference
from ssmpe.evaluation.notes import NoteScores
from ssmpe.signal.features import SOUNDING_RMS, frame_rms
from ssmpe.signal.salience import THRESHOLD


class ScoringError(Exception):
    """Error of a vectorised score that is not that of mir_eval."""


@dataclass(frozen=True)
class TrackScores:
    """Measures of one track: the published ones at a salience of one half, and others.

    NaN where one is undefined: of an unannotated track, or one in which nothing sounds.

    Attributes:
        precision, recall, f1: mir_eval.multipitch, window half a semitone.
        blank_rate: share of the sounding frames without any estimated pitch. Sounding: annotated
            with a pitch, or, in unannotated audio, of an RMS of 0.01 or more.
        mean_peak: largest salience of a frame, averaged over sounding frames.
        pitches_per_frame: estimated pitches, averaged over all frames.
        f1_tuned, blank_rate_tuned: at the threshold that is best on the labelled validation set.
        f1_best: at the one that is best on the track's own set, which nobody knows beforehand.
        average_precision: over all thresholds; see ``Curve``.
        top_n: F1 of the N strongest peaks of every frame, N being its true number of pitches.
        similarity: mean cosine between the saliences of the track's sounding frames and those of
            the set's other tracks; of a set of one track, between its first and second half. 1 if
            all frames look alike, whatever is played.
    """

    precision: float
    recall: float
    f1: float
    blank_rate: float
    mean_peak: float
    pitches_per_frame: float
    f1_tuned: float = math.nan
    blank_rate_tuned: float = math.nan
    f1_best: float = math.nan
    average_precision: float = math.nan
    top_n: float = math.nan
    similarity: float = math.nan


ALL_MEASURES = tuple(f.name for f in fields(TrackScores))
FREE_MEASURES = ALL_MEASURES[ALL_MEASURES.index("f1_tuned") :]
"""Measures that do not depend on what a salience of one half happens to mean"""
MEASURES = ALL_MEASURES[: -len(FREE_MEASURES)]
"""Measures at a salience of one half, or of all salience"""


@dataclass(frozen=True)
class SetScores:
    """Means over the tracks of a set, which count alike; and those of every track.

    Attributes:
        threshold: the one of the measures that are tuned.
        best_threshold: the one of ``f1_best``; NaN if nothing is annotated, or no peak found.
        notes: name of a track -> scores of its notes, where these are known and were asked for.
    """

    name: str
    means: TrackScores
    tracks: dict[str, TrackScores]
    threshold: float = math.nan
    best_threshold: float = math.nan
    notes: Mapping[str, NoteScores] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """Truth that a track's estimate is compared with.

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
        """Prepare it from a track's annotation and its audio (1, 1, N)."""
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

    @cached_property
    def halves(self) -> NDArray[np.float32]:
        """Ones (2, T) at the sounding frames of the first and of the second half."""
        ones = np.zeros((2, len(self.sounding)), np.float32)
        middle = len(self.sounding) // 2
        ones[0, :middle], ones[1, middle:] = self.sounding[:middle], self.sounding[middle:]
        return ones

    def on_grid(self, g: GeometryConfig) -> GridReference | None:
        """Prepare the comparison with peaks; None if unannotated.

        Raises:
            ValueError: pitches, or bins of the geometry, that cannot be scored.
        """
        if self.truth is None:
            return None
        return GridReference(self.truth, self.times, g.bin_frequencies)


@dataclass(frozen=True)
class Observed:
    """All that a track's scores are made of.

    Attributes:
        strongest: (T,) largest salience of every frame.
        highest: (T,) height of its strongest peak, -1 where it has none.
        n_pitches: peaks at or above ``THRESHOLD``, in all frames.
        halves: (2, F) sums of the sounding frames' saliences, each of unit length, over the first
            and the second half of the track.
        sounding: (2,) number of those frames.
        curve: counts at all thresholds; None if unannotated.
        top: those of the N strongest peaks; None if unannotated.
    """

    strongest: NDArray[np.float32]
    highest: NDArray[np.float32]
    n_pitches: int
    halves: NDArray[np.float32]
    sounding: NDArray[np.float32]
    curve: Curve | None
    top: Counts | None

    @staticmethod
    def packed(salience: Tensor, halves: Tensor) -> Tensor:
        """Pack all that is asked of a salience (F, T) into one tensor on its device.

        One transfer to the host takes all of a set.

        Args:
            halves: (2, T) the reference's, on the device.
        """
        lengths = salience.square().sum(dim=0).sqrt().clamp_min(torch.finfo(salience.dtype).tiny)
        sums = (halves / lengths) @ salience.T
        heights = peak_heights(salience)
        return torch.cat([salience.amax(dim=0), sums.flatten(), heights.flatten()])

    @classmethod
    def unpacked(
        cls, packed: NDArray[np.float32], reference: Reference, grid: GridReference | None
    ) -> "Observed":
        """Read what ``packed`` made, on the host; ``grid`` is the reference as peaks meet it."""
        n_frames = len(reference.times)
        n_bins = (len(packed) - n_frames) // (n_frames + 2)
        strongest, halves, flat = np.split(packed, [n_frames, n_frames + 2 * n_bins])
        heights = flat.reshape(n_bins, n_frames)
        found, curve, top = Peaks.of(heights), None, None
        if grid is not None:
            growth = grid.growth(heights)
            curve, top = Curve.of(found, growth, grid), top_n(found, growth, grid)
        return cls(
            strongest=strongest,
            highest=heights.max(axis=0),
            n_pitches=int((found.heights >= THRESHOLD).sum()),
            halves=halves.reshape(2, n_bins),
            sounding=reference.halves.sum(axis=1),
            curve=curve,
            top=top,
        )

    def scores(self, reference: Reference, precision: float, recall: float) -> TrackScores:
        """Return the measures at one half; precision and recall are given, NaN if unannotated."""
        strongest = self.strongest[reference.sounding]
        return TrackScores(
            precision=precision,
            recall=recall,
            f1=f1(precision, recall),
            blank_rate=self.blank_rate(reference, THRESHOLD),
            mean_peak=float(strongest.mean()) if len(strongest) else math.nan,
            pitches_per_frame=self.n_pitches / len(self.strongest),
        )

    def blank_rate(self, reference: Reference, threshold: float) -> float:
        """Return the share of sounding frames without a peak from a threshold on.

        NaN if nothing sounds, or there is no threshold.
        """
        if math.isnan(threshold) or not reference.sounding.any():
            return math.nan
        return float((self.highest[reference.sounding] < threshold).mean())

    def f1_at(self, threshold: float) -> float:
        """Return F1 at a threshold; NaN if there is none, or the track is unannotated."""
        if math.isnan(threshold) or self.curve is None:
            return math.nan
        counts = self.curve.at(threshold)
        return f1(counts.precision, counts.recall)


def similarities(tracks: Sequence[Observed]) -> list[float]:
    """Compute how alike each track's frames are to those of the others: ``TrackScores.similarity``.

    The mean cosine of all pairs is the product of the two means of frames of unit length.
    """
    if len(tracks) == 1:
        sums, counts = tracks[0].halves.astype(np.float64), tracks[0].sounding.astype(np.float64)
    else:
        sums = np.array([track.halves.sum(axis=0, dtype=np.float64) for track in tracks])
        counts = np.array([track.sounding.sum(dtype=np.float64) for track in tracks])
    products = (sums * (sums.sum(axis=0) - sums)).sum(axis=1)
    pairs = counts * (counts.sum() - counts)
    found = [float(p / n) if n else math.nan for p, n in zip(products, pairs, strict=True)]
    return found[: len(tracks)]


def precision_recall(
    reference: Reference, estimate: list[NDArray[np.float64]]
) -> tuple[float, float]:
    """Score F0s estimated on the model's frames by mir_eval itself; NaN if unannotated.

    The steps of its ``multipitch.metrics``, without those for pitch classes and its look at every
    pitch, which take more than half of its time: a ``GridReference`` has looked at them all.
    """
    from mir_eval import multipitch  # a second, with all of its tasks; mostly, scores are counted

    if (truth := reference.truth) is None:
        return math.nan, math.nan
    with warnings.catch_warnings():
        # empty references and estimates are scored 0, which is meant
        warnings.simplefilter("ignore")
        same = len(truth.times) == len(reference.times)
        if not (same and np.allclose(reference.times, truth.times)):
            estimate = multipitch.resample_multipitch(reference.times, estimate, truth.times)
        pitches = [multipitch.frequencies_to_midi(f0s) for f0s in (truth.f0s, estimate)]
        n_right = multipitch.compute_num_true_positives(*pitches)
        counts = map(multipitch.compute_num_freqs, pitches)
        precision, recall, _ = multipitch.compute_accuracy(n_right, *counts)
    return float(precision), float(recall)


def f1(precision: float, recall: float) -> float:
    """Return 2 P R / (P + R), 0 where both are; NaN in, NaN out."""
    total = precision + recall
    return total if total != total else (2 * precision * recall / total if total > 0 else 0.0)


def mean_scores(tracks: list[TrackScores]) -> TrackScores:
    """Average over the tracks that have a measure, each counting alike; NaN if none has."""
    means = []
    for measure in ALL_MEASURES:
        values = [v for t in tracks if not math.isnan(v := getattr(t, measure))]
        means.append(float(np.mean(values)) if values else float("nan"))
    return TrackScores(*means)
