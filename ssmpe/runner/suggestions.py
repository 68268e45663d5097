"""The trials of a search: asked of Optuna's study, and told to it when they have ended.

The study lies in a SQLite file beside the MLflow store. It is all the state that a search has: a
trial belongs to the search from the moment at which its configuration is written there, and is
RUNNING until its end is written there, after MLflow has it. A search that was killed goes on with
what is RUNNING. So are trials that failed by no fault of their own, with the reason beside them:
Optuna ends a trial once and for all, and these are run again when the search is resumed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import OptunaError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ssmpe import collapse
from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.runner.plan import Plan
from ssmpe.runner.space import tells_of_full_disk
from ssmpe.search import Objective, Search, score
from ssmpe.seeding import seed_of
from ssmpe.sweep import Trial
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason

FILE = "optuna.db"
"""below the results, with a study for every search"""
_DAMAGES = (
    SQLAlchemyError,
    OptunaError,
    UserError,
    ValueError,
    LookupError,
    TypeError,
    RecursionError,
)
LOCK_SECONDS = 60
"""patience with another process that writes to the file"""
STARTUP_SHARE = 0.3
"""of the trials, drawn at random before TPE has enough to learn from (at most Optuna's 10)"""
MAX_REPEATS = 100
"""suggestions in a row that are known already: the space is exhausted"""

_CONFIG, _VALIDATIONS, _REPEATS = "config", "validations", "repeats"
"""of a trial in the study, besides tags of the tracking schema"""


@dataclass(frozen=True)
class Suggestion:
    """A trial of a search.

    Attributes:
        suggested: the space's parameters, by name.
        number: in the study.
    """

    trial: Trial
    suggested: Mapping[str, Any]
    number: int


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
    """A search's study, open.

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
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with _damage_told(results / FILE):
            self._open(search, plan, results / FILE)

    def _open(self, search: Search, plan: Plan, path: Path) -> None:
        self._storage = optuna.storages.RDBStorage(
            f"sqlite:///{path}",
            engine_kwargs={"connect_args": {"timeout": LOCK_SECONDS}},
        )
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=plan.name,
            directions=["maximize"] if self._single else [o.direction for o in self.objectives],
            load_if_exists=True,
        )
        if not self._study.get_trials(deepcopy=False):
            self._study.set_user_attr(schema.QUESTION, plan.question)
            self._study.enqueue_trial(dict(search.start))
        self._numbers = {self._suggestion(t).trial.identity: t.number for t in self._own()}
        self._left = [self._suggestion(t) for t in self._own() if t.state is TrialState.RUNNING]
        for suggestion in self._left:
            self._set(suggestion.trial, schema.END_REASON, "")
        for trial in self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            if _CONFIG not in trial.user_attrs:  # asked, and killed before it was answered
                self._study.tell(trial.number, state=TrialState.FAIL)

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
        return len(self._own()) if self.exhausted else self._plan.n_trials

    @property
    def trials(self) -> list[Trial]:
        """Every trial so far."""
        return [self._suggestion(t).trial for t in self._own()]

    @property
    def n_left(self) -> int:
        """Trials that have yet to run, or to run to their end."""
        return len(self._left) + max(self._plan.n_trials - len(self._own()), 0)

    @property
    def running(self) -> list[Trial]:
        """Trials that have not ended."""
        own = [t for t in self._own() if t.state is TrialState.RUNNING and not _has_failed(t)]
        return [self._suggestion(t).trial for t in own]

    @property
    def ended(self) -> dict[str, str]:
        """Identity of every trial that has ended -> why."""
        return {
            self._suggestion(t).trial.identity: t.user_attrs[schema.END_REASON]
            for t in self._own()
            if t.state.is_finished()
        }

    @property
    def failed(self) -> dict[str, str]:
        """Name of every failed trial -> why."""
        failed = [t for t in self._own() if t.state is TrialState.FAIL or _has_failed(t)]
        return {self._suggestion(t).trial.name: t.user_attrs[schema.FAILURE] for t in failed}

    def past(self) -> dict[str, list[Point]]:
        """Identity of every trial so far -> its validations."""
        return {
            self._suggestion(t).trial.identity: [
                Point(*values) for values in t.user_attrs.get(_VALIDATIONS, [])
            ]
            for t in self._own()
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
        self._left.insert(0, self._suggestion(self._of(trial)))

    def _asked(self) -> Suggestion | None:
        if len(self._numbers) < self._plan.n_trials and not self.exhausted:
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
        before = self._of(trial).user_attrs.get(_VALIDATIONS, [])
        # a resumed trial goes over some of its batches again
        points = [*(p for p in before if p[0] < batch), astuple(point)]
        self._set(trial, _VALIDATIONS, points)
        if self._single:  # the dashboard draws these, and TPE ranks pruned trials by them
            self._storage.set_trial_intermediate_value(self._id(trial), batch, point.score)

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
        self._set(trial, schema.END_REASON, str(reason))
        number = self._numbers[trial.identity]
        if reason is EndReason.FAILED:
            self._set(trial, schema.FAILURE, why)
            if own_fault:
                self._study.tell(number, state=TrialState.FAIL)
        elif reason is EndReason.PRUNED:
            self._study.tell(number, state=TrialState.PRUNED)
        else:
            self._study.tell(number, values)

    def _ask(self) -> Suggestion | None:
        """A new suggestion, or None if its configuration is known: its result is told again."""
        earlier = self._study.get_trials(deepcopy=False)
        asked = sum(t.state is not TrialState.WAITING for t in earlier)
        self._study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=min(10, round(STARTUP_SHARE * self._plan.n_trials)),
            seed=seed_of("suggestion", self._plan.base.training.seed, asked) % 2**32,
        )
        trial = self._study.ask()
        config = self._search.sample(trial, self._plan.base).config
        for known in self._own():
            if self._suggestion(known).trial.identity == config.identity:
                trial.set_user_attr(_REPEATS, known.number)
                # what is not known yet, or has no value, is nothing to learn from
                done = known.state is TrialState.COMPLETE
                state = TrialState.COMPLETE if done else TrialState.FAIL
                self._study.tell(trial, known.values if done else None, state)
                return None
        trial.set_user_attr(_CONFIG, config.to_dict())
        self._numbers[config.identity] = trial.number
        return self._suggestion(self._study.trials[trial.number])

    def _values(self, metrics: Mapping[str, float]) -> list[float] | None:
        found = score(self.objectives, metrics)
        if found is None:
            return None
        return [found] if self._single else [metrics[o.metric] for o in self.objectives]

    def _own(self) -> list[FrozenTrial]:
        """Trials of the search; the study has others, which repeat one or were cut short."""
        return [t for t in self._study.get_trials(deepcopy=False) if _CONFIG in t.user_attrs]

    def _of(self, trial: Trial) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[self._numbers[trial.identity]]

    def _id(self, trial: Trial) -> int:
        study = self._storage.get_study_id_from_name(self._study.study_name)
        number = self._numbers[trial.identity]
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)

    def _set(self, trial: Trial, key: str, value: Any) -> None:
        self._storage.set_trial_user_attr(self._id(trial), key, value)

    @staticmethod
    def _suggestion(trial: FrozenTrial) -> Suggestion:
        config = TrialConfig.from_dict(trial.user_attrs[_CONFIG])
        return Suggestion(Trial(f"#{trial.number}", config), trial.params, trial.number)


def _has_failed(trial: FrozenTrial) -> bool:
    """Whether it failed by no fault of its own, and is to be run again by a resume."""
    reason = trial.user_attrs.get(schema.END_REASON)
    return trial.state is TrialState.RUNNING and reason == str(EndReason.FAILED)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Turn what comes of opening a file that is no study, or a damaged one, into one line."""
    try:
        yield
    except _DAMAGES as error:
        if tells_of_full_disk(error) or "database is locked" in str(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{path}: not a usable study of searches ({reason:.120}); move it away to begin anew"
        ) from error
