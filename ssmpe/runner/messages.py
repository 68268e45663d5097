"""What a sweep prints before and after its trials."""

import shlex
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from ssmpe.experiments.options import RESULTS, Options
from ssmpe.experiments.search import Search, SearchPlan
from ssmpe.experiments.sweep import Overview, Sweep, Trial
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning.from_store import Origin
from ssmpe.runner.queue.queue import Queue
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.sqlite import local_uri
from ssmpe.tracking.ui import ui_command

ASSUMED_CPUS = 2
"""CPUs for an estimate of time where no cluster has been asked for its own."""
LONG_HOURS = 48
"""Hours from which on a time is told in days."""
FEW = 10
"""Trials that are copied from the store in a moment."""


def dry_run(
    console: Console,
    sweep: Sweep | Search,
    overview: Overview,
    plan: SearchPlan | None,
    trials: Sequence[Trial],
    data: str,
    found: Mapping[str, Origin],
    options: Options,
    lacking: Sequence[str],
) -> None:
    """Print what would run, an estimate of batches, time and disk, and what data are missing.

    Args:
        plan: of a search.
        trials: all of them; of a search, samples.
        found: where trials come from, by identity, of those that it is told of.
        lacking: lines about the data.
    """
    _question(console, sweep, data, options)
    table = Table(*overview.columns, box=None, pad_edge=False)
    for row in overview.rows:
        table.add_row(*row)
    console.print(table)
    for line in overview.lines:
        console.print(line, highlight=False, soft_wrap=True)
    origins(console, trials, found)
    trials = [t for t in trials if t.identity not in found or not found[t.identity].run]
    _cost(console, trials, plan.n_trials if plan else len(trials), options)
    for line in lacking:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _question(console: Console, sweep: Sweep | Search, data: str, options: Options) -> None:
    console.print(sweep.question, highlight=False)
    console.print(f"preset {options.preset}, data: {data}", highlight=False, soft_wrap=True)
    varied = f"varied: {', '.join(sweep.scientific)}"
    tuned = f"; tuned: {', '.join(sweep.nuisance)}" if sweep.nuisance else ""
    console.print(f"{varied}{tuned}; all else is fixed", highlight=False, soft_wrap=True)


def _cost(console: Console, trials: Sequence[Trial], n_trials: int, options: Options) -> None:
    """Print what ``n_trials`` cost if they are like these."""
    from ssmpe.experiments.estimate import sweep_cost  # PyTorch with it: a second

    gpu = bool(options.gpus_per_trial)
    at_once = max(1, min(options.concurrent or ASSUMED_CPUS, n_trials))
    share = n_trials / max(len(trials), 1)
    seconds, size = sweep_cost(trials, "cuda" if gpu else "cpu", at_once)
    cpu, cuda = (share * sweep_cost(trials, device, 1)[0] / 3600 for device in ("cpu", "cuda"))
    batches = round(share * sum(t.config.training.n_batches for t in trials))
    seeds = ", ".join(str(s) for s in options.seeds)
    console.print(
        f"{n_trials} trials (seeds {seeds}), {batches} batches; about {_duration(share * seconds)} "
        f"with {at_once} at a time on {'GPUs' if gpu else 'CPU cores'} if none is stopped early, "
        f"and {share * size / 1e6:.0f} MB of disk",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"that is {_hours(cpu)} of a CPU core, or, by a guess, {_hours(cuda)} of a large GPU",
        highlight=False,
        soft_wrap=True,
    )


def origins(console: Console, trials: Sequence[Trial], found: Mapping[str, Origin]) -> None:
    """Print where trials come from that need not be trained here as a matter of course."""
    for trial in trials:
        if trial.identity in found:
            text = f"{trial.name}: {found[trial.identity].text}"
            console.print(text, highlight=False, soft_wrap=True, markup=False)


def copies(console: Console, plan: Plan, ended: Mapping[str, str]) -> None:
    """Say how many trials are about to be copied from the store, if that is more than a few."""
    n = len(plan.taken.keys() - ended.keys())
    if n > FEW:
        console.print(f"copying {n} trials from the store", highlight=False)


def farewell(
    console: Console,
    plan: Plan,
    ending: str,
    queue: Queue,
    arrived: bool,
    url: str,
) -> None:
    """Print how the sweep ended, what failed, and how to go on.

    Args:
        ending: why it ended too early, if it did.
    """
    if failed := queue.failed:
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
    failure = EndReason.FAILED
    useful = any(
        trial.config.model.learns and queue.ended.get(trial.identity, failure) != failure
        for trial in queue.trials
    )
    for line in (
        *((f"to use its best network: {_transcribe(plan)}",) if useful and not ending else ()),
        f"to look at the runs: {ui_command(plan.tracking_uri)}",
        f"and then open {url}",
    ):
        console.print(line, highlight=False, soft_wrap=True)


def _transcribe(plan: Plan) -> str:
    """Return the command that transcribes with the best network of a sweep."""
    words = ["ssmpe", "transcribe", "song.wav", "--run", plan.name]
    if plan.tracking_uri != local_uri(RESULTS):
        words += ["--tracking-uri", plan.tracking_uri]
    return shlex.join(words)


def without_ray(console: Console, plan: Plan, gone: str, joined: bool, arrived: bool) -> None:
    """Print which service of Ray is gone, and how to go on.

    Args:
        joined: the cluster was running before.
    """
    kept = "all that was reported is stored" if arrived else "all that was reported is on disk"
    first = "start a cluster and " if joined else ""
    console.print(
        f"{gone} is gone; {kept}; {first}continue with --resume {plan.name}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    if seconds < LONG_HOURS * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 100 else f"{hours:,.0f} h"
