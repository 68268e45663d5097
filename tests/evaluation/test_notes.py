"""Scores of notes against mir_eval's own, and the choice of the rule that makes them."""

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpe.config import TrialConfig
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.data.sets import load_use, use_of
from ssmpe.data.store.cache import cache_dir
from ssmpe.evaluation import notes as evaluation_notes
from ssmpe.evaluation.notes import GRID, best_rule, compare, tuned_rule
from ssmpe.evaluation.scoring import EvaluationSet, evaluate_all
from ssmpe.network.baselines import network_of
from ssmpe.signal.hcqt import shared_hcqt
from ssmpe.signal.notes import NoteRule, Semitones

SOME = st.lists(
    st.tuples(st.floats(0, 3), st.floats(0.01, 1), st.floats(55, 62)), min_size=0, max_size=25
)


def annotated(notes: list[tuple[float, float, float]]) -> NoteAnnotation:
    onsets, seconds, midi = np.array(notes, np.float64).reshape(-1, 3).T
    return NoteAnnotation(onsets, onsets + seconds, 440 * 2 ** ((midi - 69) / 12))


@pytest.mark.parametrize("most_pairs", [0, evaluation_notes.MOST_PAIRS])
@pytest.mark.filterwarnings("ignore:.*notes are empty")
@given(SOME, SOME, st.data())
def test_counts_are_mir_eval_s(most_pairs, truth, others, data):
    """Compared all with all, or in parts, as many notes are."""
    moved = st.tuples(st.floats(-0.06, 0.06), st.floats(-0.3, 0.3), st.floats(-0.6, 0.6))
    shifts = [data.draw(moved) for _ in truth]
    near = [
        (max(t + dt, 0), max(d + dd, 0.01), p + dp)
        for (t, d, p), (dt, dd, dp) in zip(truth, shifts, strict=True)
    ]
    reference, estimate = annotated(truth), annotated(near + others)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation_notes, "MOST_PAIRS", most_pairs)
        found = compare(reference, estimate)
    notes = [
        x for a in (reference, estimate) for x in (np.stack([a.onsets, a.offsets], axis=1), a.f0s)
    ]
    for counts, ratio, f1 in (
        (found.onset, None, found.onset.f1),
        (found.whole, 0.2, found.whole.f1),
    ):
        expected = mir_eval.transcription.precision_recall_f1_overlap(*notes, offset_ratio=ratio)
        assert (counts.precision, counts.recall, f1) == pytest.approx(expected[:3], abs=1e-12)


def test_limits_of_note_scores():
    notes = annotated([(0.0, 0.5, 60), (1.0, 0.5, 60), (1.0, 0.5, 64)])
    none, late = annotated([]), annotated([(0.0, 0.7, 60), (1.04, 0.46, 60), (1.06, 0.4, 64)])
    assert set(compare(notes, notes).values().values()) == {1.0}
    for truth, found in ((notes, none), (none, notes), (none, none)):
        assert set(compare(truth, found).values().values()) == {0.0}
    # an offset 0.2 s late, of a note of 0.5 s; an onset 0.06 s late
    assert compare(notes, late).onset.n_matched == 2
    assert compare(notes, late).whole.n_matched == 1


def test_the_rule_is_searched_for_along_one_setting_after_the_other():
    wanted = NoteRule(on=0.5, off=-1.0, least=0.1, gap=0.05, strike=10.0, signal=5.0)
    asked = []

    def score(rule: NoteRule) -> float:
        assert rule.off <= rule.on
        asked.append(rule)
        return -sum(abs(getattr(rule, n) - getattr(wanted, n)) for n in GRID)

    assert best_rule(score) == wanted
    assert len(asked) == len(set(asked)) <= 2 * sum(map(len, GRID.values()))
    # the first of equals: what nothing improves, stays as it is
    assert best_rule(lambda rule: 0.0) == NoteRule()


def test_the_tuned_rule_makes_better_notes(world, brief: TrialConfig):
    """Of what there is without a network; and nothing is tuned where no notes are known."""
    config = brief.replace({"model.network": "harmonic_sum"})
    g = config.geometry
    network = network_of(g, config.model).eval()
    hcqt = shared_hcqt(g, "cpu")

    def prepared(name: str) -> EvaluationSet:
        use = use_of(name, config.data, g.sample_rate, annotated=True)
        loaded = load_use(use, Locations(world), cache_dir())
        return EvaluationSet(loaded, hcqt, "cpu", cache_bytes=0)

    validation, semitones = prepared("URMP/validation"), Semitones(g)
    tracks = validation.noted(network, semitones)
    assert validation.first_salience is None  # a picture shows what was scored
    rule = tuned_rule(tracks, semitones, g.frame_rate, 0.5)
    assert rule is not None
    totals = {}
    for tried in (NoteRule(), rule):
        (scores,) = evaluate_all([(network, 0.5, tried)], validation)
        assert scores.notes.keys() == scores.tracks.keys()
        totals[tried] = sum(s.onset.f1 + s.whole.f1 for s in scores.notes.values())
    assert totals[rule] > totals[NoteRule()] > 0
    bach10 = prepared("Bach10/all")
    assert bach10.noted(network, semitones) == []
    assert tuned_rule([], semitones, g.frame_rate, 0.5) is None
    (scores,) = evaluate_all([(network, 0.5, rule)], bach10)
    assert not scores.notes
