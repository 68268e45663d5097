"""Which trials are stopped, when, and what their end is called: on invented reports."""

import errno
import itertools
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ssmpe.config.presets import tiny
from ssmpe.evaluation.collapse import Criterion
from ssmpe.evaluation.scores import SetScores, TrackScores
from ssmpe.runner import session
from ssmpe.runner.queue.retries import Outcome
from ssmpe.runner.schedulers import CollapseASHA
from ssmpe.runner.trial import reports
from ssmpe.storage import is_full, tells_of_full_disk
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason
from ssmpe.training.trainer import Validation

GRACE, N_BATCHES, EVERY = 210, 700, 70


def report(batch: int, f1: float, collapsing: bool) -> dict:
    return {
        reports.BATCH: batch,
        reports.OBJECTIVE: f1,
        reports.COLLAPSING: ["MusicNet/test"] if collapsing else [],
    }


def stops(scheduler: CollapseASHA, trial: SimpleNamespace, result: dict) -> bool:
    return scheduler.on_trial_result(None, trial, result) == "STOP"


@pytest.fixture
def scheduler():
    return CollapseASHA(N_BATCHES, GRACE)


def added(scheduler, name: str) -> SimpleNamespace:
    trial = SimpleNamespace(trial_id=name)
    scheduler.on_trial_add(None, trial)
    return trial


def test_the_worst_row_runs_to_its_end_unless_it_collapses(scheduler):
    """Plain ASHA would cut it at the first rung."""
    trials = [added(scheduler, name) for name in "abcdef"]
    for batch in range(EVERY, N_BATCHES + 1, EVERY):
        for rank, trial in enumerate(trials):
            assert not stops(scheduler, trial, report(batch, rank / 10, collapsing=False))


@pytest.mark.parametrize("others", itertools.permutations([0.1, 0.5, 0.9]))
def test_the_decision_does_not_depend_on_other_trials(scheduler, others):
    for number, f1 in enumerate(others):
        other = added(scheduler, str(number))
        assert not stops(scheduler, other, report(GRACE, f1, collapsing=False))
    collapsing = added(scheduler, "collapsing")
    assert stops(scheduler, collapsing, report(GRACE, 0.95, collapsing=True))


def test_nothing_is_stopped_before_the_first_rung(scheduler):
    trial = added(scheduler, "a")
    assert not stops(scheduler, trial, report(GRACE - EVERY, 0.0, collapsing=True))
    assert stops(scheduler, trial, report(GRACE, 0.0, collapsing=True))


def test_a_report_made_again_after_a_resume_is_decided_as_before(scheduler):
    """What matters is the report, not what the scheduler has seen."""
    again = CollapseASHA(N_BATCHES, GRACE)
    for batch, collapsing in ((280, False), (350, True), (420, False)):
        decisions = [
            stops(s, added(s, f"{batch}"), report(batch, 0.5, collapsing))
            for s in (scheduler, again)
        ]
        assert decisions == [collapsing, collapsing]


def curve(blank: list[float], labelled: list[float]) -> reports.Curve:
    batches = [EVERY * (i + 1) for i in range(len(blank))]
    rates = {"URMP/validation": labelled, "MusicNet/test": blank, "Bach10/all": blank}
    return reports.Curve.from_dict({"batches": batches, "blank_rates": rates})


def test_a_trial_may_be_stopped_for_the_kind_that_it_adds_alone():
    blank = curve([1.0] * 5, [1.0, 0.5, 0.2, 0.1, 0.1])
    data = tiny().data
    assert blank.collapsing(tiny().replace({"data.added.MusicNet/train": 4}).data) == [
        "MusicNet/test"
    ]
    assert blank.collapsing(tiny().replace({"data.added.NSynth/train": 4}).data) == []
    assert blank.collapsing(data) == []
    assert blank.collapsed_at(data.validation)["Bach10/all"] == 140


def validation(batch: int, **sets: TrackScores) -> Validation:
    scores = {name: SetScores(name, means, {}) for name, means in sets.items()}
    return Validation(batch, {}, scores, False, 0.0, 0.0)


def scored(blank_rate: float, tuned: float, **measures: float) -> TrackScores:
    at_half = TrackScores(0.5, 0.5, 0.5, blank_rate, 0.3, 2.0)
    return replace(at_half, blank_rate_tuned=tuned, average_precision=0.5, **measures)


SUNK = tiny().replace(
    {"data.validation": "labelled", "data.evaluation": ["X/all"], "data.added": {"X/train": 4}}
)
"""Its other set goes blank at one half, and not at the threshold that is tuned."""


def sunk() -> reports.Curve:
    course = reports.Curve.empty(SUNK)
    for n, blank in enumerate([0.9, 0.5, 0.8, 0.9, 0.95]):
        sets = {"labelled": scored(0.1, 0.1), "X/all": scored(blank, 0.1)}
        course.append(validation(EVERY * (n + 1), **sets))
    return course


def test_which_blank_rate_stops_a_trial_is_a_setting_of_the_criterion():
    course, data = sunk(), SUNK.data
    assert course.collapsing(data) == ["X/all"]
    assert course.collapsed_at("labelled") == {"labelled": None, "X/all": 3 * EVERY}
    tuned = Criterion(measure="blank_rate_tuned")
    assert course.collapsing(data, tuned) == []
    assert course.collapsed_at("labelled", tuned) == {"labelled": None, "X/all": None}


def test_the_kind_of_a_collapse_is_told_for_every_set():
    course = sunk()
    assert course.kinds("labelled") == {"labelled": None, "X/all": "level sunk"}
    course.values["average_precision"]["X/all"][-2:] = [0.1, 0.1]
    assert course.kinds("labelled")["X/all"] == "content lost"
    course.values["similarity"]["X/all"][-2:] = [0.99, 0.99]
    assert course.kinds("labelled")["X/all"] == "constant pattern"
    course.values["pitches_per_frame"]["X/all"][-2:] = [50.0, 50.0]
    assert course.kinds("labelled")["X/all"] == "all on"
    end = session.end_tags(
        {reports.COLLAPSE_KIND: course.kinds("labelled")}, Outcome(EndReason.COMPLETED)
    )
    assert json.loads(end[schema.COLLAPSE_KIND]) == {"labelled": None, "X/all": "all on"}


def test_a_course_comes_back_from_its_checkpoint():
    course = sunk()
    again = reports.Curve.from_dict(json.loads(json.dumps(course.to_dict())))
    assert repr(again) == repr(course), "NaN as well"


def test_a_course_that_0_3_0_recorded_goes_on():
    """Blank rates at one half were all that it kept: what else there was, nobody knows."""
    course = reports.Curve.from_dict(
        {"batches": [70, 140], "blank_rates": {"labelled": [0.9, 0.1], "X/all": [0.9, 0.2]}}
    )
    for n, blank in enumerate([0.8, 0.9, 0.95]):
        sets = {"labelled": scored(0.1, 0.1), "X/all": scored(blank, 0.1)}
        course.append(validation(EVERY * (n + 3), **sets))
    assert {len(values) for sets in course.values.values() for values in sets.values()} == {5}
    assert course.collapsed_at("labelled")["X/all"] == 3 * EVERY
    assert course.kinds("labelled") == {"labelled": None, "X/all": "level sunk"}


@pytest.mark.parametrize(("f1_tuned", "expected"), [(0.4, 0.4), (math.nan, 0.0)])
def test_what_trials_are_compared_by_is_f1_at_its_threshold_and_finite(f1_tuned, expected):
    found = validation(70, labelled=scored(0.1, 0.1, f1_tuned=f1_tuned))
    assert reports.objective_of(found, SUNK.data) == expected


@pytest.mark.parametrize(
    ("result", "errored", "expected"),
    [
        (report(700, 0.5, False), False, EndReason.COMPLETED),
        (report(700, 0.5, True), False, EndReason.COMPLETED),
        (report(350, 0.5, True), False, EndReason.COLLAPSED),
        (report(350, 0.5, False), False, EndReason.PRUNED),
        (report(350, 0.5, True), True, EndReason.FAILED),
        ({**report(350, 0.0, False), reports.FAILURE: "NaN"}, False, EndReason.FAILED),
        ({}, True, EndReason.FAILED),
    ],
)
def test_the_end_has_a_reason(result, errored, expected):
    assert reports.end_reason(result, N_BATCHES, errored) == expected


def test_a_full_disk_is_told_from_other_errors(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    wrapped = RuntimeError("a trial failed")
    wrapped.__cause__ = full
    assert tells_of_full_disk(full)
    assert tells_of_full_disk(wrapped)
    assert tells_of_full_disk("OSError: [Errno 28] No space left on device")
    assert not tells_of_full_disk(OSError(errno.EACCES, "Permission denied"))
    assert not tells_of_full_disk(None)
    assert not is_full(str(tmp_path))
    assert not is_full("s3://bucket/folder")
