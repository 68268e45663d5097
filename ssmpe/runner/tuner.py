"""Ray: starting or joining a cluster, and running the trials of a plan on it."""

import os
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import TrialScheduler

from ssmpe.errors import OutOfSpaceError
from ssmpe.evaluation.collapse import grace_batches
from ssmpe.experiments.sweep import Trial
from ssmpe.runner import searching
from ssmpe.runner.budget import BudgetCallback
from ssmpe.runner.callback import SweepCallback, trial_of
from ssmpe.runner.cluster.release import release
from ssmpe.runner.cluster.resources import Share, require_resources
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning.provision import Prepared
from ssmpe.runner.queue.suggestions import Suggestions
from ssmpe.runner.schedulers import CollapseASHA, SearchASHA
from ssmpe.runner.searching import PlannedSearcher, StudyCallback, StudySearcher
from ssmpe.runner.space import is_full, tells_of_full_disk
from ssmpe.runner.trial.trainable import TrialTrainable
from ssmpe.runner.trial.worker import Worker

MAX_FAILURES = 3
"""restarts of a trial whose process died without having got any further"""
MAX_PENDING = 200
"""trials of a sweep that wait for resources: what an autoscaler sees"""


def run(
    plan: Plan,
    trials: Sequence[Trial],
    worker: Worker,
    folder: Path,
    share: Share,
    suggestions: Suggestions | None = None,
    trainable: type[tune.Trainable] = TrialTrainable,
) -> tune.ResultGrid:
    """Run those trials of a plan, each from its newest checkpoint if there is one.

    Args:
        worker: what they are run with.
        folder: for Tune's own files, on the driver's disk; errors are written in full there.
        share: of a node that each trial gets.
        suggestions: of a search, instead of trials; attached (``searching.attach``).
        trainable: what runs a trial.

    Raises:
        UserError: no node has what a trial asks for.
        OutOfSpaceError: a disk filled up.
    """
    require_resources(share)
    space = {"worker": asdict(worker), "share": share.request}
    try:
        return _tuner(plan, trials, space, share, folder, trainable, suggestions).fit()
    except Exception as error:
        # on a full disk Tune fails in many ways, down to an error that it could not write down
        if tells_of_full_disk(error) or is_full(plan.storage) or is_full(tempfile.gettempdir()):
            raise OutOfSpaceError(
                f"a disk is full, that of {plan.storage} or of {tempfile.gettempdir()}; free some "
                f"space and continue with --resume {plan.name}"
            ) from error
        raise


def _tuner(
    plan: Plan,
    trials: Sequence[Trial],
    space: dict[str, Any],
    share: Share,
    folder: Path,
    trainable: type[tune.Trainable],
    suggestions: Suggestions | None,
) -> tune.Tuner:
    callbacks: list[tune.Callback] = [SweepCallback(), BudgetCallback()]
    if suggestions:
        callbacks.append(StudyCallback())
    else:
        searching.queue(trials, share)
    # a search suggests a trial when there is room for it
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "auto" if suggestions else str(MAX_PENDING)
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(
            scheduler=_scheduler(plan, suggestions),
            max_concurrent_trials=plan.concurrent,
            trial_name_creator=_identity,
            trial_dirname_creator=_identity,
            reuse_actors=True,
            search_alg=StudySearcher() if suggestions else PlannedSearcher(),
            num_samples=-1,  # the searchers know when there are no more
        ),
        run_config=tune.RunConfig(
            name=f"{len(list(folder.glob('*'))) + 1:03d}",
            storage_path=str(folder),
            callbacks=callbacks,
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            # trials keep checkpoints themselves, where an outage of the storage is no failure
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    )


def worker_of(plan: Plan, data: Prepared, gpus: float) -> Worker:
    """What trials of a plan are run with, each on so many GPUs, or on a share of one."""
    return Worker(
        home=socket.gethostname(),
        release=release(),
        data_root=plan.data_root,
        folders=plan.folders,
        cache=str(data.cache),
        world=plan.world,
        ready={key: (found.store, found.annotations) for key, found in data.ready.items()},
        digests={key: facts.digest for key, facts in data.facts.items()},
        storage=plan.storage,
        sweep=plan.name,
        threads=plan.threads,
        gpus=gpus,
        diagnostics=plan.diagnostics,
    )


def _scheduler(plan: Plan, suggestions: Suggestions | None) -> TrialScheduler | None:
    if not plan.early_stop:
        return None
    if suggestions and plan.search:
        running = [trial.identity for trial in suggestions.running]
        n_batches = plan.search.base.training.n_batches
        return SearchASHA(n_batches, suggestions.objectives, suggestions.past(), running)
    n_batches = max(trial.config.training.n_batches for trial in plan.trials)
    return CollapseASHA(n_batches, grace_batches(n_batches))


def _identity(trial: Any) -> str:
    return trial_of(trial).identity
