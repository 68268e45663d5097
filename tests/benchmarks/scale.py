"""What many trials cost beside their training: ``python -m tests.benchmarks.scale --trials 1000``.

Trials report invented curves, without training, on raylets of this machine; driver, scheduler,
tracking and analysis are the real ones.
"""

import argparse
import hashlib
import io
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ray.tune.result import RESULT_DUPLICATE
from rich.console import Console

from analysis.store import read_sweep
from ssmpe.config import TrialConfig
from ssmpe.presets import tiny
from ssmpe.runner import engine, loopback, reports
from ssmpe.runner.drive import drive
from ssmpe.runner.plan import Plan
from ssmpe.runner.presentation import Presentation
from ssmpe.runner.provision import Prepared
from ssmpe.runner.trainable import Report, TrialTrainable
from ssmpe.sweep import Trial
from ssmpe.tracking.tracker import local_uri
from tests.raylets import Cluster

N_REPORTS, N_METRICS = 3, 15
RAYLETS, CPUS_OF_A_RAYLET = 2, 2


class InventedTrainable(TrialTrainable):
    """Reports curves that follow from a trial's identity."""

    def step(self) -> Report:
        if self._reports is None:
            config = TrialConfig.from_dict(self.config["trial"]["config"])
            self._reports = invented(config)
        return next(self._reports, {RESULT_DUPLICATE: True})


def invented(config: TrialConfig) -> Iterator[Report]:
    """Reports of a trial, evenly over its batches."""
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


def planned(n_trials: int, folder: Path) -> Plan:
    """A sweep of one row with so many seeds."""
    changes = {"data.evaluation": ()}
    trials = [
        Trial("Ref.", tiny().replace({**changes, "training.seed": seed}))
        for seed in range(n_trials)
    ]
    return Plan(
        name=f"scale-{datetime.now():%Y%m%d-%H%M%S}",
        script="scale",
        question="What do many trials cost?",
        preset="tiny",
        data="none",
        data_root=str(folder),
        folders={},
        storage=str(folder / "checkpoints"),
        tracking_uri=local_uri(folder),
        early_stop=True,
        threads=1,
        gpus_per_trial=0.0,
        concurrent=None,
        trials=tuple(trials),
    )


def measure(n_trials: int) -> dict[str, Any]:
    """Seconds, bytes and rates of a sweep of so many trials."""
    with tempfile.TemporaryDirectory() as scratch, Cluster(n_cpus=0) as cluster:
        folder = Path(scratch)
        for _ in range(RAYLETS):
            cluster.add(CPUS_OF_A_RAYLET)
        plan = planned(n_trials, folder)
        plan.save(folder)
        data = Prepared(folder, {}, {})
        shown = Presentation(plan, plan.trials, data.facts)
        console = Console(file=io.StringIO())
        with loopback.only_loopback(), engine.cluster(cluster.address):
            started = time.monotonic()
            code = drive(plan, None, shown, folder, data, None, console, InventedTrainable)
            seconds = time.monotonic() - started
        assert code == 0, console.file.getvalue()  # type: ignore[attr-defined]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        started = time.monotonic()
        sweep = read_sweep(plan.tracking_uri, plan.name)
        reading = time.monotonic() - started
        assert len(sweep.trials) == n_trials
        return {
            "trials": n_trials,
            "slots": RAYLETS * CPUS_OF_A_RAYLET,
            "seconds": seconds,
            "seconds_per_trial": seconds / n_trials,
            "driver_peak_bytes": peak,
            "points_per_second": n_trials * N_REPORTS * N_METRICS / seconds,
            "store_bytes": (folder / "mlflow.db").stat().st_size,
            "analysis_seconds": reading,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    print(json.dumps(measure(parser.parse_args().trials), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
