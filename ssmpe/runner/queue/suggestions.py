"""The trials of a search: which is run next, and what its study is told when one has ended."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import optuna
from optuna.trial import TrialState

from ssmpe.config import TrialConfig
from ssmpe.evaluation import collapse
from ssmpe.experiments.search import Direction, Objective, Search, score
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.plan import Plan
from ssmpe.runner.queue.study import FILE, VALIDATIONS, Study, Suggestion, has_failed
from ssmpe.seeding import seed_of
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason

STARTUP_SHARE = 0.3
"""of the trials, drawn at random before TPE has enough to learn from (at most Optuna's 10)"""
MAX_REPEATS = 100
"""suggestions in a row that are known already: the space is exhausted"""


@dataclass(frozen=True)
class Point:
    """A validation: the score, and whether the labelled set has come alive."""

    batch: int
    score: float
    started: bool

    @classmethod
    def of(
        cls,
        config: TrialConfig,
        objectives: Sequence[Objective],
        batch: int,
        metrics: Mapping[str, float],
    ) -> "Point | None":
        """From the metrics of a report; None if an objective is not among them."""
        found = score(objectives, metrics)
        blank = metrics.get(schema.set_metric(config.data.validation, "blank_rate"))
        if found is None or blank is None:
            return None
        return cls(batch, found, blank <= collapse.DEFAULT.alive)


class Suggestions:
    """A search's trials: taken from its study, and told to it when they have ended.

    Every suggestion is drawn by a sampler of its own, seeded with the search's seed and the
    number of trials before: it depends on these trials and nothing else. Which ones have ended by
    then depends on the order of completion when several run at a time; one at a time, a search is
    the same on every run, resumed or not.

    Args:
        results: folder of the study's file.

    Attributes:
        objectives: of the search.
        exhausted: the space has no further configuration.
        at_work: identities of trials that were handed out and have not ended.
    """

    def __init__(self, search: Search, plan: Plan, results: Path) -> None:
        assert plan.search
        self._search, self._plan = search, plan.search
        self.exhausted = False
        self.at_work: set[str] = set()
        self.objectives = tuple(search.objectives(plan.search.base))
        self._single = plan.search.objective == "score"
        goals: list[Direction] = (
            ["maximize"] if self._single else [o.direction for o in self.objectives]
        )
        self._study = Study(results / FILE, plan.name, goals, plan.question, search.start)
        self._left = list(self._study.left)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the search's run: what its trials' numbers mean."""
        space: dict[str, str] = {}
        for sample in self._search.samples(self._plan.base):
            space |= sample.distributions
        objectives = [[o.metric, o.direction] for o in self.objectives]
        return {
            schema.OBJECTIVES: json.dumps(objectives),
            schema.SPACE: json.dumps(space),
            schema.PLANNED: str(self.n_trials),
        }

    @property
    def n_trials(self) -> int:
        """Number of trials there will be."""
        return len(self._study.own()) if self.exhausted else self._plan.n_trials

    @property
    def trials(self) -> list[Trial]:
        """Every trial so far."""
        return [Suggestion.of(t).trial for t in self._study.own()]

    @property
    def n_left(self) -> int:
        """Trials that have yet to run, or to run to their end."""
        return len(self._left) + max(self._plan.n_trials - len(self._study.own()), 0)

    @property
    def running(self) -> list[Trial]:
        """Trials that have not ended."""
        own = [t for t in self._study.own() if t.state is TrialState.RUNNING and not has_failed(t)]
        return [Suggestion.of(t).trial for t in own]

    @property
    def ended(self) -> dict[str, str]:
        """Identity of every trial that has ended -> why."""
        return {
            Suggestion.of(t).trial.identity: t.user_attrs[schema.END_REASON]
            for t in self._study.own()
            if t.state.is_finished()
        }

    @property
    def failed(self) -> dict[str, str]:
        """Name of every failed trial -> why."""
        failed = [t for t in self._study.own() if t.state is TrialState.FAIL or has_failed(t)]
        return {Suggestion.of(t).trial.name: t.user_attrs[schema.FAILURE] for t in failed}

    def past(self) -> dict[str, list[Point]]:
        """Identity of every trial so far -> its validations."""
        return {
            Suggestion.of(t).trial.identity: [
                Point(*values) for values in t.user_attrs.get(VALIDATIONS, [])
            ]
            for t in self._study.own()
        }

    def next(self) -> Suggestion | None:
        """The next trial to run; None if there is no more."""
        suggestion = self._left.pop(0) if self._left else self._asked()
        if suggestion:
            self.at_work.add(suggestion.trial.identity)
        return suggestion

    def again(self, trial: Trial) -> None:
        """Have a trial that was handed out run once more, before all others."""
        self.at_work.discard(trial.identity)
        self._left.insert(0, Suggestion.of(self._study.of(trial)))

    def _asked(self) -> Suggestion | None:
        if len(self._study.own()) < self._plan.n_trials and not self.exhausted:
            for _ in range(MAX_REPEATS):
                if suggestion := self._ask():
                    return suggestion
            self.exhausted = True
        return None

    def record(self, trial: Trial, batch: int, metrics: Mapping[str, float]) -> None:
        """Keep a validation, which pruning goes by."""
        point = Point.of(trial.config, self.objectives, batch, metrics)
        if point is None:
            return
        before = self._study.of(trial).user_attrs.get(VALIDATIONS, [])
        # a resumed trial goes over some of its batches again
        points = [*(p for p in before if p[0] < batch), astuple(point)]
        self._study.set(trial, VALIDATIONS, points)
        if self._single:  # the dashboard draws these, and TPE ranks pruned trials by them
            self._study.set_intermediate(trial, batch, point.score)

    def end(
        self,
        trial: Trial,
        reason: EndReason,
        metrics: Mapping[str, float],
        why: str,
        own_fault: bool = False,
    ) -> None:
        """Tell the study how a trial ended.

        One that collapsed is a result like one that ran to its end. A pruned one is known to be
        worse than others: by its last score if that is the objective, else without a value.

        Args:
            why: it failed, if it did.
            own_fault: it would fail again.
        """
        values = self._values(metrics)
        if values is None and reason is not EndReason.FAILED:
            reason, why = EndReason.FAILED, "a measure that the search needs is missing"
            own_fault = True
        self.at_work.discard(trial.identity)
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
        """A new suggestion, or None if its configuration is known: its result is told again."""
        number = sum(t.state is not TrialState.WAITING for t in self._study.all())
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=min(10, round(STARTUP_SHARE * self._plan.n_trials)),
            seed=seed_of("suggestion", self._plan.base.training.seed, number) % 2**32,
        )
        asked = self._study.ask(sampler)
        config = self._search.sample(asked, self._plan.base).config
        for known in self._study.own():
            if Suggestion.of(known).trial.identity == config.identity:
                self._study.repeat(asked, known)
                return None
        return self._study.keep(asked, config)

    def _values(self, metrics: Mapping[str, float]) -> list[float] | None:
        found = score(self.objectives, metrics)
        if found is None:
            return None
        return [found] if self._single else [metrics[o.metric] for o in self.objectives]
