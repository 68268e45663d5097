"""A plan, run with its records, its display and its report."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ray import tune
from rich.console import Console

from ssmpe.runner import ending, messages
from ssmpe.runner.callback import SweepCallback
from ssmpe.runner.cluster import excluded
from ssmpe.runner.cluster.cluster import watched
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning import parents
from ssmpe.runner.planning.make import sweep_params
from ssmpe.runner.planning.presentation import Presentation
from ssmpe.runner.planning.provision import Prepared
from ssmpe.runner.progress import Progress
from ssmpe.runner.queue.suggestions import Suggestions
from ssmpe.runner.trial.checkpoints import Checkpoints
from ssmpe.runner.trial.trainable import TrialTrainable
from ssmpe.runner.trials import Runs, run_search, run_trials
from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker

FLUSH_SECONDS = 120.0
"""patience at the end with a tracking server that is slow or away"""

_STATUS = {"finished": "FINISHED", "interrupted": "KILLED"}
"""of MLflow, for the states of a sweep"""

_FINAL = (schema.EndReason.COMPLETED, schema.EndReason.COLLAPSED, schema.EndReason.PRUNED)
"""Ends that a resume accepts; failed and interrupted trials go on"""

Report = Callable[[str, str, Path], Sequence[str]]
"""From tracking URI, name of the sweep and a folder to lines for the user; draws and logs the
figures that answer the sweep's question."""


def drive(
    plan: Plan,
    suggestions: Suggestions | None,
    shown: Presentation,
    results: Path,
    data: Prepared,
    report: Report | None,
    console: Console,
    trainable: type[tune.Trainable] = TrialTrainable,
) -> int:
    """Run what is left of a plan, with its records and its report; the exit code.

    Args:
        suggestions: of a search.
        trainable: what runs a trial.

    Raises:
        UserError, OutOfSpaceError
    """
    ending.forget()
    excluded.forget()
    tracker = Tracker(plan.tracking_uri, plan.spool(results))
    state, started = "failed", False
    failed: dict[str, str] = {}
    try:
        tags = {**shown.sweep_tags, schema.STATE: "running"}
        if suggestions:
            tags |= suggestions.tags
        tracker.start_sweep(plan.script, plan.name, tags, sweep_params(plan), shown.view)
        started = True
        console.print(f"sweep {plan.name}: {plan.n_trials} trials", highlight=False)
        checkpoints = Checkpoints(plan.storage, plan.name)
        mark = checkpoints.begin()
        ended = {t: r for t, r in tracker.end_reasons(FLUSH_SECONDS).items() if r in _FINAL}
        ended = parents.provide(plan, ended, tracker, shown, console)
        known = list(plan.trials)
        if suggestions:
            known, ended = suggestions.trials, suggestions.ended
        states = {key: "from store" if key in plan.taken else end for key, end in ended.items()}
        lost = partial(_end_without_head, plan, tracker, console)
        with watched(lost), Progress(console, known, states) as progress:
            SweepCallback.attach(tracker, progress, shown, parents.tags(plan), checkpoints)
            runs = Runs(plan, tracker, data, plan.scratch(results), console, trainable, mark)
            if suggestions:
                state, failed = run_search(runs, suggestions)
            else:
                state, failed = run_trials(runs, ended)
    finally:
        SweepCallback.detach()
        if started:
            planned = {schema.PLANNED: str(suggestions.n_trials)} if suggestions else {}
            tracker.end_sweep(_STATUS.get(state, "FAILED"), {schema.STATE: state, **planned})
        arrived = tracker.close(FLUSH_SECONDS if started else 0.0)
    complete = arrived
    if report and arrived and state != "interrupted":
        complete = _draw(report, plan, results, console)
    ended_by = ending.asked_for()
    why = ended_by.why if state == "interrupted" else ""
    messages.farewell(console, plan, why, failed, arrived, tracker.url)
    code = {"finished": 0, "interrupted": ended_by.code}.get(state, 1)
    return code if complete else code or 1


def _end_without_head(plan: Plan, tracker: Tracker, console: Console, address: str) -> None:
    """End this process: what it asks of Ray is not answered any more, not even to stop trials.

    To a resume this is a driver that was killed.
    """
    arrived = tracker.flush(FLUSH_SECONDS)
    messages.without_head(console, plan, address, arrived)
    sys.stdout.flush()
    os._exit(1)


def _draw(report: Report, plan: Plan, results: Path, console: Console) -> bool:
    """Draw the figures; whether that worked. What has been computed is safe either way."""
    drawn = True
    try:
        lines = report(plan.tracking_uri, plan.name, results / "figures" / plan.name)
    except OSError as error:
        drawn, lines = False, [f"no figure: {error}"]
    except Exception as error:  # a defect of a figure must not hide how the trials ended
        again = f"python -m analysis.report --sweep {plan.name}"
        drawn, lines = False, [f"no figure: {error!r}; all runs are stored: {again} tries anew"]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    return drawn
