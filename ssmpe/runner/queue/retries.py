"""Whether a trial is run again whose process was lost, that lacked memory, or that was declined."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ray.exceptions import OutOfMemoryError, RayActorError

from ssmpe.experiments.sweep import Trial
from ssmpe.runner.cluster.resources import Share
from ssmpe.tracking.schema import EndReason

MAX_LOSSES = 3
"""Runs of a trial that all lost its process without it getting any further: then it fails."""


@dataclass(frozen=True)
class Outcome:
    """How a run of a trial has ended.

    Attributes:
        batch: of its last report.
        metrics: of its last report.
        why: the reason of its failure, if it failed.
        file: where the error stands in full, if there is one.
        out_of_memory: it failed for lack of memory.
        lost: its process died again and again, or before it had begun.
        declined: a node could not run it.
        own_fault: it would fail again.
    """

    reason: EndReason
    batch: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    why: str = ""
    file: str = ""
    out_of_memory: bool = False
    lost: bool = False
    declined: bool = False
    own_fault: bool = False


class Retries:
    """The rules by which trials are run again.

    A trial whose process was lost, with its node say, goes on from its last checkpoint; so does,
    elsewhere, one that a node could not run. Neither may happen ``MAX_LOSSES`` times in a row
    without the trial getting any further. A trial that lacked memory is run once more with a larger
    share.

    Args:
        usual: what a trial gets at first.
        larger: returns what a trial gets for which that was too little; None: there is no more.
        has_room: tells whether a node that may still get trials can give such a share.
        say: called when a trial gets a larger share.
    """

    def __init__(
        self,
        usual: Share,
        larger: Callable[[], Share | None] = lambda: None,
        has_room: Callable[[Share], bool] = lambda share: True,
        say: Callable[[Trial, Share], None] = lambda trial, share: None,
    ) -> None:
        self._usual, self._larger, self._has_room, self._say = usual, larger, has_room, say
        self._enlarged: dict[str, Share] = {}
        self._losses: dict[str, tuple[int, int]] = {}
        """furthest batch of a trial, and runs that were lost there, by identity"""

    def share_of(self, trial: Trial) -> Share:
        """Return what the next run of a trial gets."""
        return self._enlarged.get(trial.identity, self._usual)

    def again(self, trial: Trial, outcome: Outcome) -> bool:
        """Take note of the end of a run; tell whether the trial is to be run again."""
        if outcome.out_of_memory:
            return self._enlarge(trial)
        elsewhere = outcome.declined and self._has_room(self.share_of(trial))
        return (outcome.lost or elsewhere) and self._goes_on(trial.identity, outcome.batch)

    def _goes_on(self, identity: str, batch: int) -> bool:
        furthest, losses = self._losses.get(identity, (0, 0))
        losses = 1 if batch > furthest else losses + 1
        self._losses[identity] = max(furthest, batch), losses
        return losses < MAX_LOSSES

    def _enlarge(self, trial: Trial) -> bool:
        larger = None if trial.identity in self._enlarged else self._larger()
        if larger is None:
            return False
        self._enlarged[trial.identity] = larger
        self._say(trial, larger)
        return True


def is_lost(error: BaseException | None) -> bool:
    """Tell whether a trial's process died, for another reason than a lack of memory."""
    return isinstance(error, RayActorError) and not _is_out_of_memory(error)


def lacked_memory(said: Any, error: BaseException | None) -> bool:
    """Tell whether a trial lacked memory: it said so, or Ray ended its process."""
    return bool(said) or _is_out_of_memory(error)


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Tell whether Ray ended a process because the node's memory ran out."""
    return isinstance(error, OutOfMemoryError) or "low on memory" in str(error or "")
