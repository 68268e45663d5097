"""What does each remedy cost in a batch? ``python -m tests.benchmarks.remedies``.

Batches of every row of ``sweeps/remedies.py`` that trains from the start, on the embedded world,
one row after the other in turns, on one thread; CPU seconds, so that other work counts little.
"""

import argparse
import statistics
import time

import torch
from rich.table import Table

from ssmpe.config.presets import tiny
from ssmpe.console import make_console
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.runner.trial.device import keep_freed_memory
from ssmpe.training.trainer import Trainer
from ssmpe.world.build import build_world, world_key
from sweeps.remedies import UNLABELLED, rows

AGAINST = "+MN-8"
"""Row with as many excerpts and nothing else: the published objectives"""


def measure(n: int) -> dict[str, float]:
    """Return median CPU seconds of ``n`` batches by row, after one that does not count."""
    torch.set_num_threads(1)
    keep_freed_memory()
    base = tiny().replace({"data.evaluation": [], "data.max_tracks": {"URMP/validation": 1}})
    root = build_world(cache_dir() / "world" / world_key("tiny"), "tiny")
    begun = {}
    for one in rows(base):
        config = one.apply(base)
        if config.model.learns and one.continues is None:
            sets = load_sets(config.data, config.geometry.sample_rate, Locations(root), cache_dir())
            begun[one.name] = Trainer(config, sets)
    seconds: dict[str, list[float]] = {name: [] for name in begun}
    for index in range(n + 1):
        for name, trainer in begun.items():
            started = time.process_time()
            trainer._step(index)
            seconds[name].append(time.process_time() - started)
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batches", type=int, default=15)
    n = parser.parse_args().batches
    if n < 1:
        parser.error(f"--batches {n}: one at least")
    found = measure(n)
    table = Table("row", "CPU seconds a batch", f"of {AGAINST}", box=None)
    for name, seconds in found.items():
        table.add_row(name, f"{seconds:.3f}", f"{seconds / found[AGAINST]:.2f}")
    make_console().print(f"tiny, twice as many excerpts of {UNLABELLED} as labelled ones")
    make_console().print(table)


if __name__ == "__main__":
    main()
