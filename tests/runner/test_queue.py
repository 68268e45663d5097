"""What runs next, and what is run again: queues without Ray."""

import ast
import inspect
import json
import signal
import sqlite3
import warnings
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune.search import Searcher

from ssmpe.config.presets import tiny
from ssmpe.errors import UserError
from ssmpe.experiments.search import Direction, maximise
from ssmpe.experiments.sweep import Delta, Sweep, Trial, row
from ssmpe.runner.cluster.excluded import Excluded
from ssmpe.runner.cluster.resources import Share
from ssmpe.runner.ending import Account, Budget, Ending
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning.make import with_objectives
from ssmpe.runner.queue import study
from ssmpe.runner.queue.queue import Assignment, Queue
from ssmpe.runner.queue.retries import Outcome, Retries, is_lost, lacked_memory
from ssmpe.runner.queue.suggestions import Suggestions, sampler_of
from ssmpe.runner.queue.table import Table
from ssmpe.runner.session import Session
from ssmpe.runner.trial import reports
from ssmpe.runner.tuner import SessionSearcher
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.tracker import Tracker
from tests.support.invented import SEARCH, planned, planned_search
from tests.support.tracked import WAIT

USUAL, LARGER = Share(1, 0.25), Share(1, 0.5)
DONE = Outcome(EndReason.COMPLETED, batch=700)
METRICS = {"URMP/validation/f1": 0.5, "URMP/validation/blank_rate": 0.5}


def lost(batch: int) -> Outcome:
    return Outcome(EndReason.FAILED, batch, why="its process died", lost=True)


GREEDY = Outcome(EndReason.FAILED, why="no memory", out_of_memory=True)
DECLINED = Outcome(EndReason.FAILED, why="no storage there", declined=True)
DIVERGED = Outcome(EndReason.FAILED, why="the loss became nan", own_fault=True)


@pytest.fixture
def trial() -> Trial:
    return Trial("Ref.", tiny())


class TestRetries:
    """The rules by which trials are run again."""

    def test_a_lost_trial_is_run_three_times_in_all(self, trial):
        retries = Retries(USUAL)
        assert [retries.again(trial, lost(0)) for _ in range(4)] == [True, True, False, False]

    def test_it_may_be_lost_any_number_of_times_if_it_gets_on(self, trial):
        retries = Retries(USUAL)
        assert all(retries.again(trial, lost(batch)) for batch in range(0, 700, 70))

    def test_losses_count_where_it_has_got_no_further(self, trial):
        retries = Retries(USUAL)
        batches = [70, 70, 140, 70, 140, 210]
        assert [retries.again(trial, lost(b)) for b in batches] == [*[True] * 4, False, True]

    def test_one_batch_is_further_than_none(self, trial):
        retries = Retries(USUAL)
        assert [retries.again(trial, lost(b)) for b in (0, 1, 1, 1)] == [True, True, True, False]

    def test_losses_of_other_trials_are_theirs(self, trial):
        retries, other = Retries(USUAL), Trial("Ref.", tiny().replace({"training.seed": 1}))
        assert [retries.again(t, lost(0)) for t in (trial, other) * 2] == [True] * 4

    def test_what_lacks_memory_is_run_once_more_with_a_larger_share(self, trial):
        said = []
        retries = Retries(USUAL, lambda: LARGER, say=lambda *told: said.append(told))
        assert retries.share_of(trial) == USUAL
        assert [retries.again(trial, GREEDY) for _ in range(2)] == [True, False]
        assert retries.share_of(trial) == LARGER
        assert said == [(trial, LARGER)]

    def test_what_has_all_there_is_is_not(self, trial):
        assert not Retries(USUAL).again(trial, GREEDY)

    def test_what_a_node_declines_goes_elsewhere_if_there_is_room(self, trial):
        asked = []

        def has_room(share: Share) -> bool:
            asked.append(share)
            return len(asked) < 2

        retries = Retries(USUAL, has_room=has_room)
        assert [retries.again(trial, DECLINED) for _ in range(2)] == [True, False]
        assert asked == [USUAL, USUAL]
        assert not Retries(USUAL, has_room=lambda share: False).again(trial, DECLINED)

    @pytest.mark.parametrize("outcome", [DONE, DIVERGED, Outcome(EndReason.COLLAPSED)])
    def test_what_ends_by_itself_is_not_run_again(self, trial, outcome):
        assert not Retries(USUAL, lambda: LARGER).again(trial, outcome)


def test_what_ray_says_of_a_process_that_died():
    """It ends those of a node whose memory runs out in two ways."""
    died = RayActorError(error_msg="The actor died unexpectedly before finishing this task.")
    ended = RayActorError(error_msg="The actor died because its node was running low on memory.")
    task, other = OutOfMemoryError("Task was killed."), ValueError("diverged")
    assert [is_lost(error) for error in (died, ended, task, other, None)] == [True, *[False] * 4]
    lacked = [lacked_memory(None, error) for error in (died, ended, task, other, None)]
    assert lacked == [False, True, True, False, False]
    assert lacked_memory("out of memory", None)


def table(*, seeds: int = 1, kept: bool = True, rows: str = "*") -> Table:
    """Return a parent with two children and a grandchild, and a row of its own, last."""
    parent = row(Delta("parent"))
    one, two = (row(Delta(n, {"training.learning_rate": r}), continues=parent)
                for n, r in (("one", 1e-4), ("two", 2e-4)))  # fmt: skip
    third = row(Delta("third", {"training.learning_rate": 1e-5}), continues=one)
    other = row(Delta("other", {"training.warmup_batches": 1}))
    sweep = Sweep("x", "Why?", lambda base: [parent, one, two, third, other])
    trials = sweep.trials(tiny(), range(seeds), [rows])
    plan = replace(planned(1, Path("unused")), trials=tuple(trials))
    known = {trial.identity for trial in trials if kept}
    return Table(plan, Retries(USUAL, lambda: LARGER), known.__contains__)


def handed_out(queue: Queue) -> dict[str, Trial]:
    """Return all that the queue hands out now, by row, in its order."""
    found = {}
    while assignment := queue.next():
        found[assignment.trial.row] = assignment.trial
    return found


class TestTable:
    """The queue of a sweep."""

    def test_what_continues_a_trial_waits_for_it_alone_and_goes_first(self):
        queue = table(seeds=2)
        first = queue.next()
        assert first
        queue.end(first.trial, DONE)
        assert list(handed_out(queue)) == ["one", "two", "other", "parent"]
        assert not queue.is_over

    def test_the_third_stage_starts_while_the_second_is_at_work(self):
        queue = table()
        queue.end(handed_out(queue)["parent"], DONE)
        second = handed_out(queue)
        queue.end(second["one"], DONE)
        assert list(handed_out(queue)) == ["third"]
        assert second["two"].identity in queue.at_work

    @pytest.mark.parametrize("reason", [EndReason.FAILED, EndReason.COLLAPSED])
    def test_an_orphan_fails_at_once_and_its_own_children_with_it(self, reason):
        queue = table()
        first = handed_out(queue)
        queue.end(first["parent"], Outcome(reason, why="x", file="/error.txt"))
        of_parent, of_one = (
            f"{name} seed 0, which it continues, was not trained to its end"
            for name in ("parent", "one")
        )
        told = [(trial.row, why) for trial, why in queue.refused]
        assert told == [("one", of_parent), ("third", of_one), ("two", of_parent)]
        assert queue.next() is None
        assert {queue.ended[trial.identity] for trial, _ in queue.refused} == {EndReason.FAILED}
        assert [t.row for t in queue.unfinished] == ["other"]
        failed = {f"{name} seed 0": why for name, why in told}
        if reason is EndReason.FAILED:
            failed["parent seed 0"] = "x (in full: /error.txt)"
        assert queue.failed == failed

    def test_without_its_parent_s_checkpoint_nothing_starts(self):
        queue = table(kept=False, rows="two")
        queue.begin({t.identity: "completed" for t in queue.trials if t.row == "parent"})
        assert queue.next() is None
        why = "no checkpoint of parent seed 0, which it continues, is left"
        assert [w for _, w in queue.refused] == [why]
        assert queue.is_over

    def test_a_resume_begins_with_what_has_not_ended(self):
        queue = table()
        by_row = {t.row: t.identity for t in queue.trials}
        queue.begin({by_row["parent"]: "completed", by_row["one"]: "collapsed", "gone": "pruned"})
        assert list(handed_out(queue)) == ["two", "other"]
        assert [t.row for t, _ in queue.refused] == ["third"]
        assert queue.ended.keys() == {by_row["parent"], by_row["one"], by_row["third"]}

    def test_a_lost_trial_goes_on_at_once_and_its_children_wait(self):
        queue = table()
        first = queue.next()
        assert first
        queue.end(first.trial, lost(70))
        again = queue.next()
        assert again == first
        assert list(handed_out(queue)) == ["other"]
        assert queue.failed == {}
        assert [t.row for t in queue.unfinished] == ["parent", "one", "two", "third", "other"]

    def test_a_trial_that_lacked_memory_comes_back_with_more(self):
        queue = table()
        first = queue.next()
        assert first
        assert first.share == USUAL
        queue.end(first.trial, GREEDY)
        again = queue.next()
        assert again
        assert (again.trial, again.share) == (first.trial, LARGER)
        queue.end(again.trial, GREEDY)
        assert queue.failed["parent seed 0"] == "no memory"

    def test_what_collapses_is_stopped_after_a_fifth_unless_another_continues_it(self):
        queue = table()
        scheduler = queue.scheduler()
        assert scheduler
        n_batches = tiny().training.n_batches
        stopped = []
        for trial in queue.trials:
            parameters = Assignment(trial, USUAL).parameters
            running = SimpleNamespace(trial_id=trial.row, config={"trial": parameters})
            scheduler.on_trial_add(None, running)
            for batch in (n_batches // 5 - 1, n_batches // 5):
                result = {reports.BATCH: batch, reports.OBJECTIVE: 0.5, reports.COLLAPSING: ["x"]}
                if scheduler.on_trial_result(None, running, result) == "STOP":
                    stopped.append((trial.row, batch))
        assert stopped == [(name, n_batches // 5) for name in ("two", "third", "other")]
        queue._plan = replace(queue._plan, early_stop=False)
        assert queue.scheduler() is None

    def test_begun_again_it_hands_out_no_trial_twice(self):
        queue, rows = table(), []
        for _ in range(2):
            queue.begin({})
        while assignment := queue.next():
            rows.append(assignment.trial.row)
            queue.end(assignment.trial, DONE)
        assert rows == ["parent", "one", "third", "two", "other"]
        assert (queue.at_work, queue.is_over) == (set(), True)


def session_of(queue: Queue) -> Session:
    """Return a session with no more than what decides about the next trial."""
    nobody: Any = None
    return Session(
        tracker=nobody, progress=nobody, shown=nobody, own_tags={}, checkpoints=nobody,
        queue=queue, account=Account(Budget()), excluded=Excluded(), ending=Ending(),
    )  # fmt: skip


@pytest.fixture
def interruptible():
    """Have an interruption raise, whatever a sweep in this process has left behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_tune_waits_for_what_is_at_work_unless_the_sweep_is_to_end():
    session = session_of(table())
    first = session.next()
    assert first
    searcher = SessionSearcher(session, first)
    asked = [searcher.suggest("") for _ in range(3)]
    assert [s["trial"]["row"] for s in asked[:2] if isinstance(s, dict)] == ["parent", "other"]
    assert asked[2] is None
    with pytest.raises(KeyboardInterrupt):
        session.ending.ask("the storage is away", 1)
    assert searcher.suggest("") == Searcher.FINISHED
    assert (session.ending.why, session.ending.code) == ("the storage is away", 1)


class TestSearch:
    """The queue of a search."""

    @pytest.fixture
    def queue(self, tmp_path):
        return Suggestions(SEARCH, planned_search(tmp_path), tmp_path, Retries(USUAL))

    def test_a_lost_trial_comes_before_further_suggestions(self, queue):
        first, second = queue.next(), queue.next()
        queue.end(first.trial, lost(0))
        assert queue.next() == first
        assert queue.at_work == {first.trial.identity, second.trial.identity}
        assert first.number != second.number

    def test_a_trial_that_lacked_memory_comes_back_with_more_and_then_fails(self, tmp_path):
        retries = Retries(USUAL, lambda: LARGER)
        queue = Suggestions(SEARCH, planned_search(tmp_path), tmp_path, retries)
        for number in range(3):
            first = queue.next()
            assert first
            assert (first.number, first.share) == (number, USUAL)
            queue.end(first.trial, GREEDY)
            again = queue.next()
            assert again
            assert (again.trial, again.number, again.share) == (first.trial, number, LARGER)
            queue.end(again.trial, GREEDY if number else replace(DONE, metrics=METRICS))
        assert queue.next() is None
        assert queue.is_over
        assert queue.failed == {"#1 seed 0": "no memory", "#2 seed 0": "no memory"}

    def test_there_are_as_many_trials_as_planned_whatever_is_lost(self, queue):
        ends = []
        while assignment := queue.next():
            again = assignment.trial.identity in ends
            ends.append(assignment.trial.identity)
            queue.end(assignment.trial, replace(DONE, metrics=METRICS) if again else lost(0))
        assert len(set(ends)) == 3
        assert len(ends) == 6
        assert queue.is_over
        assert queue.failed == {}
        assert set(queue.ended.values()) == {"completed"}

    def test_it_is_not_over_while_a_trial_is_at_work(self, queue):
        handed = list(handed_out(queue).values())
        assert len(handed) == 3
        for trial in handed[1:]:
            queue.end(trial, replace(DONE, metrics=METRICS))
        assert not queue.is_over
        assert queue.unfinished == handed[:1]
        queue.end(handed[0], DIVERGED)
        assert queue.is_over
        assert queue.failed == {"#0 seed 0": "the loss became nan"}

    def test_its_first_suggestion_is_the_one_to_compare_with(self, queue):
        first, second = queue.next(), queue.next()
        assert first.suggested == SEARCH.start
        assert second.suggested != SEARCH.start

    def test_what_has_ended_is_not_at_work(self, queue):
        first = queue.next()
        queue.end(first.trial, replace(DONE, metrics=METRICS))
        assert queue.at_work == set()

    def test_without_early_stops_it_has_no_scheduler(self, tmp_path):
        plan = replace(planned_search(tmp_path), early_stop=False)
        assert Suggestions(SEARCH, plan, tmp_path, Retries(USUAL)).scheduler() is None

    @pytest.mark.parametrize("f1", [0.1, 0.9])
    def test_opened_again_it_compares_with_the_validations_of_before(self, queue, tmp_path, f1):
        for best in (0.5, 0.6):
            trial = queue.next().trial
            for batch in (280, 700):
                queue.record(trial, batch, measured(best))
            queue.end(trial, replace(DONE, metrics=measured(best)))
        again = Suggestions(SEARCH, planned_search(tmp_path), tmp_path, Retries(USUAL))
        third, scheduler = again.next(), again.scheduler()
        assert third
        assert scheduler
        running = SimpleNamespace(trial_id="x", config={"trial": third.parameters})
        scheduler.on_trial_add(None, running)
        metrics = {f"{reports.METRICS}/{k}": v for k, v in measured(f1).items()}
        decision = scheduler.on_trial_result(None, running, {reports.BATCH: 280, **metrics})
        assert decision == ("STOP" if f1 < 0.5 else "CONTINUE")

    @pytest.mark.parametrize("objective", ["pareto", "score"])
    def test_a_score_is_drawn_over_batches_and_a_front_is_not(self, tmp_path, objective):
        plan = planned_search(tmp_path)
        assert plan.search
        plan = replace(plan, search=replace(plan.search, objective=objective))
        queue = Suggestions(SEARCH, plan, tmp_path, Retries(USUAL))
        first = queue.next()
        assert first
        queue.record(first.trial, 280, measured(0.5))
        (stored,) = stored_trials(tmp_path)
        values = {280: pytest.approx(0.25)} if objective == "score" else {}
        assert stored.intermediate_values == values

    def test_it_is_judged_to_its_end_by_what_it_was_begun_with(self, tmp_path):
        """Its script may say something else by now, with which nothing before would compare."""
        searched = planned_search(tmp_path)
        assert searched.search
        judged = (maximise("URMP/validation/f1_tuned"),)
        plan = replace(searched, search=replace(searched.search, objectives=judged))
        plan.save(tmp_path)
        plan = Plan.load(tmp_path, plan.name, plan.script)
        queue = Suggestions(SEARCH, plan, tmp_path, Retries(USUAL))
        assert json.loads(queue.tags[schema.OBJECTIVES]) == [[judged[0].metric, "maximize"]]
        first = queue.next()
        assert first
        queue.end(first.trial, replace(DONE, metrics={"URMP/validation/f1_tuned": 0.75}))
        assert stored_trials(tmp_path)[0].values == [0.75]

    def test_objectives_that_its_plan_lacks_are_those_in_its_store(self, tmp_path):
        """As version 0.3.0 left them."""
        plan = planned_search(tmp_path)
        tracker = Tracker(plan.tracking_uri, tmp_path / "spool")
        objectives = [["URMP/validation/f1", "maximize"], ["MusicNet/train/blank_rate", "minimize"]]
        for tags in ({}, {schema.OBJECTIVES: json.dumps(objectives)}):
            tracker.start_sweep(plan.script, plan.name, tags, {})
            assert tracker.flush(WAIT)
            if not tags:
                with pytest.raises(UserError, match="start a new one") as error:
                    with_objectives(plan)
                assert "\n" not in str(error.value)
        tracker.close(WAIT)
        found = with_objectives(plan).search
        assert found
        assert [[o.metric, o.direction] for o in found.objectives] == objectives
        assert with_objectives(planned(1, tmp_path)) == planned(1, tmp_path), "no search"

    def test_a_suggestion_that_is_known_says_of_which_trial(self, tmp_path):
        few = replace(SEARCH, space=two_rates, start={"rate": 0.01})
        queue = Suggestions(few, planned_search(tmp_path), tmp_path, Retries(USUAL))
        while assignment := queue.next():
            queue.end(assignment.trial, replace(DONE, metrics=METRICS))
        assert queue.exhausted
        assert queue.is_over
        own = {t.number for t in stored_trials(tmp_path) if "config" in t.user_attrs}
        known = [t.user_attrs["repeats"] for t in stored_trials(tmp_path) if t.number not in own]
        assert len(own) == 2
        assert {*known} <= own
        assert known

    def test_a_study_in_use_is_not_taken_for_a_damaged_one(self, queue, tmp_path, monkeypatch):
        monkeypatch.setattr(study, "LOCK_SECONDS", 0.1)
        with closing(sqlite3.connect(tmp_path / study.FILE, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(Exception, match="database is locked") as error:
                Suggestions(SEARCH, planned_search(tmp_path), tmp_path, Retries(USUAL))
        assert not isinstance(error.value, UserError)


def measured(f1: float) -> dict[str, float]:
    """Return the metrics of a validation."""
    return {"URMP/validation/f1": f1, "URMP/validation/blank_rate": 0.25}


def two_rates(trial: Any, base: Any) -> list[Delta]:
    """Return what one of two learning rates makes of a configuration."""
    rate = trial.suggest_categorical("rate", [0.01, 0.001])
    return [Delta("", {"training.learning_rate": rate})]


def stored_trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """Return the trials of the study in a folder, as Optuna's dashboard reads them."""
    storage = f"sqlite:///{folder / study.FILE}"
    return optuna.load_study(study_name="invented", storage=storage).trials


LEFT_OUT = {"consider_prior", "prior_weight", "consider_magic_clip", "consider_endpoints", "gamma",
            "weights", "warn_independent_sampling", "constraints_func"}  # fmt: skip
"""Arguments of Optuna's sampler that are deprecated: they will go, and with them other values."""


def test_every_argument_of_the_sampler_is_given():
    """What is left to Optuna changes with its version, and the suggestions with it."""
    call = next(
        node
        for node in ast.walk(ast.parse(inspect.getsource(sampler_of)))
        if isinstance(node, ast.Call) and "TPESampler" in ast.unparse(node.func)
    )
    given = {keyword.arg for keyword in call.keywords}
    arguments = inspect.signature(optuna.samplers.TPESampler).parameters.keys()
    assert given == arguments - LEFT_OUT


@pytest.mark.parametrize("single", [True, False])
def test_a_search_is_what_it_is_with_the_defaults_of_optuna_5(single):
    def suggested(sampler: optuna.samplers.BaseSampler) -> list[dict[str, Any]]:
        directions: list[Direction] = ["maximize"] if single else ["maximize", "minimize"]
        study = optuna.create_study(directions=directions, sampler=sampler)
        for _ in range(20):
            trial = study.ask()
            rate = trial.suggest_float("rate", 1e-4, 1e-2, log=True)
            count, kind = trial.suggest_int("count", 0, 16), trial.suggest_categorical("kind", "ab")
            values = [rate * count, count - (kind == "a")]
            study.tell(trial, values[: len(directions)])
        return [trial.params for trial in study.trials]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explicit = suggested(sampler_of(20, single, 7))
    usual = optuna.samplers.TPESampler(n_startup_trials=6, seed=7)
    assert explicit == suggested(usual)
