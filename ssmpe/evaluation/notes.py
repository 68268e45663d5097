"""Scores of notes by mir_eval.transcription, and the rule that makes the best of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.evaluation.multipitch import Counts
from ssmpe.evaluation.scores import f1
from ssmpe.evaluation.scoring import EvaluationSet
from ssmpe.network.model import Autoencoder
from ssmpe.signal.features import first_harmonic
from ssmpe.signal.notes import NoteRule, Notes, NoteTracker, Semitones

OFFSET_RATIO = 0.2
"""Share of a note's duration by which its offset may be missed; 50 ms of a short one"""
GRID: dict[str, tuple[float, ...]] = {
    "strike": (4.0, 5.5, 7.0, 10.0, 14.0, 1000.0),
    "on": (-1.0, -0.5, 0.0, 0.5, 1.0),
    "off": (-2.0, -1.5, -1.0, -0.5, 0.0),
    "least": (0.05, 0.07, 0.1, 0.14),
    "gap": (0.0, 0.05, 0.1),
}
"""Values that are tried of a rule, one setting after the other; a strike of 1000 dB is none"""
ROUNDS = 2
"""Times that all settings are gone through"""


@dataclass(frozen=True)
class NoteScores:
    """Notes that are right: within half a semitone and 50 ms of the truth's pitch and onset.

    Attributes:
        onset: counts whatever their offsets.
        whole: counts of those whose offset is right as well: within 50 ms, or a fifth of the note.
    """

    onset: Counts
    whole: Counts

    @property
    def f1_onset(self) -> float:
        return f1(self.onset.precision, self.onset.recall)

    @property
    def f1_whole(self) -> float:
        return f1(self.whole.precision, self.whole.recall)


def compare(truth: NoteAnnotation, found: NoteAnnotation) -> NoteScores:
    """Compare notes as ``mir_eval.transcription.precision_recall_f1_overlap`` does."""
    from mir_eval import transcription  # a second, with all of mir_eval's tasks

    sizes, whole, onset = (len(truth.onsets), len(found.onsets)), 0, 0
    if all(sizes):
        notes = [x for a in (truth, found) for x in (_intervals(a), a.f0s)]
        onset = len(transcription.match_notes(*notes, offset_ratio=None))
        whole = len(transcription.match_notes(*notes, offset_ratio=OFFSET_RATIO))
    return NoteScores(Counts(onset, *sizes), Counts(whole, *sizes))


def notes_of(
    network: Autoencoder, evaluated: EvaluationSet, threshold: float, rule: NoteRule
) -> Iterator[tuple[int, Notes]]:
    """Yield number and notes of every track of a set whose notes are known, in no order."""
    rate, semitones = evaluated.geometry.frame_rate, Semitones(evaluated.geometry)
    for i, values in _values(network, evaluated, semitones):
        tracker = NoteTracker(semitones, rate, threshold, rule)
        tracker.add(values)
        yield i, tracker.notes()


def tuned_rule(network: Autoencoder, evaluated: EvaluationSet, threshold: float) -> NoteRule | None:
    """Choose the rule that makes the best notes of a labelled validation set.

    Of each setting in turn, that value of ``GRID`` is kept with which the mean over tracks of both
    F1 is highest; the first of equals. None if the set tells no notes.

    Args:
        network: in evaluation mode.
        threshold: least salience of a pitch.
    """
    semitones = Semitones(evaluated.geometry)
    tracks = []
    for i, values in _values(network, evaluated, semitones):
        truth = evaluated.notes(i)
        assert truth is not None
        tracks.append((i, values, truth))
    if not tracks:
        return None
    tracks.sort(key=lambda track: track[0])  # however they were grouped

    def score(rule: NoteRule) -> float:
        total = 0.0
        for _, values, truth in tracks:
            tracker = NoteTracker(semitones, evaluated.geometry.frame_rate, threshold, rule)
            tracker.add(values)
            found = compare(truth, tracker.notes().annotation)
            total += found.f1_onset + found.f1_whole
        return total

    return best_rule(score)


def best_rule(score: Callable[[NoteRule], float]) -> NoteRule:
    """Return the rule of ``GRID`` that a search along one setting after the other leads to."""
    best, highest = NoteRule(), score(NoteRule())
    tried = {best}
    for _ in range(ROUNDS):
        for name, values in GRID.items():
            for value in values:
                on, off = (value if n == name else getattr(best, n) for n in ("on", "off"))
                if off > on:
                    continue
                rule = replace(best, **{name: value})
                if rule in tried:
                    continue
                tried.add(rule)
                if (found := score(rule)) > highest:
                    best, highest = rule, found
    return best


def _values(
    network: Autoencoder, evaluated: EvaluationSet, semitones: Semitones
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield number of every track whose notes are known, and what notes are made of."""
    for i, salience in evaluated.saliences(network):
        if evaluated.notes(i) is not None:
            features = first_harmonic(evaluated.features(i), evaluated.geometry)[0]
            yield i, semitones.of(salience, features)


def _intervals(notes: NoteAnnotation) -> NDArray[np.float64]:
    return np.stack([notes.onsets, notes.offsets], axis=1)
