"""What a command may spend before it ends the sweep, to be resumed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ray.tune import Callback

from ssmpe.runner import ending
from ssmpe.runner.ending import Ending

SPENT_CODE = 124
"""exit code, as of commands that run into a time limit"""


@dataclass(frozen=True)
class Budget:
    """Limits of one command; None: without limit.

    Attributes:
        hours: from its start.
        gpu_hours: of all its trials, each counted with its share of a GPU.
    """

    hours: float | None = None
    gpu_hours: float | None = None


@dataclass
class Account:
    """What has been spent, and who is spending.

    Attributes:
        running: Tune's name of a trial -> its share of a GPU.
    """

    budget: Budget
    started: float = field(default_factory=time.monotonic)
    gpu_seconds: float = 0.0
    running: dict[str, float] = field(default_factory=dict)
    _counted: float = field(default_factory=time.monotonic)

    def count(self, now: float) -> str:
        """Take the time since the last count into account; the limit that is reached, if any."""
        self.gpu_seconds += sum(self.running.values()) * (now - self._counted)
        self._counted = now
        hours, gpu_hours = (now - self.started) / 3600, self.gpu_seconds / 3600
        if self.budget.hours is not None and hours >= self.budget.hours:
            return f"{self.budget.hours:g} hours (--max-hours)"
        if self.budget.gpu_hours is not None and gpu_hours >= self.budget.gpu_hours:
            return f"{self.budget.gpu_hours:g} GPU-hours (--max-gpu-hours)"
        return ""


class BudgetCallback(Callback):
    """Ends the sweep once its budget is spent.

    Like ``SweepCallback``, it is pickled by Tune, and so keeps what is live in its class.
    """

    account: Account = Account(Budget())

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if spent := BudgetCallback.account.count(time.monotonic()):
            ending.ask_for(Ending(f"{spent} are spent", SPENT_CODE))

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        gpus = trial.placement_group_factory.required_resources.get("GPU", 0.0)
        BudgetCallback.account.running[trial.trial_id] = gpus

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._gone(trial)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._gone(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._gone(trial)

    def _gone(self, trial: Any) -> None:
        BudgetCallback.account.running.pop(trial.trial_id, None)


@contextmanager
def spending(budget: Budget) -> Iterator[None]:
    """Hold the sweep that runs in the block to a budget."""
    BudgetCallback.account = Account(budget)
    try:
        yield
    finally:
        BudgetCallback.account = Account(Budget())
