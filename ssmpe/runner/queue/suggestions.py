"""A search as a queue: trials are suggested by its study, which is told how they ended."""

import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path

import optuna
from optuna.trial import TrialState
from ray.tune.schedulers import TrialScheduler

from ssmpe.experiments.search import Direction, Point, Search, score
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.plan import Plan
from ssmpe.runner.queue.queue import Assignment
from ssmpe.runner.queue.retries import Outcome, Retries
from ssmpe.runner.queue.study import FILE, VALIDATIONS, Study, Suggestion, has_failed
from ssmpe.runner.schedulers import SearchASHA
from ssmpe.seeding import seed_of
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason

STARTUP_SHARE = 0.3
"""Share of the trials drawn at random, before TPE can learn from them (at most Optuna's 10)."""
MAX_REPEATS = 100
"""Suggestions in a row that are all known already: then the space is exhausted."""


class Suggestions:
    """The queue of a search (see ``Queue``): trials are taken from its study, and told to it.

    Every suggestion is drawn by a sampler of its own, seeded with the search's seed and the
    number of trials before: it depends on these trials and nothing else. Which ones have ended by
    then depends on the order of completion when several run at a time; one at a time, a search is
    the same on every run, resumed or not.

    Args:
        results: folder of the study's file.

    Attributes:
        exhausted: the space has no further configuration.
    """

    pending = "auto"  # a trial is suggested when there is room for it

    def __init__(self, search: Search, plan: Plan, results: Path, retries: Retries) -> None:
        assert plan.search
        self._search, self._plan, self._retries = search, plan.search, retries
        self._prunes = plan.early_stop
        self.exhausted = False
        self.at_work: set[str] = set()
        self.refused: list[tuple[Trial, str]] = []
        self._objectives = plan.search.objectives or tuple(search.objectives(plan.search.base))
        self._single = plan.search.objective == "score"
        goals: list[Direction] = (
            ["maximize"] if self._single else [o.direction for o in self._objectives]
        )
        names = ["score"] if self._single else [o.metric for o in self._objectives]
        self._study = Study(results / FILE, plan.name, goals, names, plan.question, search.start)
        self._left = list(self._study.left)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the search's run: what its trials' numbers mean, and how many there will be."""
        space: dict[str, str] = {}
        for sample in self._search.samples(self._plan.base):
            space |= sample.distributions
        objectives = [[o.metric, o.direction] for o in self._objectives]
        return {
            schema.OBJECTIVES: json.dumps(objectives),
            schema.SPACE: json.dumps(space),
            schema.PLANNED: str(self._n_trials),
        }

    @property
    def _n_trials(self) -> int:
        """Number of trials there will be."""
        return len(self._study.own()) if self.exhausted else self._plan.n_trials

    @property
    def trials(self) -> list[Trial]:
        """Every trial so far."""
        return [Suggestion.of(t).trial for t in self._study.own()]

    @property
    def is_over(self) -> bool:
        """Whether every trial has ended that there was to be."""
        n_left = len(self._left) + max(self._plan.n_trials - len(self._study.own()), 0)
        return not self.unfinished and (not n_left or self.exhausted)

    @property
    def unfinished(self) -> list[Trial]:
        """The trials that have not ended."""
        own = [t for t in self._study.own() if t.state is TrialState.RUNNING and not has_failed(t)]
        return [Suggestion.of(t).trial for t in own]

    @property
    def ended(self) -> dict[str, str]:
        """The reason why each trial has ended that has, by identity."""
        return {
            Suggestion.of(t).trial.identity: t.user_attrs[schema.END_REASON]
            for t in self._study.own()
            if t.state.is_finished()
        }

    @property
    def failed(self) -> dict[str, str]:
        """The reason why each trial failed that did, before a resume too, by the trial's name."""
        failed = [t for t in self._study.own() if t.state is TrialState.FAIL or has_failed(t)]
        return {Suggestion.of(t).trial.name: t.user_attrs[schema.FAILURE] for t in failed}

    def scheduler(self) -> TrialScheduler | None:
        """Return what prunes trials, if the plan wants it."""
        if not self._prunes:
            return None
        running = [trial.identity for trial in self.unfinished]
        n_batches = self._plan.base.training.n_batches
        return SearchASHA(n_batches, self._objectives, self._past(), running)

    def _past(self) -> dict[str, list[Point]]:
        """Return the validations of every trial so far, by identity."""
        return {
            Suggestion.of(t).trial.identity: [
                Point(*values) for values in t.user_attrs.get(VALIDATIONS, [])
            ]
            for t in self._study.own()
        }

    def begin(self, ended: Mapping[str, str]) -> None:
        """Do nothing: the study knows what has ended."""

    def next(self) -> Assignment | None:
        """Return the next trial to run; None: there is none now, or, with none at work, no more."""
        suggestion = self._left.pop(0) if self._left else self._asked()
        if suggestion is None:
            return None
        trial = suggestion.trial
        self.at_work.add(trial.identity)
        share = self._retries.share_of(trial)
        return Assignment(trial, share, suggestion.number, suggestion.suggested)

    def _asked(self) -> Suggestion | None:
        if len(self._study.own()) < self._plan.n_trials and not self.exhausted:
            for _ in range(MAX_REPEATS):
                if suggestion := self._ask():
                    return suggestion
            self.exhausted = True
        return None

    def record(self, trial: Trial, batch: int, metrics: Mapping[str, float]) -> None:
        """Keep a validation in the study, which pruning goes by."""
        point = Point.of(trial.config, self._objectives, batch, metrics)
        if point is None:
            return
        before = self._study.of(trial).user_attrs.get(VALIDATIONS, [])
        # a resumed trial goes over some of its batches again
        points = [*(p for p in before if p[0] < batch), astuple(point)]
        self._study.set(trial, VALIDATIONS, points)
        if self._single:  # the dashboard draws these, and TPE ranks pruned trials by them
            self._study.set_intermediate(trial, batch, point.score)

    def end(self, trial: Trial, outcome: Outcome) -> None:
        """Run a trial again, before all others, or tell the study how it ended.

        One that collapsed is a result like one that ran to its end. A pruned one is known to be
        worse than others: by its last score if that is the objective, else without a value.
        """
        self.at_work.discard(trial.identity)
        if self._retries.again(trial, outcome):
            self._left.insert(0, Suggestion.of(self._study.of(trial)))
            return
        reason, why, own_fault = outcome.reason, outcome.why, outcome.own_fault
        values = self._values(outcome.metrics)
        if values is None and reason is not EndReason.FAILED:
            reason, why = EndReason.FAILED, "a measure that the search needs is missing"
            own_fault = True
        self._study.set(trial, schema.END_REASON, str(reason))
        if reason is EndReason.FAILED:
            self._study.set(trial, schema.FAILURE, why)
            if own_fault:
                self._study.tell(trial, state=TrialState.FAIL)
        elif reason is EndReason.PRUNED:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, values)

    def _ask(self) -> Suggestion | None:
        """Return a new suggestion; None, and its result is told again, if it is a known one."""
        number = sum(t.state is not TrialState.WAITING for t in self._study.all())
        seed = seed_of("suggestion", self._plan.base.training.seed, number) % 2**32
        asked = self._study.ask(sampler_of(self._plan.n_trials, self._single, seed))
        config = self._search.sample(asked, self._plan.base).config
        for known in self._study.own():
            if Suggestion.of(known).trial.identity == config.identity:
                self._study.repeat(asked, known)
                return None
        return self._study.keep(asked, config)

    def _values(self, metrics: Mapping[str, float]) -> list[float] | None:
        found = score(self._objectives, metrics)
        if found is None:
            return None
        return [found] if self._single else [metrics[o.metric] for o in self._objectives]


def sampler_of(n_trials: int, single: bool, seed: int) -> optuna.samplers.TPESampler:
    """Return what draws a suggestion of a search of so many trials.

    All that decides about it is given, also where it is Optuna's default: these change from version
    to version, and a search is to be a function of its seed.

    Args:
        single: the search has one objective.
    """
    return optuna.samplers.TPESampler(
        n_startup_trials=min(10, round(STARTUP_SHARE * n_trials)),
        n_ei_candidates=24,
        multivariate=single,
        group=False,
        constant_liar=True,
        seed=seed,
    )
