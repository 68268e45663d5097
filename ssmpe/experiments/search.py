"""Searches: a question, a space of configurations, and the measures that tell good ones."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.experiments.sweep import Delta, Row, Trial
from ssmpe.seeding import seed_of

if TYPE_CHECKING:
    import optuna

Direction = Literal["maximize", "minimize"]

N_SAMPLES = 16
"""random draws from a space that are looked at before a search begins"""


@dataclass(frozen=True)
class Objective:
    """A measure to be maximised or minimised, by its metric key in the tracking schema."""

    metric: str
    direction: Direction

    @property
    def set_name(self) -> str:
        return self.metric.rpartition("/")[0]


def maximise(metric: str) -> Objective:
    return Objective(metric, "maximize")


def minimise(metric: str) -> Objective:
    return Objective(metric, "minimize")


def score(objectives: Sequence[Objective], metrics: Mapping[str, float]) -> float | None:
    """One number, the higher the better: what is maximised minus what is minimised.

    None if a metric is missing.
    """
    if any(o.metric not in metrics for o in objectives):
        return None
    return sum((1 if o.direction == "maximize" else -1) * metrics[o.metric] for o in objectives)


@dataclass(frozen=True)
class Sample:
    """A draw from a space.

    Attributes:
        suggested: the space's own parameters, by name.
        distributions: where they were drawn from, as Optuna describes it in JSON.
    """

    config: TrialConfig
    suggested: dict[str, Any]
    distributions: dict[str, str]


@dataclass(frozen=True)
class Search:
    """An experiment whose configurations are not listed but suggested.

    Attributes:
        name: of its file under ``sweeps/``.
        question: what it answers, one line.
        common: what all configurations change.
        space: deltas of a suggestion, from Optuna's trial, of which it asks its parameters as it
            goes along, and the configuration that they change.
        objectives: measures of the last validation by which configurations are judged.
        start: parameters of the first suggestion, to compare the others with.
        n_trials: unless another number is asked for.
        scientific, nuisance: dotted paths that the space varies, as a sweep's.
    """

    name: str
    question: str
    common: Callable[[TrialConfig], Iterable[Delta]]
    space: Callable[["optuna.Trial", TrialConfig], Iterable[Delta]]
    objectives: Callable[[TrialConfig], Sequence[Objective]]
    start: Mapping[str, Any]
    n_trials: int
    scientific: tuple[str, ...] = ()
    nuisance: tuple[str, ...] = ()

    def base(
        self, preset: TrialConfig, seeds: Iterable[int], overrides: Mapping[str, Any]
    ) -> TrialConfig:
        """The configuration that suggestions change.

        Raises:
            UserError: not one seed, or an objective on a set that is not evaluated.
        """
        seeds = tuple(seeds)
        if len(seeds) != 1:
            listed = ",".join(map(str, seeds))
            raise UserError(f"--seeds {listed}: a search tries many configurations with one seed")
        if "training.seed" in overrides:
            raise UserError("training.seed cannot be --set: give --seeds")
        common = Row("", tuple(self.common(preset))).apply(preset)
        config = common.replace({**overrides, "training.seed": seeds[0]})
        for objective in self.objectives(config):
            if objective.set_name not in config.data.evaluated_sets:
                raise UserError(f"--set data.evaluation: the search needs {objective.set_name}")
        return config

    def samples(self, base: TrialConfig) -> list[Sample]:
        """The first suggestion and random draws: what the search will ask for, more or less."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.RandomSampler(seed=seed_of("samples", self.name) % 2**32)
        study = optuna.create_study(sampler=sampler)
        study.enqueue_trial(dict(self.start))
        return [self.sample(study.ask(), base) for _ in range(N_SAMPLES)]

    def sample(self, trial: "optuna.Trial", base: TrialConfig) -> Sample:
        """What the space makes of one of Optuna's trials."""
        from optuna.distributions import distribution_to_json

        config = Row("", tuple(self.space(trial, base))).apply(base)
        distributions = {n: distribution_to_json(d) for n, d in trial.distributions.items()}
        return Sample(config, dict(trial.params), distributions)

    def trials(
        self,
        base: TrialConfig,
        seeds: Iterable[int],
        patterns: Sequence[str] = (),
        overrides: Mapping[str, Any] | None = None,
    ) -> list[Trial]:
        """Samples as trials: none of them will run, but they use what those will that do.

        Raises:
            UserError: rows are asked for, or an override of what the space varies; otherwise as
                ``base``.
        """
        if patterns:
            raise UserError(f"--rows {','.join(patterns)}: a search has no rows")
        config = self.base(base, seeds, overrides or {})
        drawn = {s.config.identity: s.config for s in self.samples(config)}
        for path, value in (overrides or {}).items():
            if any(c.replace({path: value}) != c for c in drawn.values()):
                raise UserError(f"--set {path}: that is what the search varies")
        return [Trial(f"sample {n}", c) for n, c in enumerate(drawn.values())]
