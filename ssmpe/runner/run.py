"""A sweep from its options to its end: plan, data, trials, tracking, report."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from ray import tune
from rich.console import Console

from ssmpe.data.store.cache import cache_dir
from ssmpe.experiments.options import RESULTS, Options
from ssmpe.experiments.search import Search
from ssmpe.experiments.sweep import Sweep, Trial
from ssmpe.runner import messages, tuner
from ssmpe.runner.cluster import nodes, scaling
from ssmpe.runner.cluster.cluster import cluster, watched
from ssmpe.runner.cluster.excluded import Excluded
from ssmpe.runner.cluster.resources import Share, memory
from ssmpe.runner.ending import Account, Budget, Ending
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning import from_store
from ssmpe.runner.planning.make import (
    accepted_code,
    base_of,
    describe_data,
    looked_at,
    make_plan,
    plan_trials,
    require_code,
    search_plan,
    storage_of,
    sweep_params,
    trials_of,
    with_data_root,
    with_objectives,
    world_size,
)
from ssmpe.runner.planning.presentation import Presentation
from ssmpe.runner.planning.provision import Prepared, embedded_root, located, open_all_sets
from ssmpe.runner.progress import Progress
from ssmpe.runner.queue.queue import Queue
from ssmpe.runner.queue.retries import Retries
from ssmpe.runner.queue.suggestions import Suggestions
from ssmpe.runner.queue.table import Table
from ssmpe.runner.session import Session
from ssmpe.runner.trial.checkpoints import Checkpoints, require_begun
from ssmpe.runner.trial.trainable import TrialTrainable
from ssmpe.storage import require_writable
from ssmpe.tracking import schema
from ssmpe.tracking.spool import require_free
from ssmpe.tracking.tracker import Tracker, check_server, connect_ahead, local_uri

FLUSH_SECONDS = 120.0
"""Patience at the end with a tracking server that is slow or away."""

_STATUS = {"finished": "FINISHED", "interrupted": "KILLED"}
"""Status of MLflow's for the states of a sweep; of others: FAILED."""

_FINAL = (schema.EndReason.COMPLETED, schema.EndReason.COLLAPSED, schema.EndReason.PRUNED)
"""Ends that a resume accepts; failed and interrupted trials go on."""

Report = Callable[[str, str, Path], Sequence[str]]
"""Function from tracking URI, name of the sweep and a folder to lines for the user; it draws and
logs the figures that answer the sweep's question."""


def run_sweep(
    sweep: Sweep | Search, options: Options, report: Report | None, console: Console
) -> int:
    """Run or resume a sweep or a search; return the exit code.

    0; 1 if trials failed; 124 if the budget is spent; 130 if interrupted.

    Raises:
        UserError, OutOfSpaceError
    """
    results = RESULTS.absolute()
    if options.dry_run:
        _dry_run(sweep, options, results, console)
        return 0
    require_writable(str(results), str(results), "run from another folder")
    if options.resume:
        plan = Plan.load(results, options.resume, sweep.name)
        if told := require_code(sweep, plan, options.accept_code):
            console.print(told, highlight=False, soft_wrap=True, markup=False)
        require_free(plan.spool(results))
        require_begun(plan.storage, plan.name)
        tracking_uri = plan.tracking_uri
    else:
        trials = plan_trials(sweep, options)
        tracking_uri = options.tracking_uri or local_uri(results)
        storage, plan = storage_of(options.storage, results), None
        require_writable(storage, f"--storage {storage}")
    check_server(tracking_uri, create=plan is None)
    cache = cache_dir()
    if plan:
        plan = with_objectives(plan)
        if plan.world:
            plan = with_data_root(plan, embedded_root(cache, plan.world, console))
        trials, root, folders = trials_of(sweep, plan), plan.data_root, plan.folders
        own = plan.world is None or bool(plan.folders)
    else:
        folders = {name: str(folder) for name, folder in options.folders.items()}
        root = str(options.data_root or embedded_root(cache, world_size(options), console))
        own = options.data_root is not None or bool(options.folders)
    where = located(root, folders, trials, cache, console)
    data = open_all_sets(trials, where, cache, console, show=own)
    connect_ahead(tracking_uri)  # Ray takes seconds, most of which it waits
    with cluster(options.address):
        if options.address:
            gpus = 1.0 if options.gpus_per_trial == "auto" else float(options.gpus_per_trial or 0)
            asked = Share(plan.threads, plan.gpus_per_trial) if plan else Share(1, gpus)
            scaling.await_worker(asked, console)
        if plan is None:
            plan = make_plan(sweep, options, trials, where, tracking_uri, results)
            nodes.require_fit(plan, options.address)
            if options.gpus_per_trial == "auto":
                from ssmpe.runner.trial import gpu_share  # PyTorch with it: a second

                share = gpu_share.propose(
                    trials, tuner.worker_of(plan, data, plan.gpus_per_trial), console
                )
                options = replace(options, gpus_per_trial=share)
                plan = make_plan(sweep, options, trials, where, tracking_uri, results)
            shown = Presentation(plan, tuple(trials), data.facts)
            terms = replace(
                _terms(options),
                on_gpus=plan.gpus_per_trial > 0,
                digests=lambda trial: {(s.name, s.digest) for s in shown.sets(trial)},
            )
            found = from_store.origins(plan.trials, tracking_uri, plan.data, terms)
            taken = {key: origin.run for key, origin in found.items() if origin.run}
            accepted = {tag: text for o in found.values() for tag, text in o.accepted.items()}
            plan = replace(plan, taken=taken, accepted=accepted)
            messages.origins(console, trials, found)
            # so that whatever has a plan has a place for its checkpoints, which a resume requires
            Checkpoints(plan.storage, plan.name).begin()
            plan.save(results)
        else:
            nodes.require_fit(plan, options.address)
        resumed = options.resume and options.accept_code
        accepted = accepted_code(sweep, plan) if resumed else {}
        shown = Presentation(plan, tuple(trials), data.facts, accepted)
        budget = Budget(options.hours, options.gpu_hours)
        joined = options.address is not None
        return drive(sweep, plan, shown, results, data, report, console, budget, joined=joined)


def drive(
    sweep: Sweep | Search,
    plan: Plan,
    shown: Presentation,
    results: Path,
    data: Prepared,
    report: Report | None,
    console: Console,
    budget: Budget | None = None,
    trainable: type[tune.Trainable] = TrialTrainable,
    *,
    joined: bool = False,
) -> int:
    """Run what is left of a plan, with its records and its report; return the exit code.

    Args:
        joined: the Ray cluster was running before.
        trainable: what runs a trial.

    Raises:
        UserError, OutOfSpaceError
    """
    account, excluded, ending = Account(budget or Budget()), Excluded(), Ending()
    queue = _queue(sweep, plan, results, _retries(plan, excluded, console))
    tracker = Tracker(plan.tracking_uri, plan.spool(results))
    state, started = "failed", False
    try:
        checkpoints = Checkpoints(plan.storage, plan.name)
        new = not checkpoints.is_there or not checkpoints.trials()
        tags = {**shown.sweep_tags, schema.STATE: "running", **queue.tags}
        params, view = sweep_params(plan), shown.view
        tracker.start_sweep(plan.script, plan.name, tags, params, view, create=new)
        started = True
        console.print(f"sweep {plan.name}: {plan.n_trials} trials", highlight=False)
        mark = checkpoints.begin()
        ended = {t: r for t, r in tracker.end_reasons(FLUSH_SECONDS).items() if r in _FINAL}
        with ending.heeded(), suppress(KeyboardInterrupt):  # Tune has a way out of its own
            messages.copies(console, plan, ended)
            ended, plan = from_store.provide(plan, ended, tracker, shown, console)
            queue.begin(ended)
            with Progress(console, list(queue.trials), _states(plan, queue)) as progress:
                session = Session(
                    tracker=tracker,
                    progress=progress,
                    shown=shown,
                    own_tags=from_store.tags(plan),
                    checkpoints=checkpoints,
                    queue=queue,
                    account=account,
                    excluded=excluded,
                    ending=ending,
                )
                worker = tuner.worker_of(plan, data, plan.gpus_per_trial, mark)
                lost = partial(_end_without_ray, plan, session, console, joined)
                with watched(joined, lost, lambda: ending.told):
                    tuner.run(session, plan, worker, plan.scratch(results), trainable)
                session.interrupt()
        state = "interrupted" if not queue.is_over else "failed" if queue.failed else "finished"
    finally:
        if started:
            status = _STATUS.get(state, "FAILED")
            tracker.end_sweep(status, {schema.STATE: state, **queue.tags})
        arrived = tracker.close(FLUSH_SECONDS if started else 0.0)
    complete = arrived
    if report and arrived and state != "interrupted":
        complete = _draw(report, plan, results, console)
    why = ending.why if state == "interrupted" else ""
    messages.farewell(console, plan, why, queue, arrived, tracker.url)
    code = {"finished": 0, "interrupted": ending.code}.get(state, 1)
    return code if complete else code or 1


def _states(plan: Plan, queue: Queue) -> dict[str, str]:
    """Return what the display shows at first of the trials that have ended, by identity."""
    return {k: "from store" if k in plan.taken else end for k, end in queue.ended.items()}


def _dry_run(sweep: Sweep | Search, options: Options, results: Path, console: Console) -> None:
    """Print what would run."""
    trials, data = plan_trials(sweep, options), describe_data(options)
    store = options.tracking_uri or local_uri(results)
    found = from_store.origins(trials, store, data, _terms(options))
    plan = search_plan(sweep, options)
    overview = sweep.overview(trials, base_of(options), plan)
    lacking = looked_at(options, trials)
    messages.dry_run(console, sweep, overview, plan, trials, data, found, options, lacking)


def _terms(options: Options) -> from_store.Terms:
    """Return what may be taken from the store, as far as the options say it."""
    return from_store.Terms(options.from_store, options.accept_code, options.early_stop)


def _retries(plan: Plan, excluded: Excluded, console: Console) -> Retries:
    """Return the rules of retries on the cluster that has been joined."""
    usual = Share(plan.threads, plan.gpus_per_trial)

    def say(trial: Trial, larger: Share) -> None:
        text = f"out of memory: {trial.name}: once more, with {larger}"
        console.print(text, highlight=False, soft_wrap=True, markup=False)

    def larger() -> Share | None:
        return usual.larger(*memory(usual, plan.concurrent))

    return Retries(usual, larger, excluded.has_room, say)


def _queue(sweep: Sweep | Search, plan: Plan, results: Path, retries: Retries) -> Queue:
    """Return the queue of a plan: a table's, or a search's, whose study is opened for it."""
    if plan.search and sweep.search:
        return Suggestions(sweep.search, plan, results, retries)
    return Table(plan, retries, partial(from_store.has_checkpoint, plan))


def _end_without_ray(
    plan: Plan, session: Session, console: Console, joined: bool, gone: str
) -> None:
    """End this process: what it asks of Ray is not answered any more, not even to stop trials.

    To a resume this is a driver that was killed; or interrupted, if it was Ray that was ended with
    it.
    """
    tracker, queue, told = session.tracker, session.queue, session.ending.told
    if told:
        session.interrupt()
        tracker.end_sweep("KILLED", {schema.STATE: "interrupted", **queue.tags})
    arrived = tracker.flush(FLUSH_SECONDS)
    if told:
        messages.farewell(console, plan, session.ending.why, queue, arrived, tracker.url)
    else:
        messages.without_ray(console, plan, gone, joined, arrived)
    sys.stdout.flush()
    os._exit(session.ending.code if told else 1)


def _draw(report: Report, plan: Plan, results: Path, console: Console) -> bool:
    """Draw the figures; tell whether that worked. What has been computed is safe either way."""
    drawn = True
    try:
        lines = report(plan.tracking_uri, plan.name, results / "figures" / plan.name)
    except OSError as error:
        drawn, lines = False, [f"no figure: {error}"]
    except Exception as error:  # a defect of a figure must not hide how the trials ended
        again = f"ssmpe report --sweep {plan.name}"
        drawn, lines = False, [f"no figure: {error!r}; all runs are stored: {again} tries anew"]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    return drawn
