"""Where Ray Tune takes trials from: a sweep's plan, or a search's study, which is told of them."""

from collections import deque
from collections.abc import Iterable
from typing import Any, ClassVar

from ray.tune import Callback
from ray.tune.search import Searcher

from ssmpe.errors import last_line
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.callback import trial_of
from ssmpe.runner.cluster import excluded
from ssmpe.runner.cluster.resources import Share, Shares
from ssmpe.runner.queue.losses import Losses
from ssmpe.runner.queue.outcomes import is_lost, lacked_memory
from ssmpe.runner.queue.suggestions import Suggestions
from ssmpe.runner.trial import reports


class _Live:
    """Trials of the sweep, or study of the search, that runs.

    Tune pickles what it is given, which a study does not survive.

    Tune's own searcher for Optuna keeps the study in its snapshots, and cannot continue one that
    is ahead of them. Here the study is the state, and there is nothing to snapshot.
    """

    planned: ClassVar[deque[Trial]] = deque()
    suggestions: Suggestions | None = None
    losses = Losses()
    shares = Shares(Share(1))


def queue(trials: Iterable[Trial], share: Share) -> None:
    """Set the trials that this process's ``PlannedSearcher`` hands out, and what each gets."""
    _Live.planned, _Live.shares = deque(trials), Shares(share)


def attach(suggestions: Suggestions | None, losses: Losses, shares: Shares) -> None:
    """Set the study that this process's searcher and callback use.

    Args:
        losses: of processes.
        shares: what trials get.
    """
    _Live.suggestions, _Live.losses, _Live.shares = suggestions, losses, shares


def _study() -> Suggestions:
    assert _Live.suggestions
    return _Live.suggestions


class PlannedSearcher(Searcher):
    """Takes trials as they are planned.

    (``tune.grid_search`` copies the whole grid for every trial of it.)
    """

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        if not _Live.planned:
            return str(Searcher.FINISHED)
        trial = _Live.planned.popleft()
        parameters = {"row": trial.row, "config": trial.config.to_dict()}
        return {"trial": parameters, "without": excluded.without(_Live.shares.usual)}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing: the plan stands."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a resume begins with the plan."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a resume begins with the plan."""


class StudySearcher(Searcher):
    """Takes trials from the study, in the form that ``run_trial`` expects."""

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        suggestion = _study().next()
        if suggestion is None:
            # one of those at work may yet be lost, and wanted once more
            return None if _study().at_work else str(Searcher.FINISHED)
        trial = suggestion.trial
        share = _Live.shares.of(trial.identity)
        return {
            "trial": {
                "row": trial.row,
                "config": trial.config.to_dict(),
                "suggestion": suggestion.number,
                "suggested": dict(suggestion.suggested),
            },
            "without": excluded.without(share),
            **({} if share == _Live.shares.usual else _instead(share)),
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing: ``StudyCallback`` tells, once the tracker knows."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is saved already."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a resume begins with the study."""


class StudyCallback(Callback):
    """Tells the study what happens to trials.

    To stand behind ``SweepCallback``: what the study knows to have ended is never run again, so
    MLflow must have it by then.
    """

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        metrics = result.get(reports.METRICS, {})
        _study().record(trial_of(trial), result[reports.BATCH], metrics)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._ended(trial, errored=False)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._ended(trial, errored=True)

    def _ended(self, trial: Any, errored: bool) -> None:
        planned, result = trial_of(trial), trial.last_result or {}
        lost = errored and is_lost(trial.get_pickled_error())
        share = _Live.shares.of(planned.identity)
        elsewhere = result.get(reports.UNFIT) and excluded.has_room(share)
        again = (lost or elsewhere) and _Live.losses.goes_on(
            planned.identity, result.get(reports.BATCH, 0)
        )
        if lacked_memory(result, trial.get_pickled_error() if errored else None):
            again = _Live.shares.enlarge(planned.identity)
        if again:
            _study().again(planned)
            return
        reason = reports.end_reason(result, planned.config.training.n_batches, errored)
        why = result.get(reports.FAILURE, "")
        if errored:
            why = last_line(trial.get_error())
        own_fault = not errored and bool(result.get(reports.DIVERGED))
        _study().end(planned, reason, result.get(reports.METRICS, {}), why, own_fault)


def _instead(share: Share) -> dict[str, Any]:
    """What a trial's parameters say of its share, where it is not the usual one."""
    return {"share": share.request, "worker": {"gpus": share.gpus}}
