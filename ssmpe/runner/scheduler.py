"""ASHA that spares whatever has not collapsed."""

from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from ssmpe.runner import reports


class CollapseASHA(AsyncHyperBandScheduler):
    """Stops a trial at a rung of successive halving only if its own curve says it is collapsing.

    Plain ASHA ruins an ablation: it compares rows that are meant to differ, and what it keeps
    depends on the order of arrival. Here rungs are merely the moments at which a trial may be
    stopped, and the decision rests on the trial alone, so it is the same in every run of a sweep.

    Args:
        n_batches: length of a trial.
        grace_batches: first rung.
        reduction_factor: ratio of neighbouring rungs, counted in batches.
    """

    def __init__(self, n_batches: int, grace_batches: int, reduction_factor: float) -> None:
        super().__init__(
            time_attr=reports.BATCH,
            metric=reports.OBJECTIVE,
            mode="max",
            max_t=n_batches,
            grace_period=min(grace_batches, n_batches),
            reduction_factor=reduction_factor,
            stop_last_trials=False,
        )

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """STOP at a rung the trial has just reached if it is collapsing, else CONTINUE."""
        passed = self._rungs_passed(trial)
        # the parent's verdict is discarded, its book-keeping is not
        super().on_trial_result(tune_controller, trial, result)
        at_rung = self._rungs_passed(trial) > passed
        if at_rung and result.get(reports.COLLAPSING):
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)

    def _rungs_passed(self, trial: Any) -> int:
        bracket = self._trial_info[trial.trial_id]
        return sum(trial.trial_id in recorded for _, recorded in bracket._rungs)
