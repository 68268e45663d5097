"""What Ray runs for every trial."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

from ray import tune
from ray.tune.result import RESULT_DUPLICATE

from ssmpe.console import without_collecting
from ssmpe.runner.cluster.excluded import selectors
from ssmpe.runner.trial.reports import Report


class TrialTrainable(tune.Trainable):
    """A trial in a process of Ray's: every step is a validation.

    Asked to end by SIGTERM, as on a preempted node, it stores a checkpoint first.
    """

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Return the request that the configuration names."""
        return tune.PlacementGroupFactory([config["share"]], **selectors(config["without"]))

    def setup(self, config: dict[str, Any]) -> None:
        self._asked_to_end = threading.Event()
        self._stepping = False
        self._reports: Iterator[Report] | None = None
        self._end = signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take on another trial."""
        self._reports = None
        return True

    def step(self) -> Report:
        # PyTorch with them, which the driver, who imports this module as well, can do without
        with without_collecting():
            from ssmpe.runner.trial.training import run_trial
            from ssmpe.training.trainer import InterruptedTrainingError

        self._stepping = True
        try:
            if self._asked_to_end.is_set():  # at a validation: its checkpoint is stored
                raise SystemExit(1)
            if self._reports is None:
                self._reports = run_trial(self.config, self._asked_to_end.is_set)
            # Tune knows from the last result, sent again, that there will be no more
            return next(self._reports, {RESULT_DUPLICATE: True})
        except InterruptedTrainingError:
            raise SystemExit(1) from None
        finally:
            self._stepping = False

    def _on_sigterm(self, number: int, frame: Any) -> None:
        self._asked_to_end.set()
        if not self._stepping and callable(self._end):
            self._end(number, frame)
