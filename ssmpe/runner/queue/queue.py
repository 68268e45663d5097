"""What a sweep runs next: asked for a trial, and told what becomes of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ray.tune.schedulers import TrialScheduler

from ssmpe.experiments.sweep import Trial
from ssmpe.runner.cluster.resources import Share
from ssmpe.runner.queue.retries import Outcome


@dataclass(frozen=True)
class Assignment:
    """A trial that is to be run now.

    Attributes:
        share: of a node that it gets.
        number: of a search's trial in its study.
        suggested: for a search's trial, the parameters of the space by name.
    """

    trial: Trial
    share: Share
    number: int | None = None
    suggested: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        """The same in the plain form that Tune passes on, as ``trial``."""
        return {
            "row": self.trial.row,
            "config": self.trial.config.to_dict(),
            "number": self.number,
            "suggested": dict(self.suggested),
        }


class Queue(Protocol):
    """The trials of a sweep or a search, in the order in which they are to run.

    Whoever runs them asks for the next one whenever there is room, and tells the queue of every
    validation and every end. The queue decides whether a trial is run again, and what may start
    once it has ended::

        queue.begin(ended)
        while (assignment := queue.next()) or queue.at_work:
            if assignment is None:
                ...  # wait: one of those at work may be wanted again, or be continued
            else:
                start(assignment.trial, assignment.share)
            ...  # meanwhile, for what is reported
            queue.record(trial, batch, metrics)
            queue.end(trial, outcome)
            while queue.refused:
                trial, why = queue.refused.pop(0)

    Attributes:
        at_work: identities of the trials that were handed out and have not ended.
        refused: trials that can never start, each with the reason; to be taken from here.
        pending: how many trials Tune may ask for before there is room, in Tune's words.
    """

    at_work: set[str]
    refused: list[tuple[Trial, str]]
    pending: str

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags of the sweep's own run, at its beginning and at its end."""

    @property
    def trials(self) -> Sequence[Trial]:
        """Every trial that is known so far."""

    @property
    def ended(self) -> Mapping[str, str]:
        """The reason why each trial has ended that has, by identity."""

    @property
    def unfinished(self) -> Collection[Trial]:
        """The trials known so far that have not ended."""

    @property
    def failed(self) -> Mapping[str, str]:
        """The reason why each trial failed that did, by the trial's name."""

    @property
    def is_over(self) -> bool:
        """Whether every trial has ended that there was to be."""

    def scheduler(self) -> TrialScheduler | None:
        """Return what decides about stopping trials early; None: nothing does."""

    def begin(self, ended: Mapping[str, str]) -> None:
        """Leave out what has ended before.

        Args:
            ended: for identities of trials, why they did, as the tracking store has it.
        """

    def next(self) -> Assignment | None:
        """Return the next trial to run; None: there is none now, or, with none at work, no more."""

    def record(self, trial: Trial, batch: int, metrics: Mapping[str, float]) -> None:
        """Take note of a validation."""

    def end(self, trial: Trial, outcome: Outcome) -> None:
        """Take note of the end of a run of a trial, which may be queued again, in front."""
