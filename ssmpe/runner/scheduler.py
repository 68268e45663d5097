"""ASHA that spares whatever has not collapsed."""

from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from ssmpe.runner.trial import reports


class CollapseASHA(AsyncHyperBandScheduler):
    """Stops a trial only if its own curve says that it is collapsing.

    Plain ASHA ruins an ablation: it compares rows that are meant to differ, and what it keeps
    depends on the order of arrival. Here every report from the first rung on is a rung, and the
    decision rests on that report alone: it is the same in every run of a sweep, and after a
    resume.

    Args:
        n_batches: length of a trial.
        grace_batches: first rung.
    """

    def __init__(self, n_batches: int, grace_batches: int) -> None:
        super().__init__(
            time_attr=reports.BATCH,
            metric=reports.OBJECTIVE,
            mode="max",
            max_t=n_batches,
            grace_period=grace_batches,
        )
        self._grace_batches = grace_batches

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """STOP from the first rung on if the trial is collapsing, else CONTINUE."""
        # the parent's verdict is discarded, its book-keeping is not
        super().on_trial_result(tune_controller, trial, result)
        if result[reports.BATCH] >= self._grace_batches and result[reports.COLLAPSING]:
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)
