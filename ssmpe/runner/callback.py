"""What Ray Tune calls: passes on to the session what happens to trials."""

import errno
import os
import time
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.exceptions import RayTaskError
from ray.tune import Callback

from ssmpe.errors import last_line, raised_at
from ssmpe.runner.queue.retries import Outcome, is_lost, lacked_memory
from ssmpe.runner.session import Session
from ssmpe.runner.trial import reports
from ssmpe.runner.trial.reports import trial_of
from ssmpe.storage import tells_of_full_disk

MAX_FAILURES = 3
"""Restarts of a trial whose process died without having got any further."""


class SessionCallback(Callback):
    """Tells a session, in its terms, what Tune tells of its trials."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Count what is being spent."""
        self._session.spend(time.monotonic())

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell that a trial has its resources and begins."""
        gpus = trial.placement_group_factory.required_resources.get("GPU", 0.0)
        self._session.account.running[trial.trial_id] = gpus
        planned = trial.config["trial"]
        self._session.started(trial_of(trial), planned["number"], planned["suggested"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Tell of a validation."""
        if self._session.reported(trial_of(trial), result):
            # a process may die any number of times, as long as the trial gets on
            trial.run_metadata.num_failures = 0

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell of an end that the trial has reported."""
        self._ended(trial, errored=False)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Count no more for a process that has died, and that Tune starts anew."""
        self._session.account.running.pop(trial.trial_id, None)
        _end_if_disk_is_full(trial)
        if error := _raised(trial):
            self._session.raised(trial_of(trial), error)
            # what is computed alike fails alike: once more, and no more unless it gets further
            trial.run_metadata.num_failures = MAX_FAILURES

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell of an end that Tune has given up to prevent."""
        self._ended(trial, errored=True)

    def _ended(self, trial: Any, errored: bool) -> None:
        self._session.account.running.pop(trial.trial_id, None)
        if errored:
            _end_if_disk_is_full(trial)
        result = trial.last_result or {}
        self._session.ended(trial_of(trial), result, outcome_of(trial, errored))


def outcome_of(trial: Any, errored: bool) -> Outcome:
    """Return how one of Tune's trials has ended; ``errored``: by no report of its own."""
    planned, result = trial_of(trial), trial.last_result or {}
    error = _error_of(trial) if errored else None
    why, file = result.get(reports.FAILURE, ""), ""
    if errored:
        why, file = _said(_trace_of(trial)), str(Path(trial.path) / "error.txt")
    return Outcome(
        reason=reports.end_reason(result, planned.config.training.n_batches, errored),
        batch=result.get(reports.BATCH, 0),
        metrics=result.get(reports.METRICS, {}),
        why=why,
        file=file,
        out_of_memory=lacked_memory(result.get(reports.OUT_OF_MEMORY), error),
        lost=is_lost(error),
        declined=bool(result.get(reports.UNFIT)),
        own_fault=not errored and bool(result.get(reports.DIVERGED)),
    )


def _raised(trial: Any) -> str:
    """Return what a trial's code has raised, and where; "" of a process that died by itself.

    Nor is it what comes from outside, as a storage that is away: that may come back.
    """
    error = _error_of(trial)
    code = isinstance(error, RayTaskError) and not isinstance(error, OSError)
    return _said(_trace_of(trial)) if code and not is_lost(error) else ""


def _error_of(trial: Any) -> Any:
    """Return what has ended a run of a trial; None if there was no error.

    Tune writes it to a file here at once, and copies that to the storage, where it would look for
    it itself, when it gets round to it.
    """
    file = trial.pickled_error_file
    if file is None or not os.path.exists(file):
        return trial.get_pickled_error()
    with open(file, "rb") as found:
        return cloudpickle.load(found)


def _trace_of(trial: Any) -> Any:
    """Return the traces of a trial's errors, likewise; the last one ends them."""
    file = trial.error_file
    if file is None or not os.path.exists(file):
        return trial.get_error()
    return Path(file).read_text()


def _said(trace: str) -> str:
    """Return the last line of a traceback, and where in the user's own file it was raised."""
    place = raised_at(trace)
    return f"{last_line(trace)} ({place})" if place else last_line(trace)


def _end_if_disk_is_full(trial: Any) -> None:
    """Abort the sweep: other trials would fail as well, and a retry would not help."""
    if tells_of_full_disk(_trace_of(trial)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
