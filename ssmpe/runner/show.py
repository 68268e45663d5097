"""What a sweep prints before and after its trials."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ssmpe.config import TrialConfig
from ssmpe.estimate import sweep_cost
from ssmpe.options import Options
from ssmpe.runner.parents import Origin
from ssmpe.runner.plan import Plan
from ssmpe.sweep import Sweep, Trial, differences
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
    console.print(sweep.question, highlight=False)
    console.print(f"preset {options.preset}, data: {data}", highlight=False, soft_wrap=True)
    varied = f"varied: {', '.join(sweep.scientific)}"
    tuned = f"; tuned: {', '.join(sweep.nuisance)}" if sweep.nuisance else ""
    console.print(f"{varied}{tuned}; all else is fixed", highlight=False, soft_wrap=True)
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
    gpu = bool(options.gpus_per_trial)
    at_once = min(options.concurrent or ASSUMED_CPUS, len(trials))
    seconds, size = sweep_cost(trials, "cuda" if gpu else "cpu", at_once)
    batches = sum(t.config.training.n_batches for t in trials)
    seeds = ", ".join(str(s) for s in options.seeds)
    console.print(
        f"{len(trials)} trials (seeds {seeds}), {batches} batches; about {_duration(seconds)} "
        f"with {at_once} at a time on {'GPUs' if gpu else 'CPU cores'} if none is stopped early, "
        f"and {size / 1e6:.0f} MB of disk",
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
    state: str,
    failed: Mapping[str, str],
    arrived: bool,
    url: str,
) -> None:
    """How the sweep ended, what failed, and how to go on."""
    if failed:
        table = Table("failed trial", "why", box=None, pad_edge=False)
        for name, reason in failed.items():
            table.add_row(name, reason)
        console.print(table)
    if state == "interrupted":
        console.print(f"interrupted; continue with --resume {plan.name}", highlight=False)
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


def _said(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.{0 if seconds > 360_000 else 1}f} h"
