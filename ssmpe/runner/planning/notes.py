"""Descriptions of runs, in Markdown, as MLflow shows them on top of a run's page."""

from collections.abc import Mapping
from typing import Any

from ssmpe.config import TrialConfig
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.plan import Plan

_READING = """\
Every trial is a run of its own below this one, named after its row{seeds}. `SET/f1` is the mean F1
over the tracks of a set, `SET/blank_rate` the share of its sounding frames without any estimated
pitch: 1 is a blank output. `ssmpe.end_reason` says whether a trial was `completed`, or stopped as
`collapsed`. Artifacts: `figures` of this run answer the question, `salience` of a trial shows the
output at every validation, right of the truth."""


def of_sweep(plan: Plan) -> str:
    """What was asked, of what, and how the answer is read."""
    seeds = dict.fromkeys(trial.seed for trial in plan.trials)
    several = " and its seed" if len(seeds) > 1 else ""
    facts = f"{plan.n_trials} trials, preset {plan.preset}, {plan.data}"
    return "\n\n".join([f"**{plan.question}**", facts, _READING.format(seeds=several)])


def of_trial(trial: Trial, preset: str, changes: Mapping[str, Any], base: TrialConfig) -> str:
    """Row and seed, and what differs from the preset.

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
