"""A sweep's rows as a queue: a trial waits until the one that it continues is done."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from ray.tune.schedulers import TrialScheduler

from ssmpe.evaluation.collapse import grace_batches
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.plan import Plan
from ssmpe.runner.queue.queue import Assignment
from ssmpe.runner.queue.retries import Outcome, Retries
from ssmpe.runner.schedulers import CollapseASHA
from ssmpe.tracking.schema import EndReason


class Table:
    """The queue of a sweep (see ``Queue``): its trials are known, and some continue others.

    What continues a trial starts as soon as that one has been trained to its end, ahead of all
    other trials that wait. It fails at once if that one was not.

    Args:
        has_checkpoint: tells whether the storage has a checkpoint of the trial with this identity.
    """

    pending = "200"  # an autoscaler sees so many that wait for resources

    def __init__(self, plan: Plan, retries: Retries, has_checkpoint: Callable[[str], bool]) -> None:
        self._plan, self._retries, self._has_checkpoint = plan, retries, has_checkpoint
        self._trials = {trial.identity: trial for trial in plan.trials}
        self.at_work: set[str] = set()
        self.refused: list[tuple[Trial, str]] = []
        self._ready: deque[Trial] = deque()
        self._waiting: dict[str, list[Trial]] = {}
        """trials that wait, by the identity of the one that they continue"""
        self._ended: dict[str, str]
        self._failed: dict[str, str] = {}
        self.begin({})

    @property
    def tags(self) -> Mapping[str, str]:
        """No tags: a sweep's trials say it all."""
        return {}

    @property
    def trials(self) -> Sequence[Trial]:
        """All trials."""
        return self._plan.trials

    @property
    def ended(self) -> Mapping[str, str]:
        """The reason why each trial has ended that has, by identity."""
        return self._ended

    @property
    def unfinished(self) -> Sequence[Trial]:
        """The trials that have not ended."""
        return [trial for trial in self.trials if trial.identity not in self._ended]

    @property
    def failed(self) -> Mapping[str, str]:
        """The reason why each trial failed that did since ``begin``, by the trial's name."""
        found = [trial for trial in self.trials if trial.identity in self._failed]
        return {trial.name: self._failed[trial.identity] for trial in found}

    @property
    def is_over(self) -> bool:
        """Whether every trial has ended."""
        return len(self._ended) == len(self._trials)

    def scheduler(self) -> TrialScheduler | None:
        """Return what stops trials that collapse, but none that others continue; None: nothing."""
        if not self._plan.early_stop:
            return None
        n_batches = max(trial.config.training.n_batches for trial in self.trials)
        spared = {trial.config.training.parent for trial in self.trials} - {""}
        return CollapseASHA(n_batches, grace_batches(n_batches), spared)

    def begin(self, ended: Mapping[str, str]) -> None:
        """Leave out what has ended before, and sort the others by what they wait for."""
        self._ended = {identity: ended[identity] for identity in self._trials if identity in ended}
        self._ready.clear()
        self._waiting.clear()
        for trial in self.unfinished:
            parent = trial.config.training.parent
            if parent in self._trials and parent not in self._ended:
                self._waiting.setdefault(parent, []).append(trial)
            else:
                self._ready.append(trial)

    def next(self) -> Assignment | None:
        """Return the next trial; None: all others wait for one at work, or there are none."""
        while self._ready:
            trial = self._ready.popleft()
            if why := self._obstacle(trial):
                self._refuse(trial, why)
                continue
            self.at_work.add(trial.identity)
            return Assignment(trial, self._retries.share_of(trial))
        return None

    def record(self, trial: Trial, batch: int, metrics: Mapping[str, float]) -> None:
        """Do nothing: no trial of a table hangs on the curve of another."""

    def end(self, trial: Trial, outcome: Outcome) -> None:
        """Queue a trial again, in front, or let go what waits for it."""
        self.at_work.discard(trial.identity)
        if self._retries.again(trial, outcome):
            self._ready.appendleft(trial)
            return
        self._ended[trial.identity] = outcome.reason
        if outcome.reason is EndReason.FAILED:
            in_full = f" (in full: {outcome.file})" if outcome.file else ""
            self._failed[trial.identity] = f"{outcome.why}{in_full}"
        self._let_go(trial)

    def _let_go(self, parent: Trial) -> None:
        """Put what waits for a trial in front of the others; or refuse it, if that one failed."""
        waiting = self._waiting.pop(parent.identity, [])
        if self._ended[parent.identity] == EndReason.COMPLETED:
            self._ready.extendleft(reversed(waiting))
            return
        for trial in waiting:
            self._refuse(trial, _not_trained(parent))

    def _obstacle(self, trial: Trial) -> str:
        """Return why a trial cannot start; "": it can."""
        parent = self._trials.get(trial.config.training.parent)
        if parent is None:
            return ""
        if self._ended[parent.identity] != EndReason.COMPLETED:
            return _not_trained(parent)
        if not self._has_checkpoint(parent.identity):
            return f"no checkpoint of {parent.name}, which it continues, is left"
        return ""

    def _refuse(self, trial: Trial, why: str) -> None:
        self._ended[trial.identity] = EndReason.FAILED
        self._failed[trial.identity] = why
        self.refused.append((trial, why))
        self._let_go(trial)


def _not_trained(parent: Trial) -> str:
    return f"{parent.name}, which it continues, was not trained to its end"
