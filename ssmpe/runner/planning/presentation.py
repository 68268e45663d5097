"""How a sweep and its trials appear in MLflow: names, parameters, descriptions, sets, the view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ssmpe.config import TrialConfig
from ssmpe.config.presets import preset
from ssmpe.data.sets import roles_of
from ssmpe.experiments.sweep import Trial, differences
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning.provision import SetFacts
from ssmpe.tracking import schema
from ssmpe.tracking.inputs import UsedSet
from ssmpe.tracking.tracker import Tracker
from ssmpe.tracking.view import View, varied

MAX_DRAWN = 4
"""Number of sets whose curves are drawn in front of all others."""
_OUTCOME = ("f1_tuned", "blank_rate")
"""Measures at the end of the axes: more would not leave room for what differs."""
_MEASURES = ("f1_tuned", "average_precision", "blank_rate", "f1")
"""Measures of columns and curves."""

_READING = """\
Every trial is a run of its own below this one, named after its row{seeds}. `SET/f1_tuned` is the
mean F1 over the tracks of a set, with the threshold (`threshold`) that is best on the labelled
validation set; `SET/f1` that at a salience of 0.5, as published; `SET/average_precision` hangs on
no threshold. `SET/blank_rate` is the share of sounding frames without any estimated pitch at 0.5: 1
is a blank output. `ssmpe.end_reason` says whether a trial was `completed`, or stopped as
`collapsed`, and `ssmpe.collapse_kind` how its output has degenerated on each set. Artifacts:
`figures` of this run answer the question, `salience` of a trial shows the output at every
validation, right of the truth."""


@dataclass(frozen=True)
class Presentation:
    """What is told of a plan's trials beside their results.

    Attributes:
        trials: all of them; of a search, some that it may suggest.
        facts: of the sets, by the key of their use.
        accepted: tags that tell of other code which a resume has accepted.
    """

    plan: Plan
    trials: tuple[Trial, ...]
    facts: Mapping[str, SetFacts]
    accepted: Mapping[str, str] = field(default_factory=dict)

    @property
    def sweep_tags(self) -> dict[str, str]:
        """Tags of the sweep's own run."""
        note = _sweep_note(self.plan)
        own = {schema.QUESTION: self.plan.question, schema.NOTE: note}
        return {**self._shared_tags, **own, **self.plan.accepted, **self.accepted}

    def start(
        self,
        trial: Trial,
        tracker: Tracker,
        tags: Mapping[str, str],
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell the tracker all of this of a trial, and further tags and parameters."""
        all_tags = {**self.tags(trial), **tags}
        all_params = {**self.params(trial), **(params or {})}
        tracker.start_trial(trial.identity, self.name(trial), all_tags, all_params)
        tracker.log_sets(trial.identity, self.sets(trial))

    def name(self, trial: Trial) -> str:
        """Return the name of a trial's run: its row, and its seed where there are several."""
        return trial.name if self._has_seeds else trial.row

    def tags(self, trial: Trial) -> dict[str, str]:
        """Return tags by which a trial's run is found and told from others, and its description."""
        data, name, places = trial.config.data, self.plan.preset, self._places
        unlabelled = data.unlabelled
        base = preset(name).replace({"data.source": data.source, "training.seed": trial.seed})
        return {
            **self._shared_tags,
            schema.ROW: trial.row,
            schema.SEED: str(trial.seed),
            **({schema.ORDER: order_of(places[trial.identity])} if places else {}),
            schema.ADDED_SET: ",".join(unlabelled),
            schema.ADDED_EXCERPTS: str(sum(unlabelled.values())),
            schema.NOTE: _trial_note(trial, name, differences(trial.config, base), base),
        }

    def params(self, trial: Trial) -> dict[str, Any]:
        """Return a trial's configuration; counts and weights that only others have are 0."""
        return {**self._zeros, **trial.config.flat()}

    def sets(self, trial: Trial) -> list[UsedSet]:
        """Return the sets that a trial uses, each once."""
        data = trial.config.data
        found: dict[tuple[str, str], UsedSet] = {}
        for use, roles in roles_of(data, trial.config.geometry.sample_rate).items():
            facts = self.facts.get(use.key)
            if facts is None:  # of a set that none of the trials looked at before uses
                continue
            key = use.name, facts.digest
            known = found[key].context.split(", ") if key in found else []
            found[key] = UsedSet(
                *key,
                source=f"{data.source}/{use.name}",
                context=", ".join(dict.fromkeys([*known, *roles])),
                profile={"tracks": facts.n_tracks, "hours": round(facts.hours, 3)},
            )
        return list(found.values())

    @property
    def view(self) -> View:
        """What is worth seeing at first: what differs between trials, and their scores."""
        trials = self.trials
        differing = varied(self.params(t) for t in trials)
        differing.pop("training.seed", None)  # rows are what is compared, and names tell the seed
        validation = dict.fromkeys(t.config.data.validation for t in trials)
        kinds = dict.fromkeys(name for t in trials for name in t.config.data.counterparts)
        scored = dict.fromkeys(name for t in trials for name in t.config.data.evaluated_sets)
        drawn = [*dict.fromkeys([*validation, *(kinds or scored)])][:MAX_DRAWN]
        return View(
            params=tuple(differing),
            axes=tuple(key for key, complete in differing.items() if complete),
            scores=_metrics([*dict.fromkeys([*drawn, *scored])]),
            outcome=_metrics(drawn[:2], _OUTCOME),
            curves=_metrics(drawn),
            n_runs=self.plan.n_trials,
            averaged=self._has_seeds,
        )

    @property
    def _shared_tags(self) -> dict[str, str]:
        plan = self.plan
        own = {schema.PRESET: plan.preset, schema.DATA: plan.data, schema.SCRIPT: plan.script}
        made_by = {schema.USER: "user", schema.COMMIT: "commit"}
        known = {tag: plan.made_by[key] for tag, key in made_by.items() if key in plan.made_by}
        return {**own, **known, **({schema.SOURCE: plan.command} if plan.command else {})}

    @cached_property
    def _places(self) -> dict[str, int]:
        """Places of the trials in the table, by identity: rows first, their seeds within."""
        trials = self.plan.trials
        rows = list(dict.fromkeys(trial.row for trial in trials))
        ordered = sorted(trials, key=lambda trial: rows.index(trial.row))
        return {trial.identity: place for place, trial in enumerate(ordered)}

    @cached_property
    def _has_seeds(self) -> bool:
        return len({trial.seed for trial in self.trials}) > 1

    @cached_property
    def _zeros(self) -> dict[str, int]:
        keys = dict.fromkeys(key for trial in self.trials for key in trial.config.flat())
        # an axis of parallel coordinates leaves out trials without a value
        return {key: 0 for key in keys if key.startswith(schema.COUNTED)}


def order_of(place: int) -> str:
    """Return a place as the tag ``schema.ORDER`` has it."""
    return f"{place:05d}"


def _metrics(names: list[str], measures: Sequence[str] = _MEASURES) -> tuple[str, ...]:
    return tuple(schema.set_metric(name, measure) for name in names for measure in measures)


def _sweep_note(plan: Plan) -> str:
    """Describe a sweep: what was asked, of what, and how the answer is read."""
    seeds = dict.fromkeys(trial.seed for trial in plan.trials)
    several = " and its seed" if len(seeds) > 1 else ""
    facts = f"{plan.n_trials} trials, preset {plan.preset}, {plan.data}"
    return "\n\n".join([f"**{plan.question}**", facts, _READING.format(seeds=several)])


def _trial_note(trial: Trial, preset: str, changes: Mapping[str, Any], base: TrialConfig) -> str:
    """Describe a trial: row and seed, and what differs from the preset.

    Args:
        changes: dotted path -> value; None where the trial lacks what the preset has.
        base: the preset.
    """
    usual = base.flat()
    lines = [f"- `{path}`: {_said(v)} ({_said(usual.get(path))})" for path, v in changes.items()]
    heading = f"Row **{trial.row}**, seed {trial.seed}: "
    if not lines:
        return f"{heading}the preset {preset} as it is."
    return "\n".join([f"{heading}differs from the preset {preset} (in brackets) in", "", *lines])


def _said(value: Any) -> str:
    return "none" if value is None else str(value)
