"""A sweep from its options to its end: plan, data, trials, tracking, report."""

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ssmpe.data.cache import cache_dir
from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.options import RESULTS, Options
from ssmpe.runner import engine, nodes, parents, show
from ssmpe.runner.attempts import check_storage
from ssmpe.runner.callbacks import SweepCallback
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning import (
    base_of,
    describe_data,
    locations,
    make_plan,
    plan_trials,
    search_plan,
    sweep_params,
    trials_of,
    with_data_root,
    world_size,
)
from ssmpe.runner.presentation import Presentation
from ssmpe.runner.progress import Progress
from ssmpe.runner.provision import Prepared, embedded_root, open_all_sets
from ssmpe.runner.suggestions import Suggestions
from ssmpe.runner.trials import run_search, run_trials
from ssmpe.search import Search
from ssmpe.sweep import Sweep
from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker, check_server, local_uri

FLUSH_SECONDS = 120.0
"""patience at the end with a tracking server that is slow or away"""

_STATUS = {"finished": "FINISHED", "interrupted": "KILLED"}
"""of MLflow, for the states of a sweep"""

_FINAL = (schema.EndReason.COMPLETED, schema.EndReason.COLLAPSED, schema.EndReason.PRUNED)
"""Ends that a resume accepts; failed and interrupted trials go on"""

Report = Callable[[str, str, Path], Sequence[str]]
"""From tracking URI, name of the sweep and a folder to lines for the user; draws and logs the
figures that answer the sweep's question."""


def run_sweep(
    sweep: Sweep | Search, options: Options, report: Report | None, console: Console
) -> int:
    """Run or resume a sweep or a search; the exit code: 0, 1 if trials failed, 130 if interrupted.

    Raises:
        UserError, OutOfSpaceError
    """
    results = RESULTS.absolute()
    if options.dry_run:
        trials, data_label = plan_trials(sweep, options), describe_data(options)
        if isinstance(sweep, Search):
            planned = search_plan(sweep, options)
            show.dry_run_search(console, sweep, trials, planned, data_label, options)
            return 0
        store = options.tracking_uri or local_uri(results)
        found = parents.origins(trials, store, data_label)
        show.dry_run(console, sweep, trials, base_of(options), data_label, found, options)
        return 0
    _require_writable(results)
    if options.resume:
        plan = Plan.load(results, options.resume, sweep.name)
        check_server(plan.tracking_uri)
    else:
        trials = plan_trials(sweep, options)
        tracking_uri = options.tracking_uri or local_uri(results)
        check_server(tracking_uri)
        plan = None
    cache = cache_dir()
    if plan:
        if plan.world:
            plan = with_data_root(plan, embedded_root(cache, plan.world, console))
        trials, where = trials_of(sweep, plan), plan.locations
        own = plan.world is None or bool(plan.folders)
    else:
        root = options.data_root or embedded_root(cache, world_size(options), console)
        where = locations(options, root)
        own = options.data_root is not None or bool(options.folders)
    data = open_all_sets(trials, where, cache, console, show=own)
    with engine.cluster(options.address):
        if plan is None:
            plan = make_plan(sweep, options, trials, where, tracking_uri, results)
            nodes.require_fit(plan, options.address)
            found = parents.origins(trials, plan.tracking_uri, plan.data)
            plan = replace(plan, taken={key: o.run for key, o in found.items() if o.run})
            show.origins(console, trials, found)
            check_storage(plan.storage)
            plan.save(results)
        else:
            nodes.require_fit(plan, options.address)
        suggestions = Suggestions(sweep, plan, results) if isinstance(sweep, Search) else None
        shown = Presentation(plan, tuple(trials), data.facts)
        return _run_plan(plan, suggestions, shown, results, data, report, console)


def _require_writable(results: Path) -> None:
    try:
        results.mkdir(parents=True, exist_ok=True)
        probe = results / f".write-test-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutOfSpaceError(f"{results}: the disk is full") from None
        raise UserError(
            f"{results}: cannot be written to ({error.strerror}); run from another folder"
        ) from None


def _run_plan(
    plan: Plan,
    suggestions: Suggestions | None,
    shown: Presentation,
    results: Path,
    data: Prepared,
    report: Report | None,
    console: Console,
) -> int:
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
        ended = {t: r for t, r in tracker.end_reasons(FLUSH_SECONDS).items() if r in _FINAL}
        ended = parents.provide(plan, ended, tracker, shown, console)
        known = list(plan.trials)
        if suggestions:
            known, ended = suggestions.trials, suggestions.ended
        states = {key: "from store" if key in plan.taken else end for key, end in ended.items()}
        with Progress(console, known, states) as progress:
            SweepCallback.attach(tracker, progress, shown, parents.tags(plan))
            if suggestions:
                state, failed = run_search(plan, suggestions, tracker, data)
            else:
                state, failed = run_trials(plan, ended, tracker, data)
    finally:
        SweepCallback.detach()
        if started:
            planned = {schema.PLANNED: str(suggestions.n_trials)} if suggestions else {}
            tracker.end_sweep(_STATUS.get(state, "FAILED"), {schema.STATE: state, **planned})
        arrived = tracker.close(FLUSH_SECONDS if started else 0.0)
    complete = arrived
    if report and arrived and state != "interrupted":
        complete = _draw(report, plan, results, console)
    show.farewell(console, plan, state, failed, arrived, tracker.url)
    code = {"finished": 0, "interrupted": 130}.get(state, 1)
    return code if complete else code or 1


def _draw(report: Report, plan: Plan, results: Path, console: Console) -> bool:
    """Draw the figures; whether that worked. What has been computed is safe either way."""
    drawn = True
    try:
        lines = report(plan.tracking_uri, plan.name, results / "figures" / plan.name)
    except OSError as error:
        drawn, lines = False, [f"no figure: {error}"]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    return drawn
