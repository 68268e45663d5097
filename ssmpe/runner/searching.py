"""Between Ray Tune and the study of a search: trials are taken from it, and told to it."""

from typing import Any

from ray.tune import Callback
from ray.tune.search import Searcher

from ssmpe.runner import reports
from ssmpe.runner.callbacks import trial_of
from ssmpe.runner.outcomes import last_line
from ssmpe.runner.suggestions import Suggestions


class _Live:
    """The study of the search that runs; Tune pickles what it is given, which it does not survive.

    Tune's own searcher for Optuna keeps the study in its snapshots, and cannot continue one that
    is ahead of them. Here the study is the state, and there is nothing to snapshot.
    """

    suggestions: Suggestions | None = None


def attach(suggestions: Suggestions | None) -> None:
    """Set the study that this process's searcher and callback use."""
    _Live.suggestions = suggestions


def _study() -> Suggestions:
    assert _Live.suggestions
    return _Live.suggestions


class StudySearcher(Searcher):
    """Takes trials from the study, in the form that ``run_trial`` expects."""

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        suggestion = _study().next()
        if suggestion is None:
            return str(Searcher.FINISHED)
        trial = suggestion.trial
        return {
            "trial": {
                "row": trial.row,
                "config": trial.config.to_dict(),
                "suggestion": suggestion.number,
                "suggested": dict(suggestion.suggested),
            }
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
        reason = reports.end_reason(result, planned.config.training.n_batches, errored)
        why = result.get(reports.FAILURE, "")
        if errored:
            why = last_line(trial.get_error())
        _study().end(planned, reason, result.get(reports.METRICS, {}), why)
