"""A search as its figure needs it: trials by number, goals, and Optuna's study rebuilt."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.numbers.comparison import MEASURES
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

if TYPE_CHECKING:
    import optuna


def number_of(trial: StoredTrial) -> int:
    """Return the number of a search's trial."""
    return int(trial.row.removeprefix("#"))


@dataclass(frozen=True)
class Goal:
    """A metric key of the tracking schema, and whether more of it is better."""

    metric: str
    maximise: bool

    @property
    def label(self) -> str:
        set_name, _, measure = self.metric.rpartition("/")
        return f"{MEASURES.get(measure, measure)}, {set_name}"


@dataclass(frozen=True)
class StoredSearch:
    """A search.

    Attributes:
        goals: two of them.
        space: parameter -> where it is drawn from, as Optuna describes it in JSON.
        trials: by number.
    """

    sweep: StoredSweep
    goals: tuple[Goal, ...]
    space: dict[str, str]
    trials: tuple[StoredTrial, ...]

    @classmethod
    def of(cls, sweep: StoredSweep) -> "StoredSearch":
        """Take a sweep as a search; UserError if it is none, or not one of two goals."""
        name, tags = sweep.name, sweep.tags
        if schema.OBJECTIVES not in tags or schema.SPACE not in tags:
            raise UserError(f"sweep {name!r} is no search: its rows were listed, not suggested")
        goals = tuple(
            Goal(metric, direction == "maximize")
            for metric, direction in json.loads(tags[schema.OBJECTIVES])
        )
        if len(goals) != 2:
            raise UserError(f"sweep {name!r}: figures are drawn of two objectives, not of one")
        trials = tuple(sorted(sweep.trials, key=number_of))
        return cls(sweep, goals, json.loads(tags[schema.SPACE]), trials)

    def values(self, trial: StoredTrial) -> tuple[float, ...]:
        """Return what its goals are at a trial's last validation; NaN where there was none."""
        return tuple(trial.last(goal.metric) for goal in self.goals)

    def score(self, trial: StoredTrial) -> float:
        """Return what is maximised minus what is minimised, by which trials were pruned."""
        pairs = zip(self.goals, self.values(trial), strict=True)
        return sum(value if g.maximise else -value for g, value in pairs)

    def suggested(self, trial: StoredTrial) -> dict[str, Any]:
        """Return parameters as Optuna has them: numbers, truths and choices."""
        from optuna.distributions import CategoricalDistribution, json_to_distribution

        found: dict[str, Any] = {}
        for name, text in self.space.items():
            given = trial.params.get(schema.SUGGESTED + name)
            if given is None:
                continue
            distribution = json_to_distribution(text)
            if isinstance(distribution, CategoricalDistribution):
                found[name] = next(c for c in distribution.choices if str(c) == given)
            else:
                found[name] = distribution.to_external_repr(float(given))
        return found

    @property
    def results(self) -> tuple[StoredTrial, ...]:
        """Trials that ran to their end or collapsed: those that can be compared."""
        return tuple(t for t in self.trials if t.has_result)

    @property
    def front(self) -> tuple[StoredTrial, ...]:
        """Results that no other is better than in one objective and as good in the other."""
        signs = [1 if g.maximise else -1 for g in self.goals]
        points = {
            t.run_id: [s * v for s, v in zip(signs, self.values(t), strict=True)]
            for t in self.results
        }

        def dominated(trial: StoredTrial) -> bool:
            own = points[trial.run_id]
            return any(
                other != own and all(a >= b for a, b in zip(other, own, strict=True))
                for other in points.values()
            )

        return tuple(t for t in self.results if not dominated(t))

    def study(self) -> "optuna.Study":
        """Rebuild a study in memory from the results and pruned trials, judged by both goals."""
        import optuna
        from optuna.distributions import json_to_distribution
        from optuna.study import StudyDirection
        from optuna.trial import TrialState

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        better = {True: StudyDirection.MAXIMIZE, False: StudyDirection.MINIMIZE}
        study = optuna.create_study(directions=[better[g.maximise] for g in self.goals])
        for trial in self.trials:
            pruned = trial.end_reason is EndReason.PRUNED
            if not trial.has_result and not pruned:
                continue
            params = self.suggested(trial)
            study.add_trial(
                optuna.trial.create_trial(
                    params=params,
                    distributions={n: json_to_distribution(self.space[n]) for n in params},
                    values=list(self.values(trial)),
                    state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
                )
            )
        return study

    def importances(self) -> list[dict[str, float]]:
        """Return parameter -> importance for each goal, by fANOVA over the results (sum 1).

        Empty if there are fewer than four results: nothing could be said.
        """
        import optuna

        if len(self.results) < 4:
            return [{} for _ in self.goals]
        study, evaluator = self.study(), optuna.importance.FanovaImportanceEvaluator(seed=0)
        importance = optuna.importance.get_param_importances
        return [
            importance(study, evaluator=evaluator, target=_value(i)) for i in range(len(self.goals))
        ]


def _value(index: int) -> Callable[["optuna.trial.FrozenTrial"], float]:
    return lambda trial: trial.values[index]
