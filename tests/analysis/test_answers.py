"""Answers of single kinds of sweeps, from invented ones."""

from dataclasses import replace

import numpy as np

from analysis.answers.answer import answer
from analysis.numbers.comparison import Comparison
from analysis.reading.records import MetricCurve, StoredSweep
from tests.analysis.test_border import on_a_plane
from tests.analysis.test_figures import sweep_of
from tests.support.analysis_store import Invented

WHERE = "MusicNet/test"


def continued(sweep: StoredSweep, blank_at_start: float, f1_at_start: float) -> StoredSweep:
    """Return the sweep with rows -FT that begin with such scores at batch 0."""
    trials = []
    for trial in sweep.trials:
        if trial.row.endswith("-FT"):
            curves = dict(trial.curves)
            for measure, value in (("blank_rate", blank_at_start), ("f1", f1_at_start)):
                old = curves[f"{WHERE}/{measure}"]
                steps, values = np.insert(old.steps, 0, 0), np.insert(old.values, 0, value)
                curves[f"{WHERE}/{measure}"] = MetricCurve(steps, values)
            trial = replace(trial, curves=curves, params={**trial.params, "training.parent": "x"})
        trials.append(trial)
    return replace(sweep, script="two_stage", trials=tuple(trials))


def test_what_two_stages_change_is_told_from_the_parent_s_scores():
    invented = [
        Invented("Ref.", 0),
        Invented("Ref.-FT", 0),
        Invented("+MN-8", 0, "MusicNet/train", 8, "collapsed", 300),
        Invented("+MN-8-FT", 0, "MusicNet/train", 8),
        Invented("+FMA-8-FT", 0, "FMA/all", 8),
    ]
    sweep = continued(sweep_of(invented), 0.07, 0.54)
    end = {t.row: t for t in sweep.trials}
    first, second = answer(Comparison.of(sweep, scores={})).sentences
    for row in ("+MN-8-FT", "Ref.-FT"):
        blank, f1 = (end[row].final(WHERE, m) for m in ("blank_rate", "f1"))
        moves = f"{row} goes from a blank rate of 0.07 to {blank:.2f} and from F1 0.54 to {f1:.2f}"
        assert moves in first
    assert "+FMA-8-FT" not in first  # no set of its kind is scored
    blank = end["+MN-8"].final(WHERE, "blank_rate")
    assert f"Added from the start, +MN-8 ends on {WHERE} at a blank rate of {blank:.2f}" in second
    assert second.endswith("the run in which it joins did not collapse.")


def test_of_many_continued_rows_the_best_is_told():
    """As of remedies, which they try on a network that has collapsed."""
    remedies = ("", "+stop", "+teacher", "+content")
    invented = [Invented("Ref.", 0), Invented("Ref.-FT", 0)]
    invented += [
        Invented(f"+MN-8{remedy}{later}", 0, "MusicNet/train", 8)
        for later, ways in (("", remedies[:1]), ("-FT", remedies))
        for remedy in ways
    ]
    sweep = continued(sweep_of(invented), 0.83, 0.09)
    first, second = answer(Comparison.of(sweep, scores={})).sentences
    assert "the lowest of 4 rows that add it and change more" in first
    assert "The best F1 there among these is" in second
    assert len(first) < 300


def test_a_remedy_is_compared_with_the_row_whose_kind_is_scored():
    """Rows that add music of a kind that nothing tells about come first in the table."""
    energy = {"supervised": 1.0, "timbre": 1.0, "percussion": 1.0, "geometric": 1.0, "energy": 1.0}
    invented = [
        Invented("Ref.", 0),
        Invented("+FMA-8", 0, "FMA/all", 8),
        Invented("+MN-8", 0, "MusicNet/train", 8),
        Invented("+MN-8+energy", 0, "MusicNet/train", 8, weights=energy),
    ]
    sweep = replace(sweep_of(invented), script="energy")
    first, second = answer(Comparison.of(sweep, scores={})).sentences
    assert first.startswith(f"On {WHERE}, of the added kind, the blank rate is")
    assert "with +MN-8 and" in first
    assert "with +MN-8+energy, the only row that adds it and changes more" in first
    assert "The best F1 there among these is" in second


def test_a_remedy_is_compared_with_itself_where_nothing_is_added():
    invented = [
        Invented("Ref.", 0),
        Invented("+MN-8", 0, "MusicNet/train", 8),
        Invented("+stop", 0),
        Invented("+MN-8+stop", 0, "MusicNet/train", 8),
    ]
    sweep = with_remedy(sweep_of(invented))
    _, second = answer(Comparison.of(sweep, scores={})).sentences
    f1 = next(t for t in sweep.trials if t.row == "+stop").final(WHERE, "f1")
    assert f"; +stop, the same with nothing added, has {f1:.2f}" in second


def test_where_the_border_lies_is_told_weight_by_weight():
    first, second = answer(Comparison.of(sweep_of(on_a_plane(1)), scores={})).sentences
    assert "collapse nowhere at 0.1, nowhere at 0.3, from 8 excerpts on at 1 and nowhere" in first
    assert "(times the self-supervised weights of Ref.)" in first
    assert "highest with row 0.3 8 (" in second


def test_what_an_objective_brings_is_a_mean_over_pairs_of_rows():
    def weights(*names: str) -> dict[str, float]:
        return dict.fromkeys(("supervised", *names), 1.0)

    invented = [
        Invented("supervised", 0, weights=weights()),
        Invented("T", 0, weights=weights("timbre")),
        Invented("P", 0, weights=weights("percussion")),
        Invented("Ref.", 0, weights=weights("timbre", "percussion")),
    ]
    sweep = sweep_of(invented)
    f1 = {t.row: t.final(sweep.validation, "f1") for t in sweep.trials}
    first, second = answer(Comparison.of(sweep, scores={})).sentences
    timbre = (f1["T"] - f1["supervised"] + f1["Ref."] - f1["P"]) / 2
    assert f"{timbre:+.2f} with timbre (2 pairs)".replace("-", "−") in first
    together = f"{f1['Ref.'] - f1['supervised']:+.2f} on {sweep.validation}"
    assert f"supervised alone by {together}".replace("-", "−") in second


def test_rows_with_the_same_remedy_alone_are_no_rows_without_it():
    invented = [Invented("+stop", 0), Invented("+MN-8+stop", 0, "MusicNet/train", 8)]
    said = " ".join(answer(Comparison.of(with_remedy(sweep_of(invented)), scores={})).sentences)
    assert "changes more" not in said
    assert "+MN-8+stop" in said


def with_remedy(sweep: StoredSweep) -> StoredSweep:
    """Return the sweep as one of ``content``: rows called so have targets without gradient."""
    trials = tuple(
        replace(t, params={**t.params, "objectives.stop_gradient": str("+stop" in t.row)})
        for t in sweep.trials
    )
    return replace(sweep, script="content", trials=trials)
