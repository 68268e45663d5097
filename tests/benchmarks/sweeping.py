"""Prints what sweeps cost beside training: ``python -m tests.benchmarks.sweeping``.

Real trials of the preset tiny on the embedded world, through Ray and MLflow.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from analysis.numbers.costs import Costs, Spending
from ssmpe.config.presets import tiny
from ssmpe.runner.trial.device import keep_freed_memory
from ssmpe.tracking.stored.store import read_sweep
from tests.benchmarks import scale
from tests.benchmarks.starting import trainer_of
from tests.benchmarks.timing import Growth
from tests.support.sweeping import run, sweep_name

BATCHES, VALIDATIONS = 200, 10
"""of a trial; as many validations as a whole one has"""
TRIALS = 2
COUNTS = (20, 40, 80, 160)
"""of trials that only report"""
SHORT = ("training.n_batches=40", "training.validate_every=20")
AT_A_TIME = (1, 2)


def child_loop(threads: int) -> dict[str, float]:
    """Run the trials of the sweep one after the other, without Ray and MLflow.

    Returns:
        Seconds of all of it, and of training and validations as the trials themselves measure them.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    started, busy = time.perf_counter(), 0.0
    for seed in range(TRIALS):
        every = BATCHES // VALIDATIONS
        changes = {"training.n_batches": BATCHES, "training.validate_every": every}
        for found in trainer_of(tiny().replace({**changes, "training.seed": seed})).run():
            busy += found.train_seconds + found.evaluation_seconds
    return {"whole": time.perf_counter() - started, "busy": busy}


def measure_start(n: int) -> dict[str, float]:
    """Seconds from a process to its first batch trained; median of n on a built store."""
    seconds = []
    for _ in range(n + 1):
        started = time.time()
        seconds.append(_child("tests.benchmarks.starting") - started)
    return {"seconds": sorted(seconds[1:])[(n - 1) // 2]}


def measure_overhead() -> dict[str, float]:
    """Seconds that a sweep of two trials takes beyond the same training in a loop.

    What both need besides training and validations, as data made ready, is no overhead. Compared
    is what is left of them without training, whose time varies by more from one run to the next.

    "per trial": from a trial's beginning to its end. "sweep": all else, from the command to its
    return.
    """
    sets = [f"training.n_batches={BATCHES}", f"training.validate_every={BATCHES // VALIDATIONS}"]
    with tempfile.TemporaryDirectory() as scratch:
        wall, found = _swept(Path(scratch), sets, TRIALS, 1)
    loop = _child("tests.benchmarks.sweeping", "--loop", "2")
    busy, needed = found.training + found.evaluation, loop["whole"] - loop["busy"]
    per_trial = (found.other - needed) / TRIALS
    whole = (found.training * tiny().training.n_batches / BATCHES + found.evaluation) / TRIALS
    return {
        "sweep, s": wall,
        "training and validations in the sweep, s": busy,
        "training and validations in a loop, s": loop["busy"],
        "besides, in the sweep's trials, s": found.other,
        "besides, in a loop, s": needed,
        "overhead per trial, s": per_trial,
        "overhead of the sweep, s": wall - busy - found.other,
        "overhead per trial, % of one of the preset": 100 * per_trial / whole,
    }


def _swept(folder: Path, sets: list[str], trials: int, at_a_time: int) -> tuple[float, Costs]:
    """Seconds of a whole sweep of Ref., and what its trials recorded."""
    arguments = ["--rows", "Ref.", "--seeds", f"0-{trials - 1}", "--concurrent", str(at_a_time)]
    arguments += [word for setting in sets for word in ("--set", setting)]
    started = time.perf_counter()
    code, output = run(folder, "sample_count.py", *arguments)
    seconds = time.perf_counter() - started
    assert code == 0, output
    uri = f"sqlite:///{folder / 'results' / 'mlflow.db'}"
    return seconds, Spending.of(read_sweep(uri, sweep_name(output))).total


def measure_trials() -> Growth:
    """Seconds of sweeps of ever more trials that only report, through Ray and MLflow."""
    return Growth("trials", {float(n): dict(scale.measure(n))["sweep (s)"] for n in COUNTS})


def measure_workers() -> Growth:
    """Seconds of the same short sweep with one trial at a time, and with two."""
    seconds = {}
    for n in AT_A_TIME:
        with tempfile.TemporaryDirectory() as scratch:
            seconds[float(n)] = _swept(Path(scratch), list(SHORT), 4, n)[0]
    return Growth("trials at a time", seconds)


def _child(*command: str) -> Any:
    """Return what a module prints in a process of its own."""
    done = subprocess.run([sys.executable, "-m", *command], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", type=int, help=argparse.SUPPRESS)
    threads = parser.parse_args().loop
    if threads:
        print(json.dumps(child_loop(threads)))
        return
    print(json.dumps({"start": measure_start(5), "overhead": measure_overhead()}, indent=1))
    for growth in (measure_workers(), measure_trials()):
        print(json.dumps(growth.to_dict(), indent=1))


if __name__ == "__main__":
    main()
