"""Scores of a network on whole sets, again and again: what does not change is prepared once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssmpe.config import GeometryConfig
from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.data.sets import LoadedSet, Ready
from ssmpe.errors import UserError
from ssmpe.evaluation.curves import best_threshold
from ssmpe.evaluation.inference import saliences, track_features
from ssmpe.evaluation.multipitch import GridReference
from ssmpe.evaluation.notes import GRID, NoteScores, compare
from ssmpe.evaluation.scores import (
    Observed,
    Reference,
    ScoringError,
    SetScores,
    TrackScores,
    f1,
    mean_scores,
    precision_recall,
    similarities,
)
from ssmpe.network.model import Autoencoder
from ssmpe.signal.features import first_harmonic
from ssmpe.signal.hcqt import HCQT
from ssmpe.signal.notes import NoteRule, NoteTracker, Semitones
from ssmpe.signal.salience import THRESHOLD, decode

FEATURE_CACHE_BYTES = 512 * 2**20
"""Bytes of features of evaluation tracks kept in memory between validations, all sets together"""
GROUP_VALUES = {"cpu": 1 << 18}
"""Frames times bins that run through the network together, by device: few enough for its caches"""
DEVICE_GROUP_VALUES = 1 << 22
"""Frames times bins on other devices, which need many to be busy"""
OBSERVED_BYTES = 2**30
"""Bytes of what is observed of networks that are scored together"""
PEAK_BYTES = 12
"""Bytes of a peak in a ``Curve``"""


class EvaluationSet:
    """A set to be scored again and again: annotations are prepared once, features if they fit.

    Attributes:
        first_salience: of the first track, (F, T), from the network that was last scored.

    Raises:
        UserError: an annotation has pitches that cannot be scored.
    """

    def __init__(self, source: LoadedSet, hcqt: HCQT, device: str, cache_bytes: int) -> None:
        self.name, self._source, self._hcqt, self._device = source.name, source, hcqt, device
        self._room = cache_bytes
        self._features: dict[tuple[int, ...], Tensor] = {}
        self._references: list[Reference] = []
        self._grids: list[GridReference | None] = []
        self._halves: list[Tensor] = []
        for i, annotation in enumerate(source.annotations):
            self._references.append(Reference.of(annotation, self._audio(i), hcqt.geometry))
            try:
                self._grids.append(self._references[i].on_grid(hcqt.geometry))
            except ValueError as error:
                raise UserError(f"{self.name}: {self.track_name(i)}: {error}") from None
            self._halves.append(torch.from_numpy(self._references[i].halves).to(device))
        self._groups = self._grouped()
        self.first_salience: Tensor | None = None

    def __len__(self) -> int:
        return len(self._references)

    @property
    def geometry(self) -> GeometryConfig:
        return self._hcqt.geometry

    def track_name(self, i: int) -> str:
        return self._source.store.tracks[i].name

    def reference(self, i: int) -> Reference:
        return self._references[i]

    def notes(self, i: int) -> NoteAnnotation | None:
        """Return the notes of track i, if they are known."""
        annotation = self._source.annotations[i]
        return None if annotation is None else annotation.notes

    def halves(self, i: int) -> Tensor:
        """Return the halves (2, T) of track i's reference, on the device."""
        return self._halves[i]

    def observed(self, i: int, packed: NDArray[np.float32]) -> Observed:
        """Return what scores of track i are made of, from what ``Observed.packed`` made of it."""
        return Observed.unpacked(packed, self._references[i], self._grids[i])

    def features(self, i: int) -> Tensor:
        """Return the features (1, H, F, T) of track i on the device."""
        for group, features in self._features.items():
            if i in group:
                n = group.index(i)
                return features[n : n + 1]
        return track_features(self._audio(i).to(self._device), self._hcqt)

    def cache(self) -> None:
        """Compute the features that there is room for."""
        for group in self._groups:
            self._group_features(group)

    @property
    def cached_bytes(self) -> int:
        return sum(f.numel() * f.element_size() for f in self._features.values())

    @property
    def observed_bytes(self) -> int:
        """Bytes that ``Observed`` of all tracks take at most, where every other bin is a peak."""
        n_frames = sum(len(reference.times) for reference in self._references)
        return n_frames * (self.geometry.n_bins // 2 + 1) * PEAK_BYTES

    def saliences(self, network: Autoencoder) -> Iterator[tuple[int, Tensor]]:
        """Yield number and salience (F, T) of every track, in no particular order."""
        return ((i, salience) for _, i, salience, _ in self.saliences_of([network]))

    def noted(
        self, network: Autoencoder, semitones: Semitones
    ) -> list[tuple[dict[float, NDArray[np.float32]], NoteAnnotation]]:
        """Return what ``tuned_rule`` wants of the tracks whose notes are known.

        Args:
            semitones: of the geometry.
        """
        if not any(self.notes(i) is not None for i in range(len(self))):
            return []
        shown = self.first_salience
        found = {
            i: ({w: semitones.of(salience, first, w) for w in GRID["signal"]}, notes)
            for _, i, salience, first in self.saliences_of([network])
            if (notes := self.notes(i)) is not None
        }
        self.first_salience = shown  # nothing is scored
        return [found[i] for i in sorted(found)]

    def saliences_of(
        self, networks: Sequence[Autoencoder]
    ) -> Iterator[tuple[int, int, Tensor, Tensor]]:
        """Yield number of the network, of the track, salience and first harmonic, each (F, T).

        They come in no particular order. The features of a track, which cost more than a small
        network, are computed once for all.
        """
        for group in self._groups:
            features = self._group_features(group)
            first = first_harmonic(features, self.geometry)
            for n, network in enumerate(networks):
                of_group = saliences(network, features)
                if 0 in group:
                    self.first_salience = of_group[group.index(0)].clone()  # without its neighbours
                for i, salience, harmonic in zip(group, of_group, first, strict=True):
                    yield n, i, salience, harmonic

    def _audio(self, i: int) -> Tensor:
        return torch.from_numpy(self._source.store.audio(i).copy())[None, None]

    def _grouped(self) -> list[tuple[int, ...]]:
        """Find the tracks that run through the network together.

        They are equally long: behind the end of a shorter one the network would see its own biases
        instead of zeros.
        """
        by_length: dict[int, list[int]] = {}
        for i, reference in enumerate(self._references):
            by_length.setdefault(len(reference.times), []).append(i)
        most = GROUP_VALUES.get(torch.device(self._device).type, DEVICE_GROUP_VALUES)
        groups = []
        for n_frames, tracks in by_length.items():
            size = max(1, most // (n_frames * self.geometry.n_bins))
            groups += [tuple(tracks[i : i + size]) for i in range(0, len(tracks), size)]
        return groups

    def _group_features(self, group: tuple[int, ...]) -> Tensor:
        """Return the features (B, H, F, T) of a group, in the network's memory format."""
        if group in self._features:
            return self._features[group]
        features = torch.cat([self.features(i) for i in group])
        features = features.transpose(2, 3).contiguous(memory_format=torch.channels_last)
        features = features.transpose(2, 3)
        size = features.numel() * features.element_size()
        if size <= self._room:
            self._room -= size
            self._features[group] = features
        return features


_Key = tuple[tuple[tuple[str, Path, Ready], ...], GeometryConfig, str]
_last: dict[_Key, list[EvaluationSet]] = {}
"""Sets that ``prepare_once`` has given last: the trials of a process mostly have the same"""


def prepare_once(sources: tuple[LoadedSet, ...], hcqt: HCQT, device: str) -> list[EvaluationSet]:
    """Return what ``prepare`` gives; that of the last call, if it was asked for the same."""
    key = tuple((s.name, s.store.folder, s.ready) for s in sources), hcqt.geometry, device
    if key not in _last:
        _last.clear()  # before others take their memory
        _last[key] = prepare(sources, hcqt, device)
    return _last[key]


def prepare(sources: tuple[LoadedSet, ...], hcqt: HCQT, device: str) -> list[EvaluationSet]:
    """Prepare sets that share one allowance of memory for features, first come first served."""
    prepared, room = [], FEATURE_CACHE_BYTES
    for source in sources:
        evaluation_set = EvaluationSet(source, hcqt, device, room)
        evaluation_set.cache()
        room -= evaluation_set.cached_bytes
        prepared.append(evaluation_set)
    return prepared


def evaluate(
    network: Autoencoder,
    evaluated: EvaluationSet,
    threshold: float | None = None,
    *,
    by_mir_eval: bool = False,
) -> SetScores:
    """Score a network in evaluation mode on a set.

    Args:
        threshold: of the measures that are tuned, the best on the labelled validation set; None:
            this is that set. If its output has no peak, nothing can be tuned, and one half stays.
        by_mir_eval: compare precision and recall at one half, and F1 at the threshold, with those
            that mir_eval itself gives, which takes many times as long.

    Raises:
        ScoringError: they are not equal.
    """
    order, packed = [], []
    for i, salience in evaluated.saliences(network):
        order.append(i)
        packed.append(Observed.packed(salience, evaluated.halves(i)))
    on_host = torch.cat(packed).cpu().numpy()  # the one time that the host waits for the device
    ends = np.cumsum([len(p) for p in packed])
    pieces = dict(zip(order, np.split(on_host, ends[:-1]), strict=True))
    observed = [evaluated.observed(i, pieces[i]) for i in range(len(evaluated))]
    scores = _set_scores(evaluated, observed, threshold)
    if by_mir_eval:  # the threshold may have been found just now
        for i, salience in evaluated.saliences(network):
            _check(scores, evaluated, i, _by_mir_eval(evaluated, i, salience, scores.threshold))
    return scores


def evaluate_all(
    networks: Sequence[tuple[Autoencoder, float, NoteRule]],
    evaluated: EvaluationSet,
    progress: Callable[[int], None] = lambda done: None,
) -> list[SetScores]:
    """Score networks in evaluation mode on a set, and compare with mir_eval, as ``evaluate`` does.

    Notes are scored, too, where they are known.

    Features are computed once for as many networks as what is observed of them has room for, and
    are in memory a few tracks at a time.

    Args:
        networks: each with the threshold of the measures that are tuned, and the rule of notes.
        progress: called with the number of tracks that are done, of all networks together.

    Raises:
        ScoringError: scores are not those that mir_eval itself gives.
    """
    scores: list[SetScores] = []
    semitones = Semitones(evaluated.geometry)
    at_once = max(1, OBSERVED_BYTES // max(1, evaluated.observed_bytes))
    for start in range(0, len(networks), at_once):
        some, done = networks[start : start + at_once], start * len(evaluated)
        observed: list[dict[int, Observed]] = [{} for _ in some]
        theirs: list[dict[int, _PublishedScores]] = [{} for _ in some]
        notes: list[dict[int, NoteScores]] = [{} for _ in some]
        for n, i, salience, first in evaluated.saliences_of([network for network, *_ in some]):
            packed = Observed.packed(salience, evaluated.halves(i)).cpu().numpy()
            observed[n][i] = evaluated.observed(i, packed)
            _, threshold, rule = some[n]
            theirs[n][i] = _by_mir_eval(evaluated, i, salience, threshold)
            if (truth := evaluated.notes(i)) is not None:
                tracker = NoteTracker(semitones, evaluated.geometry.frame_rate, threshold, rule)
                tracker.add(semitones.of(salience, first, rule.signal))
                notes[n][i] = compare(truth, tracker.notes().annotation)
            done += 1
            progress(done)
        parts = zip(observed, theirs, notes, some, strict=True)
        for of_tracks, by_mir_eval, of_notes, (_, threshold, _) in parts:
            in_order = [of_tracks[i] for i in range(len(evaluated))]
            found = _set_scores(evaluated, in_order, threshold)
            for i, expected in by_mir_eval.items():
                _check(found, evaluated, i, expected)
            named = {evaluated.track_name(i): of_notes[i] for i in sorted(of_notes)}
            scores.append(replace(found, notes=named))
    return scores


def _set_scores(
    evaluated: EvaluationSet, observed: Sequence[Observed], threshold: float | None
) -> SetScores:
    """Score a set by what was observed of its tracks; ``threshold`` as of ``evaluate``."""
    best = best_threshold([one.curve for one in observed if one.curve is not None])
    tuned = (THRESHOLD if math.isnan(best) else best) if threshold is None else threshold
    tracks = {}
    for i, (one, similarity) in enumerate(zip(observed, similarities(observed), strict=True)):
        scores = _scores(one, evaluated.reference(i), tuned, best)
        tracks[evaluated.track_name(i)] = replace(scores, similarity=similarity)
    return SetScores(evaluated.name, mean_scores(list(tracks.values())), tracks, tuned, best)


def _scores(one: Observed, reference: Reference, tuned: float, best: float) -> TrackScores:
    """Return all measures of a track but its similarity to others, at these thresholds."""
    if one.curve is None or one.top is None:
        return replace(
            one.scores(reference, math.nan, math.nan),
            blank_rate_tuned=one.blank_rate(reference, tuned),
        )
    counts = one.curve.at(THRESHOLD)
    return replace(
        one.scores(reference, counts.precision, counts.recall),
        f1_tuned=one.f1_at(tuned),
        blank_rate_tuned=one.blank_rate(reference, tuned),
        f1_best=one.f1_at(best),
        average_precision=one.curve.average_precision,
        top_n=f1(one.top.precision, one.top.recall),
    )


_PublishedScores = tuple[float, float, float]
"""Precision and recall at a salience of one half, and F1 at a threshold"""


def _by_mir_eval(
    evaluated: EvaluationSet, i: int, salience: Tensor, threshold: float
) -> _PublishedScores:
    """Return what mir_eval itself gives for a salience (F, T) of track i."""
    reference, g = evaluated.reference(i), evaluated.geometry
    at_half, tuned = (
        precision_recall(reference, decode(salience, g, at)) for at in (THRESHOLD, threshold)
    )
    return *at_half, f1(*tuned)


def _check(scores: SetScores, evaluated: EvaluationSet, i: int, theirs: _PublishedScores) -> None:
    """Check that the scores of track i are those of ``_by_mir_eval``.

    Raises:
        ScoringError: they are not.
    """
    track = evaluated.track_name(i)
    own = scores.tracks[track]
    ours = own.precision, own.recall, own.f1_tuned
    if not np.array_equal(ours, theirs, equal_nan=True):
        raise ScoringError(
            f"{scores.name}: {track}: precision, recall and F1 at {scores.threshold:.3g} are "
            f"{theirs} by mir_eval, but {ours} as computed at every validation: these scores are "
            "not to be relied upon"
        )
