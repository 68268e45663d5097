"""Searches: a question, a space of configurations, and the measures that tell good ones."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.evaluation import collapse
from ssmpe.experiments.options import OBJECTIVE_MODES
from ssmpe.experiments.sweep import Delta, Overview, Row, Trial, said
from ssmpe.seeding import seed_of
from ssmpe.tracking import schema

if TYPE_CHECKING:
    import optuna

Direction = Literal["maximize", "minimize"]

N_SAMPLES = 16
"""Random draws from a space that are looked at before a search begins."""


@dataclass(frozen=True)
class Objective:
    """A measure to be maximised or minimised, by its metric key in the tracking schema.

    Raises:
        ValueError: no key, or no direction.
    """

    metric: str
    direction: Direction

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or self.direction not in get_args(Direction):
            raise ValueError(f"no objective: {self.direction!r:.40} {self.metric!r:.80}")

    @property
    def set_name(self) -> str:
        return self.metric.rpartition("/")[0]


def maximise(metric: str) -> Objective:
    return Objective(metric, "maximize")


def minimise(metric: str) -> Objective:
    return Objective(metric, "minimize")


def watched(config: TrialConfig) -> str:
    """Return the set that a search adds and whose blank rate it watches: the first evaluated.

    Raises:
        UserError: none is, or it is one that is labelled, or that chooses.
    """
    data = config.data
    if not data.evaluation:
        raise UserError("--set data.evaluation: the search adds its first set, so name one")
    first = data.evaluation[0]
    if first in (data.labelled, data.validation):
        raise UserError(
            f"--set data.evaluation: the search adds its first set without labels, and {first} is "
            "learnt from with them, or chooses weights"
        )
    return first


def score(objectives: Sequence[Objective], metrics: Mapping[str, float]) -> float | None:
    """Return one number, the higher the better: what is maximised minus what is minimised.

    None if a metric is missing.
    """
    if any(o.metric not in metrics for o in objectives):
        return None
    return sum((1 if o.direction == "maximize" else -1) * metrics[o.metric] for o in objectives)


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
        """Return the point that a report makes; None if an objective is not among its metrics."""
        found = score(objectives, metrics)
        rule = collapse.DEFAULT
        blank = metrics.get(schema.set_metric(config.data.validation, rule.measure))
        if found is None or blank is None:
            return None
        return cls(batch, found, blank <= rule.alive)


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
class SearchPlan:
    """What a search's trials follow from, its script's space aside.

    Attributes:
        base: configuration that suggestions change, with the sweep's seed.
        objective: one of ``ssmpe.experiments.options.OBJECTIVE_MODES``.
        objectives: by which it judges its trials, all alike, whatever its script says by now; () of
            one that version 0.3.0 began.
    """

    base: TrialConfig
    n_trials: int
    objective: str
    objectives: tuple[Objective, ...] = ()

    @property
    def judged_by(self) -> str:
        """Return the objectives in words."""
        return ", ".join(f"{o.direction} {o.metric}" for o in self.objectives)


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

    @property
    def search(self) -> "Search":
        """The search itself, whose trials are suggested while it runs."""
        return self

    def add_options(self, parser: ArgumentParser) -> None:
        """Add a search's own options to those of all sweeps."""
        add = parser.add_argument
        add("--trials", type=int, metavar="N", help="configurations to try (default: the search's)")
        add(
            "--objective",
            choices=OBJECTIVE_MODES,
            default=OBJECTIVE_MODES[0],
            help="look for the front of all objectives, or for the best difference "
            "(default: pareto)",
        )

    def plan(
        self,
        preset: TrialConfig,
        seeds: Iterable[int],
        overrides: Mapping[str, Any],
        n_trials: int | None,
        objective: str,
    ) -> SearchPlan:
        """Return what the search's trials will follow from.

        Raises:
            UserError: as ``base``.
        """
        base = self.base(preset, seeds, overrides)
        objectives = tuple(self.objectives(base))
        return SearchPlan(base, n_trials or self.n_trials, objective, objectives)

    def overview(
        self, trials: Sequence[Trial], preset: TrialConfig, plan: SearchPlan | None
    ) -> Overview:
        """Return where suggestions are drawn from, and what they are judged by."""
        assert plan
        space: dict[str, str] = {}
        added: dict[str, None] = {}
        for sample in self.samples(plan.base):
            space |= sample.distributions
            added |= dict.fromkeys(sample.config.data.added)
        rows = tuple(
            (name, _values(json.loads(text)["attributes"]), said(self.start.get(name)))
            for name, text in space.items()
        )
        lines = [f"added: {', '.join(added)}"] if added else []
        lines.append(f"objectives ({plan.objective}): {plan.judged_by}")
        return Overview(("parameter", "values", "first"), rows, tuple(lines))

    def base(
        self, preset: TrialConfig, seeds: Iterable[int], overrides: Mapping[str, Any]
    ) -> TrialConfig:
        """Return the configuration that suggestions change.

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
        """Return the first suggestion and random draws: about what the search will ask for."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.RandomSampler(seed=seed_of("samples", self.name) % 2**32)
        study = optuna.create_study(sampler=sampler)
        study.enqueue_trial(dict(self.start))
        return [self.sample(study.ask(), base) for _ in range(N_SAMPLES)]

    def sample(self, trial: "optuna.Trial", base: TrialConfig) -> Sample:
        """Return what the space makes of one of Optuna's trials.

        Raises:
            UserError: it wants what only a row that continues another can have.
        """
        from optuna.distributions import distribution_to_json

        config = Row("of a search", tuple(self.space(trial, base))).trial(base, {})
        distributions = {n: distribution_to_json(d) for n, d in trial.distributions.items()}
        return Sample(config, dict(trial.params), distributions)

    def trials(
        self,
        base: TrialConfig,
        seeds: Iterable[int],
        patterns: Sequence[str] = (),
        overrides: Mapping[str, Any] | None = None,
    ) -> list[Trial]:
        """Return samples as trials: none of them will run, but they use what those will.

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


def _values(attributes: Mapping[str, Any]) -> str:
    """Say what a parameter may be, from the attributes of Optuna's distribution."""
    if "choices" in attributes:
        return ", ".join(map(said, attributes["choices"]))
    step = f" in steps of {said(attributes['step'])}" if attributes["step"] else ""
    scale = " (logarithmic)" if attributes["log"] else step
    return f"{said(attributes['low'])} to {said(attributes['high'])}{scale}"
