"""Ray: starting or joining a cluster, and running the trials of a plan on it."""

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
from ray import tune

from ssmpe.config import TrialConfig
from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.runner import reports
from ssmpe.runner.callbacks import SweepCallback
from ssmpe.runner.plan import Plan
from ssmpe.runner.scheduler import CollapseASHA
from ssmpe.runner.space import tells_of_full_disk
from ssmpe.runner.trainable import Worker, run_trial
from ssmpe.sweep import Trial

MAX_FAILURES = 2
"""restarts of a trial whose process died"""
KEPT_CHECKPOINTS = 2
OBJECT_STORE_BYTES = 128 * 2**20
"""trials share data through the page cache, and hardly anything through Ray"""
GRACE_SHARE, REDUCTION_FACTOR = 0.3, 1.1
"""first rung of the collapse-stopping, as a share of a trial; and the ratio of its rungs, so close
that every validation from the first rung on is one"""

_ENVIRONMENT = {
    # relative paths mean the same in a trial as for the user
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # MLflow is the record; Tune's own log files would be a second one
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # a killed driver loses a second, not ten
    "TUNE_GLOBAL_CHECKPOINT_S": "1",
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
            ray.init(
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _node_ip_address="127.0.0.1",
                **shared,
            )
        else:
            ray.init(address=address, **shared)
    except (ConnectionError, ValueError, RuntimeError) as error:
        if address is None:
            raise
        reason = str(error).splitlines()[0]
        raise UserError(f"--address {address}: no Ray cluster answers there ({reason})") from None
    try:
        yield
    finally:
        ray.shutdown()


def resources() -> tuple[int, float]:
    """CPUs and GPUs of the cluster."""
    found = ray.cluster_resources()
    return int(found.get("CPU", 0)), float(found.get("GPU", 0))


def run(plan: Plan, cache: Path, resume: bool) -> tune.ResultGrid:
    """Run, or continue, the trials of a plan.

    Raises:
        UserError: no node has what a trial asks for.
        OutOfSpaceError: a disk filled up.
    """
    _require_resources(plan)
    folder = f"{plan.storage.rstrip('/')}/{plan.name}"
    trainable = tune.with_resources(run_trial, {"cpu": plan.threads, "gpu": plan.gpus_per_trial})
    if resume and tune.Tuner.can_restore(folder):
        tuner = tune.Tuner.restore(folder, trainable, resume_unfinished=True, resume_errored=True)
    else:  # also a resume of a sweep that died before Tune first wrote down its state
        tuner = _new_tuner(plan, cache, trainable)
    try:
        return tuner.fit()
    except Exception as error:
        if isinstance(error.__cause__, OutOfSpaceError) or tells_of_full_disk(error):
            raise OutOfSpaceError(
                f"a disk is full, that of {plan.storage} or of the temporary folder; free some "
                f"space and continue with --resume {plan.name}"
            ) from error
        raise


def _new_tuner(plan: Plan, cache: Path, trainable: Any) -> tune.Tuner:
    worker = Worker(plan.data_root, str(cache), plan.threads, plan.gpus_per_trial > 0)
    planned = [{"row": t.row, "config": t.config.to_dict()} for t in plan.trials]
    return tune.Tuner(
        trainable,
        param_space={"trial": tune.grid_search(planned), "worker": asdict(worker)},
        tune_config=tune.TuneConfig(
            scheduler=_scheduler(plan),
            max_concurrent_trials=plan.concurrent,
            trial_name_creator=_identity,
            trial_dirname_creator=_identity,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=plan.name,
            storage_path=plan.storage,
            callbacks=[SweepCallback()],
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=KEPT_CHECKPOINTS),
            verbose=0,
        ),
    )


def _scheduler(plan: Plan) -> CollapseASHA | None:
    if not plan.early_stop:
        return None
    n_batches = max(trial.config.training.n_batches for trial in plan.trials)
    return CollapseASHA(n_batches, max(1, round(GRACE_SHARE * n_batches)), REDUCTION_FACTOR)


def _identity(trial: Any) -> str:
    return TrialConfig.from_dict(trial.config["trial"]["config"]).identity


def _require_resources(plan: Plan) -> None:
    """A request that no node can meet would wait for ever."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(
        n.get("CPU", 0) >= plan.threads and n.get("GPU", 0) >= plan.gpus_per_trial for n in nodes
    ):
        return
    largest = [f"{n.get('CPU', 0):g} CPUs and {n.get('GPU', 0):g} GPUs" for n in nodes]
    raise UserError(
        f"a trial asks for {plan.threads} CPUs and {plan.gpus_per_trial:g} GPUs of one node, and "
        f"no node has them (nodes: {'; '.join(largest)})"
    )


def failures(grid: tune.ResultGrid) -> dict[str, str]:
    """Name of every failed trial, and the last line of why."""
    found = {}
    for result in grid:
        name = _planned(result).name
        if result.error:
            reason = str(result.error).strip().splitlines()[-1]
            found[name] = f"{reason} (in full: {result.path}/error.txt)"
        elif result.metrics and result.metrics.get(reports.FAILURE):
            found[name] = result.metrics[reports.FAILURE]
    return found


def unfinished(grid: tune.ResultGrid, plan: Plan) -> list[Trial]:
    """Trials that neither ended nor failed: the sweep was interrupted before."""
    ended = {
        _planned(result).identity
        for result in grid
        if result.error or (result.metrics and result.metrics.get("done"))
    }
    return [trial for trial in plan.trials if trial.identity not in ended]


def _planned(result: Any) -> Trial:
    planned = result.config["trial"]
    return Trial(planned["row"], TrialConfig.from_dict(planned["config"]))
