"""What many trials cost beside their training: ``python -m tests.benchmarks.scale --trials 1000``.

Trials report invented curves, without training, on raylets of this machine; driver, scheduler,
tracking and analysis are the real ones.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from analysis.store import read_sweep
from ssmpe.runner import engine, loopback
from tests.invented import N_METRICS, N_REPORTS, InventedTrainable, planned, run
from tests.raylets import Cluster

RAYLETS, CPUS_OF_A_RAYLET = 2, 2


def measure(n_trials: int) -> dict[str, Any]:
    """Seconds, bytes and rates of a sweep of so many trials."""
    with tempfile.TemporaryDirectory() as scratch, Cluster(n_cpus=0) as cluster:
        folder = Path(scratch)
        for _ in range(RAYLETS):
            cluster.add(CPUS_OF_A_RAYLET)
        plan = planned(n_trials, folder)
        with loopback.only_loopback(), engine.cluster(cluster.address):
            started = time.monotonic()
            code, output = run(plan, folder, InventedTrainable)
            seconds = time.monotonic() - started
        assert code == 0, output
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
