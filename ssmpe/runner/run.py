"""A sweep from its options to its end: plan, data, trials, tracking, report."""

from dataclasses import replace

from rich.console import Console

from ssmpe.data.store.cache import cache_dir
from ssmpe.experiments.options import RESULTS, Options
from ssmpe.experiments.search import Search
from ssmpe.experiments.sweep import Sweep
from ssmpe.runner import messages, tuner
from ssmpe.runner.budget import Budget, spending
from ssmpe.runner.cluster import nodes, scaling
from ssmpe.runner.cluster.resources import Share
from ssmpe.runner.drive import Report, drive
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning import parents
from ssmpe.runner.planning.make import (
    base_of,
    describe_data,
    make_plan,
    plan_trials,
    search_plan,
    trials_of,
    with_data_root,
    world_size,
)
from ssmpe.runner.planning.presentation import Presentation
from ssmpe.runner.planning.provision import embedded_root, located, open_all_sets
from ssmpe.runner.queue.suggestions import Suggestions
from ssmpe.runner.trial import gpu_share
from ssmpe.storage import require_writable
from ssmpe.tracking.spool import require_free
from ssmpe.tracking.tracker import check_server, connect_ahead, local_uri


def run_sweep(
    sweep: Sweep | Search, options: Options, report: Report | None, console: Console
) -> int:
    """Run or resume a sweep or a search; the exit code.

    0; 1 if trials failed; 124 if the budget is spent; 130 if interrupted.

    Raises:
        UserError, OutOfSpaceError
    """
    results = RESULTS.absolute()
    if options.dry_run:
        trials, data_label = plan_trials(sweep, options), describe_data(options)
        if isinstance(sweep, Search):
            planned = search_plan(sweep, options)
            messages.dry_run_search(console, sweep, trials, planned, data_label, options)
            return 0
        store = options.tracking_uri or local_uri(results)
        found = parents.origins(trials, store, data_label)
        messages.dry_run(console, sweep, trials, base_of(options), data_label, found, options)
        return 0
    require_writable(str(results), str(results), "run from another folder")
    if options.resume:
        plan = Plan.load(results, options.resume, sweep.name)
        require_free(plan.spool(results))
        tracking_uri = plan.tracking_uri
    else:
        trials = plan_trials(sweep, options)
        tracking_uri = options.tracking_uri or local_uri(results)
        plan = None
    check_server(tracking_uri, create=plan is None)
    cache = cache_dir()
    if plan:
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
    with tuner.cluster(options.address):
        if options.address:
            gpus = 1.0 if options.gpus_per_trial == "auto" else float(options.gpus_per_trial or 0)
            asked = Share(plan.threads, plan.gpus_per_trial) if plan else Share(1, gpus)
            scaling.await_worker(asked, console)
        if plan is None:
            plan = make_plan(sweep, options, trials, where, tracking_uri, results)
            nodes.require_fit(plan, options.address)
            if options.gpus_per_trial == "auto":
                share = gpu_share.propose(
                    trials, tuner.worker_of(plan, data, plan.gpus_per_trial), console
                )
                options = replace(options, gpus_per_trial=share)
                plan = make_plan(sweep, options, trials, where, tracking_uri, results)
            found = parents.origins(trials, plan.tracking_uri, plan.data)
            plan = replace(plan, taken={key: o.run for key, o in found.items() if o.run})
            messages.origins(console, trials, found)
            require_writable(plan.storage, f"--storage {plan.storage}")
            plan.save(results)
        else:
            nodes.require_fit(plan, options.address)
        suggestions = Suggestions(sweep, plan, results) if isinstance(sweep, Search) else None
        shown = Presentation(plan, tuple(trials), data.facts)
        with spending(Budget(options.hours, options.gpu_hours)):
            return drive(plan, suggestions, shown, results, data, report, console)
