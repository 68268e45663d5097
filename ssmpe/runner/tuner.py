"""Ray Tune: one ``Tuner`` runs all trials of a session, which it asks for them one by one."""

import os
import socket
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from ssmpe.errors import OutOfSpaceError
from ssmpe.runner.callback import MAX_FAILURES, SessionCallback
from ssmpe.runner.cluster.nodes import alive
from ssmpe.runner.cluster.release import release
from ssmpe.runner.cluster.resources import Share, require_room
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning.provision import Prepared
from ssmpe.runner.queue.queue import Assignment
from ssmpe.runner.session import Session
from ssmpe.runner.trial.brought import packed
from ssmpe.runner.trial.reports import trial_of
from ssmpe.runner.trial.trainable import TrialTrainable
from ssmpe.runner.trial.worker import Worker
from ssmpe.storage import is_full, tells_of_full_disk


def run(
    session: Session,
    plan: Plan,
    worker: Worker,
    folder: Path,
    trainable: type[tune.Trainable] = TrialTrainable,
) -> None:
    """Run the trials of a session's queue, each from its newest checkpoint if there is one.

    Args:
        worker: what they are run with.
        folder: for Tune's own files, on the driver's disk; errors are written in full there.
        trainable: what runs a trial.

    Raises:
        UserError: no node has what a trial asks for.
        OutOfSpaceError: a disk filled up.
    """
    scheduler = session.queue.scheduler()
    if not session.queue.is_over:
        require_room(Share(plan.threads, plan.gpus_per_trial))
    first = session.next()
    if first is None:
        return
    # read by Tune when it begins
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = session.queue.pending
    try:
        searcher = SessionSearcher(session, first)
        _tuner(session, searcher, scheduler, plan, worker, folder, trainable).fit()
    except Exception as error:
        # on a full disk Tune fails in many ways, down to an error that it could not write down
        if tells_of_full_disk(error) or is_full(plan.storage) or is_full(tempfile.gettempdir()):
            raise OutOfSpaceError(
                f"a disk is full, that of {plan.storage} or of {tempfile.gettempdir()}; free some "
                f"space and continue with --resume {plan.name}"
            ) from error
        raise


class SessionSearcher(Searcher):
    """Takes trials from a session, in the form that ``run_trial`` expects.

    Tune's own searchers keep their state in Tune's snapshots, and the one for Optuna cannot
    continue a study that is ahead of them. (``tune.grid_search`` copies the whole grid for every
    trial of it.) Here plan, study and tracking store are the state, and nothing else is kept.
    """

    def __init__(self, session: Session, first: Assignment) -> None:
        super().__init__()
        self._session = session
        self._first: Assignment | None = first

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the parameters of the next trial, None to be asked again, or FINISHED."""
        found, self._first = self._first or self._session.next(), None
        if found is None:
            # what is at work may be wanted again; at the end it may not be, and Tune would wait
            waits = self._session.queue.at_work and not self._session.ending.asked
            return None if waits else str(Searcher.FINISHED)
        return {
            "trial": found.parameters,
            "share": found.share.request,
            "worker": {"gpus": found.share.gpus},
            "without": self._session.excluded.without(found.share),
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: ``SessionCallback`` tells the queue, once the tracker knows."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: there is no state to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a resume begins with plan, study and tracking store."""


def _tuner(
    session: Session,
    searcher: Searcher,
    scheduler: TrialScheduler | None,
    plan: Plan,
    worker: Worker,
    folder: Path,
    trainable: type[tune.Trainable],
) -> tune.Tuner:
    return tune.Tuner(
        trainable,
        param_space={"worker": asdict(worker)},
        tune_config=tune.TuneConfig(
            scheduler=scheduler,
            max_concurrent_trials=plan.concurrent,
            trial_name_creator=_identity,
            trial_dirname_creator=_identity,
            reuse_actors=True,
            search_alg=searcher,
            num_samples=-1,  # the queue knows when there are no more
        ),
        run_config=tune.RunConfig(
            name=f"{len(list(folder.glob('*'))) + 1:03d}",
            storage_path=str(folder),
            callbacks=[SessionCallback(session)],
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            # trials keep checkpoints themselves, where an outage of the storage is no failure
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    )


def worker_of(plan: Plan, data: Prepared, gpus: float, mark: str = "") -> Worker:
    """Return what trials of a plan are run with.

    Args:
        gpus: of each, or a share of one.
        mark: of the storage, for which nodes are asked that join later; "": they are not.
    """
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
        early_stop=plan.early_stop,
        asked=tuple(node.id for node in alive()) if mark else (),
        mark=mark,
        brought=packed(),
    )


def _identity(trial: Any) -> str:
    return trial_of(trial).identity
