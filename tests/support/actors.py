"""What runs invented trials in processes of their own, and what becomes of some of them.

Every such process imports this module, so it imports nothing that a trial does not need.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import ray
from ray.tune.result import RESULT_DUPLICATE

from ssmpe.config import TrialConfig
from ssmpe.runner.trial import reports
from ssmpe.runner.trial.reports import Report
from ssmpe.runner.trial.trainable import TrialTrainable

N_REPORTS, N_METRICS = 3, 15


class InventedTrainable(TrialTrainable):
    """Reports curves that follow from a trial's identity."""

    def step(self) -> Report:
        if self._reports is None:
            config = TrialConfig.from_dict(self.config["trial"]["config"])
            self._reports = invented(config)
        return next(self._reports, {RESULT_DUPLICATE: True})

    def fail(self, why: str, **more: object) -> Report:
        """Return the report of a trial that fails before it has begun."""
        self._reports = iter(())
        nothing = {reports.BATCH: 0, reports.OBJECTIVE: 0.0, reports.COLLAPSING: []}
        return {**nothing, reports.FAILURE: why, **more}


def invented(config: TrialConfig) -> Iterator[Report]:
    """Yield reports of a trial, evenly over its batches."""
    digest = hashlib.sha256(config.identity.encode()).digest()
    for number in range(1, N_REPORTS + 1):
        values = [byte / 255 * number / N_REPORTS for byte in digest[:N_METRICS]]
        names = ["URMP/validation/f1", "URMP/validation/blank_rate", "loss/total"]
        names += [f"loss/{i}" for i in range(N_METRICS - len(names))]
        yield {
            reports.BATCH: config.training.n_batches * number // N_REPORTS,
            reports.OBJECTIVE: values[0],
            reports.METRICS: dict(zip(names, values, strict=True)),
            reports.COLLAPSED_AT: {},
            reports.COLLAPSING: [],
        }


class Greedy(InventedTrainable):
    """Fits into half a GPU."""

    def step(self) -> Report:
        if self.config["share"]["GPU"] >= 0.5 or self._reports:
            return super().step()
        return self.fail("more than its share", **{reports.OUT_OF_MEMORY: True})


class GreedyIfEven(Greedy):
    """Fits into half a GPU if its seed is even, else into any share."""

    def step(self) -> Report:
        if self.config["trial"]["config"]["training"]["seed"] % 2:
            return InventedTrainable.step(self)
        return super().step()


class Mortal(InventedTrainable):
    """Dies as often as a file beside the checkpoints says."""

    def step(self) -> Report:
        left = Path(self.config["worker"]["storage"]).with_name("deaths")
        if n := int(left.read_text()):
            left.write_text(str(n - 1))
            os._exit(1)
        return super().step()


class Unwelcome(InventedTrainable):
    """Is on a node that cannot run it, says the node."""

    def step(self) -> Report:
        if self._reports:
            return super().step()
        node = ray.get_runtime_context().get_node_id()
        return self.fail("node here: has no storage", **{reports.UNFIT: node})


class Doubtful(InventedTrainable):
    """Fails: the first trial for its own settings, the others for what a file says is amiss."""

    def step(self) -> Report:
        amiss = Path(self.config["worker"]["storage"]).with_name("amiss")
        with amiss.with_name("begun").open("a") as file:
            file.write(f"{self.config['trial']['row']}\n")
        if self._reports is None and self.config["trial"]["row"] == "#0":
            return self.fail("ran away", **{reports.DIVERGED: True})
        if self._reports is None and amiss.exists():
            return self.fail("this node's data are not the driver's")
        return super().step()
