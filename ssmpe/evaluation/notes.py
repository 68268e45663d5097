"""Scores of notes by mir_eval.transcription, and the rule that makes the best of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ssmpe import units
from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.evaluation.multipitch import Counts
from ssmpe.signal.notes import NoteRule, NoteTracker, Semitones
from ssmpe.units import Floats

OFFSET_RATIO = 0.2
"""Share of a note's duration by which its offset may be missed; 50 ms of a short one"""
GRID: dict[str, tuple[float, ...]] = {
    "signal": (0.0, 5.0, 10.0, 20.0),
    "strike": (4.0, 5.5, 7.0, 10.0, 14.0, 1000.0),
    "on": (-1.0, -0.5, 0.0, 0.5, 1.0),
    "off": (-2.0, -1.5, -1.0, -0.5, 0.0),
    "least": (0.05, 0.07, 0.1, 0.14),
    "gap": (0.0, 0.05, 0.1),
}
"""Values that are tried of a rule, one setting after the other; a strike of 1000 dB is none"""
NOTE_MEASURES = tuple(f"{n}_{m}" for n in ("onset", "note") for m in ("precision", "recall", "f1"))
"""Names of what ``NoteScores.values`` gives"""
MOST_PAIRS = 1_000_000
"""Pairs of notes that mir_eval compares at once, at some fifty bytes each"""
GAP = 0.51
"""Semitones that no match bridges"""
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

    def values(self) -> dict[str, float]:
        """Return precision, recall and F1 of both, named as in ``NOTE_MEASURES``."""
        counts = (self.onset, self.whole)
        of_both = [v for c in counts for v in (c.precision, c.recall, c.f1)]
        return dict(zip(NOTE_MEASURES, of_both, strict=True))


def compare(truth: NoteAnnotation, found: NoteAnnotation) -> NoteScores:
    """Compare notes as ``mir_eval.transcription.precision_recall_f1_overlap`` does."""
    from mir_eval import transcription  # a second, with all of mir_eval's tasks

    onset = whole = 0
    for some in _groups(truth.f0s, found.f0s):
        notes = [x[i] for a, i in zip((truth, found), some, strict=True) for x in _columns(a)]
        onset += len(transcription.match_notes(*notes, offset_ratio=None))
        whole += len(transcription.match_notes(*notes, offset_ratio=OFFSET_RATIO))
    sizes = len(truth.onsets), len(found.onsets)
    return NoteScores(Counts(onset, *sizes), Counts(whole, *sizes))


def _groups(truth: Floats, found: Floats) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield numbers of notes that are compared with each other, of F0s in Hz.

    mir_eval compares all with all. Of many, those are taken together that no gap in pitch parts,
    and a match would not bridge.
    """
    pitches = units.hz_to_midi(np.concatenate([truth, found]))
    order = np.argsort(pitches, kind="stable")
    parts = np.flatnonzero(np.diff(pitches[order]) > GAP) + 1
    for part in np.split(order, parts if len(truth) * len(found) > MOST_PAIRS else []):
        of_truth = np.sort(part[part < len(truth)])
        of_found = np.sort(part[part >= len(truth)]) - len(truth)
        if len(of_truth) and len(of_found):
            yield of_truth, of_found


def _columns(notes: NoteAnnotation) -> tuple[NDArray[np.float64], Floats]:
    """Return intervals (N, 2) in s, and F0s (N,) in Hz."""
    return np.stack([notes.onsets, notes.offsets], axis=1), notes.f0s


def tuned_rule(
    tracks: Sequence[tuple[Mapping[float, NDArray[np.float32]], NoteAnnotation]],
    semitones: Semitones,
    frame_rate: float,
    threshold: float,
) -> NoteRule | None:
    """Choose the rule that makes the best notes of a labelled validation set.

    Of each setting in turn, that value of ``GRID`` is kept with which the mean over tracks of both
    F1 is highest; the first of equals. None if there are no tracks.

    Args:
        tracks: what notes are made of, as ``Semitones.of`` gives it with each weight of the signal
            in ``GRID``, and the truth.
        threshold: least salience of a pitch.
    """

    def score(rule: NoteRule) -> float:
        total = 0.0
        for values, truth in tracks:
            tracker = NoteTracker(semitones, frame_rate, threshold, rule)
            tracker.add(values[rule.signal])
            found = compare(truth, tracker.notes().annotation)
            total += found.onset.f1 + found.whole.f1
        return total

    return best_rule(score) if tracks else None


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
