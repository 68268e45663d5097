"""All that lives while a sweep runs, in one object."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssmpe.errors import last_line
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.cluster.excluded import Excluded
from ssmpe.runner.ending import SPENT_CODE, Account, Ending
from ssmpe.runner.planning.presentation import Presentation, order_of
from ssmpe.runner.progress import Progress
from ssmpe.runner.queue.queue import Assignment, Queue
from ssmpe.runner.queue.retries import Outcome
from ssmpe.runner.trial import reports
from ssmpe.runner.trial.checkpoints import Checkpoints, DamagedError, Stage
from ssmpe.storage import tells_of_full_disk
from ssmpe.tracking import mlmodel, schema
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.tracker import Tracker


@dataclass
class Session:
    """A running sweep: hears what becomes of its trials, and tells all who have to know.

    These are the tracker, the display, and last the queue: what that knows to have ended is never
    run again, so MLflow must have it by then. One for every command, handed to what Tune calls::

        session = Session(tracker, progress, shown, ..., queue, account, excluded, ending)
        tuner.run(session, ...)     # asks next(), and tells started(), reported(), ended()
        session.interrupt()         # whatever has not ended by now
        queue.is_over, queue.failed, ending.code

    Attributes:
        shown: how trials appear in the tracking store.
        own_tags: further tags of single trials, by identity.
        checkpoints: what trials leave.
        account: what the command may spend.
        excluded: nodes that get no trials.
        ending: why the sweep ends before its time, if it does.
    """

    tracker: Tracker
    progress: Progress
    shown: Presentation
    own_tags: Mapping[str, Mapping[str, str]]
    checkpoints: Checkpoints
    queue: Queue
    account: Account
    excluded: Excluded
    ending: Ending
    _started: set[str] = field(default_factory=set)
    _furthest: dict[str, int] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles what it is given, and never reads this back.

        A tracker with its thread, or an open study, would not survive it.
        """
        return {}

    def next(self) -> Assignment | None:
        """Return the next trial to run, as ``Queue.next``."""
        assignment = self.queue.next()
        self._fail_refused()
        return assignment

    def spend(self, now: float) -> None:
        """Count what is spent by a time of the monotonic clock; end the sweep if it is too much."""
        if spent := self.account.count(now):
            self.ending.ask(f"{spent} are spent", SPENT_CODE)

    def started(
        self, trial: Trial, number: int | None = None, suggested: Mapping[str, Any] | None = None
    ) -> None:
        """Record that a trial begins, or goes on; the rest as of an ``Assignment``."""
        # how to find it in the study
        tags = {}
        if number is not None:
            tags = {schema.SUGGESTION: str(number), schema.ORDER: order_of(number)}
        self._start(trial, tags, {schema.SUGGESTED + k: v for k, v in (suggested or {}).items()})
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / schema.CONFIG_ARTIFACT
            file.write_text(json.dumps(trial.config.to_dict(), indent=1))
            self.tracker.log_file(trial.identity, file, "")
        self._started.add(trial.identity)
        self.progress.started(trial)

    def reported(self, trial: Trial, result: dict[str, Any]) -> bool:
        """Record a validation; tell whether the trial is further than ever in this session."""
        identity, batch = trial.identity, result[reports.BATCH]
        gets_on = batch > self._furthest.get(identity, -1)
        self._furthest[identity] = max(batch, self._furthest.get(identity, -1))
        if reports.METRICS in result:
            self.tracker.log(identity, batch, result[reports.METRICS])
            self._if_storage_is_there(self._log_validation, identity, batch)
        self.progress.reported(trial, result)
        if damage := result.get(reports.DAMAGED):
            self.progress.say(f"{trial.name}: {damage}")
        self.queue.record(trial, batch, result.get(reports.METRICS, {}))
        return gets_on

    def raised(self, trial: Trial, error: str) -> None:
        """Tell at once what has gone wrong in a trial, which is tried once more."""
        self.progress.say(f"{trial.name}: {error}; once more, from its last checkpoint")

    def ended(self, trial: Trial, result: dict[str, Any], outcome: Outcome) -> None:
        """Record the end of a run of a trial; whether that is run again, the queue decides."""
        if not self._if_storage_is_there(self._log_last, trial.identity):
            return  # not ended, for the tracker and the queue: a resume hears of it again
        if result.get(reports.UNFIT) and self.checkpoints.is_there:
            self.excluded.add(result[reports.UNFIT], result[reports.FAILURE])
        status = "FAILED" if outcome.reason is EndReason.FAILED else "FINISHED"
        self.tracker.end_trial(trial.identity, status, end_tags(result, outcome))
        self.progress.ended(trial, result, outcome.reason)
        self.queue.end(trial, outcome)
        self._fail_refused()

    def interrupt(self) -> None:
        """Record of every trial that has started and not ended that it was interrupted."""
        for trial in self.queue.unfinished:
            if trial.identity in self._started:
                tags = {schema.END_REASON: str(EndReason.INTERRUPTED)}
                self.tracker.end_trial(trial.identity, "KILLED", tags)

    def _fail_refused(self) -> None:
        """Record as failed what can never start."""
        while self.queue.refused:
            trial, why = self.queue.refused.pop(0)
            self._start(trial, {}, {})
            tags = {schema.END_REASON: str(EndReason.FAILED), schema.FAILURE: why}
            self.tracker.end_trial(trial.identity, "FAILED", tags)
            self.progress.ended(trial, {reports.FAILURE: why}, EndReason.FAILED)

    def _start(self, trial: Trial, tags: Mapping[str, str], params: Mapping[str, Any]) -> None:
        # a trial that goes on has not ended, whatever an earlier attempt said
        going = {schema.END_REASON: "", schema.FAILURE: ""}
        own = self.own_tags.get(trial.identity, {})
        self.shown.start(trial, self.tracker, {**tags, **own, **going}, params)

    def _if_storage_is_there(self, log: Callable[..., None], *arguments: Any) -> bool:
        """Log something from it; False, and the sweep ends in order, if it stays away.

        Nor does it go on if a trial's last checkpoint is damaged: a resume makes it again.
        """
        try:
            log(*arguments)
        except DamagedError as error:
            self.ending.ask(str(error), 1)
            return False
        except OSError as error:
            if tells_of_full_disk(error):
                raise
            self.ending.ask(f"the storage is away ({last_line(error)})", 1)
            return False
        return True

    def _log_validation(self, identity: str, batch: int) -> None:
        """Log the pictures and tables that a trial has left with its checkpoint."""
        with self.checkpoints.fetched(
            identity, Stage(batch), (reports.PICTURES, reports.HISTOGRAMS)
        ) as folder:
            for file in sorted((folder / reports.PICTURES).glob("*/*.png")):
                target = f"{schema.SALIENCE_ARTIFACTS}/{file.parent.name}"
                self.tracker.log_file(identity, file, target)
            for file in (folder / reports.HISTOGRAMS).glob("*.csv"):
                self.tracker.log_file(identity, file, schema.HISTOGRAM_ARTIFACTS)

    def _log_last(self, identity: str) -> None:
        """Log what a trial's last checkpoint holds: the best weights, the last scores by track."""
        stages = [stage for stage in self.checkpoints.stages(identity) if stage.validated]
        if not stages:
            return
        with self.checkpoints.fetched(
            identity, stages[0], (*reports.BEST, reports.SCORES)
        ) as folder:
            for name in reports.BEST:
                self.tracker.log_file(identity, folder / name, schema.BEST_CHECKPOINT_ARTIFACT)
            self._log_model(identity)
            for file in sorted((folder / reports.SCORES).glob("*.csv")):
                self.tracker.log_file(identity, file, schema.SCORES_ARTIFACTS)

    def _log_model(self, identity: str) -> None:
        """Log what makes the weights, where they lie, a model that MLflow loads."""
        with tempfile.TemporaryDirectory() as scratch:
            for file in mlmodel.describe(Path(scratch)):
                self.tracker.log_file(identity, file, schema.BEST_CHECKPOINT_ARTIFACT)


def end_tags(result: Mapping[str, Any], outcome: Outcome) -> dict[str, str]:
    """Return the tags of a trial that has ended with this last report."""
    tags = {schema.END_REASON: str(outcome.reason)}
    for key, tag in (
        (reports.COLLAPSED_AT, schema.COLLAPSED_AT),
        (reports.COLLAPSE_KIND, schema.COLLAPSE_KIND),
    ):
        if key in result:
            tags[tag] = json.dumps(result[key])
    if outcome.why:
        tags[schema.FAILURE] = outcome.why
    return tags
