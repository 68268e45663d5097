"""Answers of single kinds of sweeps, from invented ones."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.answers.answer import answer, general
from analysis.answers.facts import Facts
from analysis.numbers.comparison import Comparison
from ssmpe.tracking.stored.records import MetricCurve, StoredSweep, StoredTrial
from tests.analysis.test_border import on_a_plane
from tests.analysis.test_figures import sweep_of
from tests.support.analysis_store import Invented

WHERE = "MusicNet/test"
both = pytest.mark.parametrize("half", [False, True], ids=["tuned", "at one half alone"])
"""Stores that have scores at a tuned threshold, and those of 0.3.0"""
NAMES = {
    "f1": "F1 at 0.5",
    "f1_tuned": "tuned F1",
    "average_precision": "average precision",
    "blank_rate": "blank rate at 0.5",
}


def told(sweep: StoredSweep) -> tuple[str, str]:
    first, second = answer(Comparison.of(sweep, scores={})).sentences
    return first, second


def shortened(trial: StoredTrial) -> StoredTrial:
    """Return a trial that has had one validation."""
    first = {key: MetricCurve(c.steps[:1], c.values[:1]) for key, c in trial.curves.items()}
    return replace(trial, curves=first)


def continued(sweep: StoredSweep, **starts: float) -> StoredSweep:
    """Return the sweep with rows -FT that begin with such scores at batch 0."""
    trials = []
    for trial in sweep.trials:
        if trial.row.endswith("-FT"):
            curves = dict(trial.curves)
            for measure, value in starts.items():
                old = curves[f"{WHERE}/{measure}"]
                steps, values = np.insert(old.steps, 0, 0), np.insert(old.values, 0, value)
                curves[f"{WHERE}/{measure}"] = MetricCurve(steps, values)
            trial = replace(trial, curves=curves, params={**trial.params, "training.parent": "x"})
        trials.append(trial)
    return replace(sweep, script="two_stage", trials=tuple(trials))


@both
def test_what_two_stages_change_is_told_from_the_parent_s_scores(half):
    invented = [
        Invented("Ref.", 0),
        Invented("Ref.-FT", 0),
        Invented("+MN-8", 0, "MusicNet/train", 8, "collapsed", 300),
        Invented("+MN-8-FT", 0, "MusicNet/train", 8),
        Invented("+FMA-8-FT", 0, "FMA/all", 8),
    ]
    invented = [replace(i, half_alone=half) for i in invented]
    starts = {"blank_rate": 0.07, "f1": 0.54}
    if not half:
        starts |= {"f1_tuned": 0.61, "average_precision": 0.58}
    sweep = continued(sweep_of(invented), **starts)
    end = {t.row: t for t in sweep.trials}
    first, second = told(sweep)
    for row in ("+MN-8-FT", "Ref.-FT"):
        for measure, start in starts.items():
            to = f"from {start:.2f} to {end[row].final(WHERE, measure):.2f}"
            name = "at 0.5" if measure == "f1" else NAMES[measure]
            assert f"{name} {to}" in first
    assert "+FMA-8-FT" not in first  # no set of its kind is scored
    blank, f1 = (end["+MN-8"].final(WHERE, m) for m in ("blank_rate", "f1" if half else "f1_tuned"))
    ends = f"{'F1 at 0.5' if half else 'tuned F1'} {f1:.2f} and a blank rate of {blank:.2f} at 0.5"
    assert f"Added from the start, +MN-8 ends on {WHERE} at {ends}" in second
    assert "the run in which it joins did not collapse at 0.5" in second
    lost = "; content is lost with +MN-8-FT."
    assert second.endswith("at 0.5." if half else lost)


def test_of_many_continued_rows_the_best_is_told():
    """As of remedies, which they try on a network that has collapsed."""
    remedies = ("", "+stop", "+teacher", "+content")
    invented = [Invented("Ref.", 0), Invented("Ref.-FT", 0)]
    invented += [
        Invented(f"+MN-8{remedy}{later}", 0, "MusicNet/train", 8)
        for later, ways in (("", remedies[:1]), ("-FT", remedies))
        for remedy in ways
    ]
    sweep = continued(sweep_of(invented), blank_rate=0.83, f1=0.09)
    first, second = answer(Comparison.of(sweep, scores={})).sentences
    assert "the lowest of 4 rows that add it and change more" in first
    assert "The best tuned F1 there among these is" in second
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
    first, second = told(sweep)
    assert first.startswith(f"On {WHERE}, of the added kind, the blank rate at 0.5 is")
    assert "with +MN-8 and" in first
    assert "with +MN-8+energy, the only row that adds it and changes more" in first
    assert "The best tuned F1 there among these is" in second


@both
def test_a_remedy_is_compared_with_itself_where_nothing_is_added(half):
    invented = [
        Invented("Ref.", 0),
        Invented("+MN-8", 0, "MusicNet/train", 8),
        Invented("+stop", 0),
        Invented("+MN-8+stop", 0, "MusicNet/train", 8),
    ]
    sweep = with_remedy(sweep_of([replace(i, half_alone=half) for i in invented]))
    _, second = told(sweep)
    f1 = next(t for t in sweep.trials if t.row == "+stop").final(
        WHERE, "f1" if half else "f1_tuned"
    )
    assert f"; +stop, the same with nothing added, has {f1:.2f}" in second
    assert ("(precision " in second) is half
    assert ("average precision" in second) is not half


def test_where_the_border_lies_is_told_weight_by_weight():
    first, second = told(sweep_of(on_a_plane(1)))
    assert (
        "collapse (at 0.5) nowhere at 0.1, nowhere at 0.3, from 8 excerpts on at 1 and nowhere"
        in first
    )
    assert "(times the self-supervised weights of Ref.)" in first
    assert "highest with row 0.3 8 (" in second


@both
def test_what_an_objective_brings_is_a_mean_over_pairs_of_rows(half):
    def weights(*names: str) -> dict[str, float]:
        return dict.fromkeys(("supervised", *names), 1.0)

    invented = [
        Invented("supervised", 0, weights=weights()),
        Invented("T", 0, weights=weights("timbre")),
        Invented("P", 0, weights=weights("percussion")),
        Invented("Ref.", 0, weights=weights("timbre", "percussion")),
    ]
    sweep = sweep_of([replace(i, half_alone=half) for i in invented])
    headline = "f1" if half else "f1_tuned"
    f1 = {t.row: t.final(sweep.validation, headline) for t in sweep.trials}
    first, second = told(sweep)
    timbre = (f1["T"] - f1["supervised"] + f1["Ref."] - f1["P"]) / 2
    assert f"{timbre:+.2f} with timbre (2 pairs)".replace("-", "−") in first
    together = f"{f1['Ref.'] - f1['supervised']:+.2f} on {sweep.validation}"
    assert f"supervised alone by {together}".replace("-", "−") in second
    assert (" at 0.5)" in second) is not half


def test_rows_with_the_same_remedy_alone_are_no_rows_without_it():
    invented = [Invented("+stop", 0), Invented("+MN-8+stop", 0, "MusicNet/train", 8)]
    said = " ".join(told(with_remedy(sweep_of(invented))))
    assert "changes more" not in said
    assert "+MN-8+stop" in said


def flat(sweep: StoredSweep, row: str, **values: float) -> StoredSweep:
    """Return the sweep with such scores of a row, on all sets and at all validations."""

    def curves(trial: StoredTrial) -> dict[str, MetricCurve]:
        given = {f"{s}/{m}": v for s in sweep.sets for m, v in values.items()}
        old = {k: trial.curves[k] for k in given if k in trial.curves}
        return {k: MetricCurve(c.steps, np.full(len(c.steps), given[k])) for k, c in old.items()}

    trials = (
        replace(t, curves={**t.curves, **curves(t)}) if t.row == row else t for t in sweep.trials
    )
    return replace(sweep, trials=tuple(trials))


BLANK = {"blank_rate": 0.98, "f1": 0.0, "f1_tuned": 0.2, "average_precision": 0.11}


@both
def test_of_rows_that_are_all_blank_none_is_the_best(half):
    rows = [Invented("Ref.", 0), Invented("+MN-8", 0, "MusicNet/train", 8)]
    sweep = flat(sweep_of([replace(i, half_alone=half) for i in rows]), "Ref.", **BLANK)
    dead = flat(sweep, "+MN-8", **{**BLANK, "average_precision": 0.14})
    first, second = told(dead)
    assert first == (
        "No row has come alive yet after 400 batches: on URMP/validation, the blank rate at 0.5 is "
        "0.98 at best."
    )
    free = "Below that threshold there are tuned F1 0.20 and average precision 0.11 to 0.14; train"
    assert second.startswith("Train longer" if half else free)
    assert "tiny takes" not in told(replace(dead, preset="small"))[1]
    early = replace(dead, preset="tiny", trials=tuple(map(shortened, dead.trials)))
    assert "after 50 batches: " in told(early)[0]
    assert "the preset tiny takes 200 to 500 batches" in told(early)[1]
    # one that is alive somewhere is compared
    assert "come alive" not in told(sweep)[0]
    basis = answer(Comparison.of(sweep, scores={})).basis
    assert "Not alive yet at 0.5, so that nothing there could collapse: Ref." in basis


def test_kinds_of_collapse_are_told_row_by_row():
    """Of what is blank at one half, one row keeps its content, and another loses it quietly."""
    rows = [("Ref.", "", 0), ("a", "MusicNet/train", 8), ("b", "MusicNet/train", 8)]
    sweep = sweep_of([Invented(r, s, a, n) for r, a, n in rows for s in (0, 1)])
    sweep = flat(sweep, "Ref.", average_precision=0.6, blank_rate=0.1)
    sweep = flat(sweep, "a", average_precision=0.6, blank_rate=0.1, similarity=0.95)
    sweep = flat(sweep, "b", average_precision=0.3, blank_rate=0.1)
    facts = Facts(Comparison.of(sweep, scores={}))
    assert facts.lost(facts.rows, [WHERE]) == (
        "content is lost with b, the output is a constant pattern with a"
    )
    one = replace(
        sweep,
        trials=tuple(
            t
            if t.seed or t.row != "b"
            else replace(t, curves=next(u.curves for u in sweep.trials if u.row == "Ref."))
            for t in sweep.trials
        ),
    )
    facts = Facts(Comparison.of(one, scores={}))
    assert facts.lost(["b"], [WHERE]) == "content is lost with b (1 of 2)"
    assert facts.lost(["Ref."], [WHERE]) == ""
    assert "content is lost with b (1 of 2)" in general(facts)[1]


def with_remedy(sweep: StoredSweep) -> StoredSweep:
    """Return the sweep as one of ``content``: rows called so have targets without gradient."""
    trials = tuple(
        replace(t, params={**t.params, "objectives.stop_gradient": str("+stop" in t.row)})
        for t in sweep.trials
    )
    return replace(sweep, script="content", trials=trials)
