"""Ray: starting or joining a cluster, and running the trials of a plan on it."""

import contextlib
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import TrialScheduler

from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.evaluation.collapse import grace_batches
from ssmpe.experiments.sweep import Trial
from ssmpe.runner import ending, searching
from ssmpe.runner.budget import BudgetCallback
from ssmpe.runner.callback import SweepCallback, trial_of
from ssmpe.runner.cluster import loopback
from ssmpe.runner.cluster.release import release
from ssmpe.runner.cluster.resources import Share
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning.provision import Prepared
from ssmpe.runner.queue.suggestions import Suggestions
from ssmpe.runner.scheduler import CollapseASHA
from ssmpe.runner.schedulers import SearchASHA
from ssmpe.runner.searching import PlannedSearcher, StudyCallback, StudySearcher
from ssmpe.runner.trial.trainable import TrialTrainable
from ssmpe.runner.trial.worker import Worker
from ssmpe.storage import is_full, tells_of_full_disk

MAX_FAILURES = 3
"""restarts of a trial whose process died without having got any further"""
MAX_PENDING = 200
"""trials of a sweep that wait for resources: what an autoscaler sees"""
OBJECT_STORE_BYTES = 128 * 2**20
"""trials share data through the page cache, and hardly anything through Ray"""

_ENVIRONMENT = {
    # relative paths mean the same in a trial as for the user
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # MLflow is the record; Tune's own log files would be a second one
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # a trial without GPUs leaves the user's CUDA_VISIBLE_DEVICES as it is (and Ray need not warn)
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # no banner: the sweep has a display of its own
    "RAY_AIR_NEW_OUTPUT": "0",
}


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """A Ray cluster for the time of the block: the one at ``address``, or a local one.

    Raises:
        UserError: there is none at ``address``.
    """
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    for name in ("ray.tune", "ray.train", "ray.air"):
        # what they say of failed trials stands in our own words at the end
        logging.getLogger(name).setLevel(logging.CRITICAL)
    shared = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            # asked for explicitly: with tokens, a token file would switch them on for the
            # user's other clusters, too
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
            with loopback.only_loopback():
                ray.init(
                    # another cluster of this machine, or RAY_ADDRESS, is joined only if asked for
                    address="local",
                    include_dashboard=False,
                    object_store_memory=OBJECT_STORE_BYTES,
                    _node_ip_address=loopback.ADDRESS,
                    **shared,
                )
        else:
            _require_answer(address)
            ray.init(address=address, **shared)
    except (OSError, ValueError, RuntimeError) as error:
        if address is None:
            raise
        reason = str(error).splitlines()[0]
        raise UserError(f"--address {address}: no Ray cluster answers there ({reason})") from None
    # an end asked for in this way, by a batch system say, is to be as orderly as Ctrl-C
    before = signal.signal(signal.SIGTERM, ending.interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        ray.shutdown()


def _require_answer(address: str) -> None:
    """ConnectionError where nothing listens: Ray itself would ask for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        with contextlib.closing(socket.create_connection((host.strip("[]"), int(port)), 5.0)):
            pass


def memory(plan: Plan, share: Share) -> tuple[int, int]:
    """Bytes of the largest node's memory, and how many trials share it."""
    largest = max(
        (node["Resources"] for node in ray.nodes() if node["Alive"]),
        key=lambda resources: resources.get("memory", 0),
    )
    room = int(largest.get("CPU", 0) // share.cpus)
    return int(largest.get("memory", 0)), max(1, min(room, plan.concurrent or room))


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
    _require_resources(share)
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


def _require_resources(share: Share) -> None:
    """A request that no node can meet would wait for ever."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(n.get("CPU", 0) >= share.cpus and n.get("GPU", 0) >= share.gpus for n in nodes):
        return
    largest = [f"{n.get('CPU', 0):g} CPUs and {n.get('GPU', 0):g} GPUs" for n in nodes]
    raise UserError(
        f"a trial asks for {share.cpus} CPUs and {share.gpus:g} GPUs of one node, and no node has "
        f"them (nodes: {'; '.join(largest)})"
    )
