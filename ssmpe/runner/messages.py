"""What a sweep prints before and after its trials."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ssmpe.config import TrialConfig
from ssmpe.experiments.estimate import sweep_cost
from ssmpe.experiments.options import Options
from ssmpe.experiments.search import Search
from ssmpe.experiments.sweep import Sweep, Trial, differences
from ssmpe.runner.plan import Plan, SearchPlan
from ssmpe.runner.planning.parents import Origin
from ssmpe.tracking.ui import ui_command

ASSUMED_CPUS = 2
"""for an estimate of time where no cluster has been asked for its CPUs"""


def dry_run(
    console: Console,
    sweep: Sweep,
    trials: Sequence[Trial],
    base: TrialConfig,
    data: str,
    found: Mapping[str, Origin],
    options: Options,
) -> None:
    """Rows and how they differ, trials, batches, an estimate of time and disk.

    Args:
        found: where the trials that others continue come from, by identity.
    """
    _question(console, sweep, data, options)
    rows = {trial.identity: trial.row for trial in trials}
    table = Table("row", "differs from the preset in", box=None, pad_edge=False)
    for trial in {t.row: t for t in trials}.values():
        changes = differences(trial.config, base)
        changes.pop("training.seed", None)
        parent = changes.pop("training.parent", None)
        parts = [f"continues {rows[parent]}"] if parent else []
        text = ", ".join([*parts, *(f"{k} = {_said(v)}" for k, v in changes.items())])
        table.add_row(trial.row, text or "nothing")
    console.print(table)
    origins(console, trials, found)
    trials = [t for t in trials if t.identity not in found or not found[t.identity].run]
    _cost(console, trials, len(trials), options)


def dry_run_search(
    console: Console,
    search: Search,
    samples: Sequence[Trial],
    plan: SearchPlan,
    data: str,
    options: Options,
) -> None:
    """Where suggestions are drawn from, what they are judged by, and an estimate from samples."""
    _question(console, search, data, options)
    table = Table("parameter", "values", "first", box=None, pad_edge=False)
    space: dict[str, str] = {}
    for sample in search.samples(plan.base):
        space |= sample.distributions
    for name, distribution in space.items():
        attributes = json.loads(distribution)["attributes"]
        table.add_row(name, _values(attributes), _said(search.start.get(name)))
    console.print(table)
    objectives = ", ".join(f"{o.direction} {o.metric}" for o in search.objectives(plan.base))
    console.print(f"objectives ({plan.objective}): {objectives}", highlight=False, soft_wrap=True)
    _cost(console, samples, plan.n_trials, options)


def _question(console: Console, sweep: Sweep | Search, data: str, options: Options) -> None:
    console.print(sweep.question, highlight=False)
    console.print(f"preset {options.preset}, data: {data}", highlight=False, soft_wrap=True)
    varied = f"varied: {', '.join(sweep.scientific)}"
    tuned = f"; tuned: {', '.join(sweep.nuisance)}" if sweep.nuisance else ""
    console.print(f"{varied}{tuned}; all else is fixed", highlight=False, soft_wrap=True)


def _values(attributes: Mapping[str, Any]) -> str:
    """What a parameter may be, from the attributes of Optuna's distribution."""
    if "choices" in attributes:
        return ", ".join(map(_said, attributes["choices"]))
    step = f" in steps of {_said(attributes['step'])}" if attributes["step"] else ""
    scale = " (logarithmic)" if attributes["log"] else step
    return f"{_said(attributes['low'])} to {_said(attributes['high'])}{scale}"


def _cost(console: Console, trials: Sequence[Trial], n_trials: int, options: Options) -> None:
    """What ``n_trials`` cost if they are like these."""
    gpu = bool(options.gpus_per_trial)
    at_once = min(options.concurrent or ASSUMED_CPUS, n_trials)
    share = n_trials / max(len(trials), 1)
    seconds, size = sweep_cost(trials, "cuda" if gpu else "cpu", at_once)
    batches = round(share * sum(t.config.training.n_batches for t in trials))
    seeds = ", ".join(str(s) for s in options.seeds)
    console.print(
        f"{n_trials} trials (seeds {seeds}), {batches} batches; about {_duration(share * seconds)} "
        f"with {at_once} at a time on {'GPUs' if gpu else 'CPU cores'} if none is stopped early, "
        f"and {share * size / 1e6:.0f} MB of disk",
        highlight=False,
        soft_wrap=True,
    )


def origins(console: Console, trials: Sequence[Trial], found: Mapping[str, Origin]) -> None:
    """Where the trials that others continue come from, a line each."""
    for trial in trials:
        if trial.identity in found:
            text = f"{trial.name}: {found[trial.identity].text}"
            console.print(text, highlight=False, soft_wrap=True, markup=False)


def farewell(
    console: Console,
    plan: Plan,
    ending: str,
    failed: Mapping[str, str],
    arrived: bool,
    url: str,
) -> None:
    """How the sweep ended, what failed, and how to go on; ``ending``: why too early, if it did."""
    if failed:
        table = Table("failed trial", "why", box=None, pad_edge=False)
        for name, reason in failed.items():
            table.add_row(name, reason)
        console.print(table)
    if ending:
        told = f"{ending}; continue with --resume {plan.name}"
        console.print(told, highlight=False, soft_wrap=True, markup=False)
    if not arrived:
        console.print(
            f"the tracking server {plan.tracking_uri} has not taken everything; the rest waits on "
            f"disk and is delivered by --resume {plan.name}",
            highlight=False,
            soft_wrap=True,
        )
    for line in (
        f"to look at the runs: {ui_command(plan.tracking_uri)}",
        f"and then open {url}",
    ):
        console.print(line, highlight=False, soft_wrap=True)


def without_head(console: Console, plan: Plan, address: str, arrived: bool) -> None:
    """That the head of the Ray cluster is gone, and how to go on."""
    kept = "all that was reported is stored" if arrived else "all that was reported is on disk"
    told = f"the head of the Ray cluster at {address} is gone; {kept}"
    console.print(
        f"{told}; start a cluster and continue with --resume {plan.name}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


def _said(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.{0 if seconds > 360_000 else 1}f} h"
