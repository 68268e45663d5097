"""Passes on what happens to trials: to the tracker, and to whoever watches."""

import errno
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ray.tune import Callback

from ssmpe.config import TrialConfig
from ssmpe.errors import last_line
from ssmpe.experiments.sweep import Trial
from ssmpe.runner import ending
from ssmpe.runner.cluster import excluded
from ssmpe.runner.ending import Ending
from ssmpe.runner.planning.presentation import Presentation
from ssmpe.runner.progress import Progress
from ssmpe.runner.trial import reports
from ssmpe.runner.trial.checkpoints import Checkpoints, DamagedError, Stage
from ssmpe.runner.trial.trainable import HISTOGRAMS, PICTURES, SCORES
from ssmpe.storage import tells_of_full_disk
from ssmpe.tracking import mlmodel, schema
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.tracker import Tracker
from ssmpe.training.trial_files import BEST


class SweepCallback(Callback):
    """Reports every trial to tracker and display.

    Tune pickles its callbacks, which a tracker with its thread does not survive: the live objects
    belong to the class, and are handed over through ``attach``.
    """

    _tracker: Tracker | None = None
    _progress: Progress | None = None
    _presentation: Presentation | None = None
    _own_tags: Mapping[str, Mapping[str, str]] = {}
    _checkpoints: Checkpoints | None = None
    _furthest: ClassVar[dict[str, int]] = {}
    started: ClassVar[set[str]] = set()
    """identities of the trials that have started since ``attach``"""

    @classmethod
    def attach(
        cls,
        tracker: Tracker,
        progress: Progress | None,
        presentation: Presentation,
        own_tags: Mapping[str, Mapping[str, str]],
        checkpoints: Checkpoints,
    ) -> None:
        """Set what all callbacks of this process report to, and how it presents trials.

        Args:
            own_tags: identity of a trial -> further tags of its own.
            checkpoints: what trials leave.
        """
        cls._tracker, cls._progress = tracker, progress
        cls._presentation, cls._own_tags = presentation, own_tags
        cls._checkpoints = checkpoints
        cls.started.clear()
        cls._furthest.clear()

    @classmethod
    def detach(cls) -> None:
        """Report to nobody any more."""
        cls._tracker = cls._progress = cls._presentation = cls._checkpoints = None

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        planned = trial_of(trial)
        if self._tracker:
            self._start(planned, trial.config["trial"])
            self._log_config(planned)
        SweepCallback.started.add(planned.identity)
        if self._progress:
            self._progress.started(planned)

    def fail(self, planned: Trial, reason: str) -> None:
        """Report a trial that cannot be started at all."""
        if self._tracker:
            self._start(planned, {})
            tags = {schema.END_REASON: str(EndReason.FAILED), schema.FAILURE: reason}
            self._tracker.end_trial(planned.identity, "FAILED", tags)
        if self._progress:
            self._progress.ended(planned, {reports.FAILURE: reason}, EndReason.FAILED)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        planned, batch = trial_of(trial), result[reports.BATCH]
        if batch > self._furthest.get(planned.identity, -1):
            self._furthest[planned.identity] = batch
            # a process may die any number of times, as long as the trial gets on
            trial.run_metadata.num_failures = 0
        if self._tracker and reports.METRICS in result:
            self._tracker.log(planned.identity, batch, result[reports.METRICS])
            self._if_storage_is_there(self._log_validation, planned.identity, batch)
        if self._progress:
            self._progress.reported(planned, result)
            if damage := result.get(reports.DAMAGED):
                self._progress.say(f"{planned.name}: {damage}")

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._ended(trial, errored=False)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        _end_if_disk_is_full(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        _end_if_disk_is_full(trial)
        self._ended(trial, errored=True)

    def _ended(self, trial: Any, errored: bool) -> None:
        planned, result = trial_of(trial), trial.last_result or {}
        reason = reports.end_reason(result, planned.config.training.n_batches, errored)
        if self._tracker:
            if not self._if_storage_is_there(self._log_last, planned.identity):
                return  # not ended for the tracker: a resume hears of it again
            tags = end_tags(reason, result)
            if errored:
                tags[schema.FAILURE] = last_line(trial.get_error())
            if result.get(reports.UNFIT) and self._checkpoints and self._checkpoints.is_there:
                excluded.exclude(result[reports.UNFIT], result[reports.FAILURE])
            status = "FAILED" if reason is EndReason.FAILED else "FINISHED"
            self._tracker.end_trial(planned.identity, status, tags)
        if self._progress:
            self._progress.ended(planned, result, reason)

    def _start(self, trial: Trial, parameters: Mapping[str, Any]) -> None:
        assert self._tracker
        # a trial that goes on has not ended, whatever an earlier attempt said
        going = {schema.END_REASON: "", schema.FAILURE: ""}
        own = self._own_tags.get(trial.identity, {})
        assert self._presentation
        tags = {**suggestion_tags(parameters), **own, **going}
        self._presentation.start(trial, self._tracker, tags, suggested(parameters))

    def _log_config(self, trial: Trial) -> None:
        assert self._tracker
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / schema.CONFIG_ARTIFACT
            file.write_text(json.dumps(trial.config.to_dict(), indent=1))
            self._tracker.log_file(trial.identity, file, "")

    @staticmethod
    def _if_storage_is_there(log: Callable[..., None], *arguments: Any) -> bool:
        """Log something from it; False, and the sweep ends in order, if it stays away.

        Nor does it go on if a trial's last checkpoint is damaged: a resume makes it again.
        """
        try:
            log(*arguments)
        except DamagedError as error:
            ending.ask_for(Ending(str(error), 1))
            return False
        except OSError as error:
            if tells_of_full_disk(error):
                raise
            ending.ask_for(Ending(f"the storage is away ({last_line(error)})", 1))
            return False
        return True

    def _log_validation(self, trial: str, batch: int) -> None:
        """Log the pictures and tables that a trial has left with its checkpoint."""
        assert self._tracker
        assert self._checkpoints
        with self._checkpoints.fetched(trial, Stage(batch), (PICTURES, HISTOGRAMS)) as folder:
            for file in sorted((folder / PICTURES).glob("*/*.png")):
                target = f"{schema.SALIENCE_ARTIFACTS}/{file.parent.name}"
                self._tracker.log_file(trial, file, target)
            for file in (folder / HISTOGRAMS).glob("*.csv"):
                self._tracker.log_file(trial, file, schema.HISTOGRAM_ARTIFACTS)

    def _log_last(self, trial: str) -> None:
        """Log what a trial's last checkpoint holds: the best weights, the last scores by track."""
        assert self._tracker
        assert self._checkpoints
        stages = [stage for stage in self._checkpoints.stages(trial) if stage.validated]
        if not stages:
            return
        files = (f"{BEST}.pt", f"{BEST}.json")
        with self._checkpoints.fetched(trial, stages[0], (*files, SCORES)) as folder:
            for name in files:
                self._tracker.log_file(trial, folder / name, schema.BEST_CHECKPOINT_ARTIFACT)
            self._log_model(trial)
            for file in sorted((folder / SCORES).glob("*.csv")):
                self._tracker.log_file(trial, file, schema.SCORES_ARTIFACTS)

    def _log_model(self, trial: str) -> None:
        """Log what makes the weights, where they lie, a model that MLflow loads."""
        assert self._tracker
        with tempfile.TemporaryDirectory() as scratch:
            for file in mlmodel.describe(Path(scratch)):
                self._tracker.log_file(trial, file, schema.BEST_CHECKPOINT_ARTIFACT)


def _end_if_disk_is_full(trial: Any) -> None:
    """Abort the sweep: other trials would fail as well, and a retry would not help."""
    if tells_of_full_disk(trial.get_error()):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def trial_of(trial: Any) -> Trial:
    """The planned trial behind one of Tune's."""
    planned = trial.config["trial"]
    return Trial(planned["row"], TrialConfig.from_dict(planned["config"]))


def suggestion_tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Tags of a search's trial, from what it is run with: how to find it in the study."""
    number = parameters.get("suggestion")
    return {} if number is None else {schema.SUGGESTION: str(number)}


def suggested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a search's trial beside its configuration: what was suggested for it."""
    values = parameters.get("suggested", {})
    return {schema.SUGGESTED + name: value for name, value in values.items()}


def end_tags(reason: EndReason, result: dict[str, Any]) -> dict[str, str]:
    """Tags of a trial that has ended."""
    tags = {schema.END_REASON: str(reason)}
    if reports.COLLAPSED_AT in result:
        tags[schema.COLLAPSED_AT] = json.dumps(result[reports.COLLAPSED_AT])
    if result.get(reports.FAILURE):
        tags[schema.FAILURE] = result[reports.FAILURE]
    return tags
