"""What many trials cost beside their training: ``python -m tests.benchmarks.scale --trials 1000``.

Trials report invented curves, without training, on raylets of this machine; driver, scheduler,
tracking and analysis are the real ones. A line for every number, as soon as it is known.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from analysis import report
from ssmpe.runner.cluster.cluster import cluster, only_loopback
from ssmpe.tracking.stored.store import read_sweep
from tests.support.actors import N_METRICS, N_REPORTS, InventedTrainable
from tests.support.invented import planned, run
from tests.support.raylets import Cluster

RAYLETS, CPUS_OF_A_RAYLET = 2, 2


def measure(n_trials: int) -> Iterator[tuple[str, float]]:
    """Seconds, bytes and rates of a sweep of so many trials."""
    yield "trials", n_trials
    yield "trials at a time", RAYLETS * CPUS_OF_A_RAYLET
    with tempfile.TemporaryDirectory() as scratch, Cluster(n_cpus=0) as raylets:
        folder = Path(scratch)
        for _ in range(RAYLETS):
            raylets.add(CPUS_OF_A_RAYLET)
        plan = planned(n_trials, folder)
        with only_loopback(), cluster(raylets.address):
            yield "driver, peak before (bytes)", _peak()
            started = time.monotonic()
            code, output = run(plan, folder, InventedTrainable)
            seconds = time.monotonic() - started
        assert code == 0, output
        yield "sweep (s)", seconds
        yield "sweep (s per trial)", seconds / n_trials
        yield "driver, peak (bytes)", _peak()
        yield "MLflow (points per s)", n_trials * N_REPORTS * N_METRICS / seconds
        yield "MLflow's SQLite file (bytes)", (folder / "mlflow.db").stat().st_size
        started = time.monotonic()
        sweep = read_sweep(plan.tracking_uri, plan.name)
        yield "reading the store (s)", time.monotonic() - started
        assert len(sweep.trials) == n_trials
        started = time.monotonic()
        report.of_ended(plan.tracking_uri, plan.name, folder / "figures")
        yield "report, with another reading (s)", time.monotonic() - started
        yield "peak after the report (bytes)", _peak()


def _peak() -> int:
    """Bytes of this process at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    for name, value in measure(parser.parse_args().trials):
        print(f"{name:<34} {value:.4g}" if value < 1000 else f"{name:<34} {value:,.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
