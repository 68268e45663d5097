"""Prints measured medians and ratios, each ratio from one run: ``python -m tests.benchmarks``.

``--json FILE`` writes them as JSON, too; ``--curves PNG`` draws how costs grow. ``--quick`` takes
fewer repetitions and leaves out what takes minutes. ``--store`` adds ``tests.benchmarks.store``,
which takes minutes and 9 GB of disk. On two idle cores under 20 minutes without that.
"""

import argparse
import json
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from ssmpe.config.presets import paper
from ssmpe.runner.trial.device import keep_freed_memory
from ssmpe.signal.hcqt import HCQT
from tests.benchmarks import decoding, gpu, store, streaming, sweeping, training, validation
from tests.benchmarks.machine import hardware
from tests.benchmarks.timing import Growth, NotMeasurableError, alternately, drawn
from tests.benchmarks.yardstick import DenseHCQT

Measured = dict[str, float]


def measure_hcqt(n: int) -> Measured:
    """Compare ways to the HCQT of 8 clips of 4 s at paper geometry."""
    g = paper().geometry
    fast, dense = HCQT(g), DenseHCQT(g)
    audio = torch.randn(8, 1, g.excerpt_samples)
    with torch.no_grad():
        seconds, yardstick = alternately(lambda: fast(audio), lambda: dense(audio), n)
    return {"seconds": seconds, "yardstick": yardstick}


def one_thread(measure: Callable[[int], Measured], n: int) -> Measured:
    """Measured as in a trial of the preset tiny, that has one core of two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure(n)
    finally:
        torch.set_num_threads(before)


def _loading(suffix: str, rate: int, n: int) -> Measured:
    return decoding.measure_loading(suffix, rate, 30, n)


BOTH_WAYS: dict[str, tuple[Callable[[int], Measured], int]] = {
    "HCQT, paper geometry, 8 clips of 4 s": (measure_hcqt, 5),
    "training batch, paper geometry, m = 3, 1 + 2 excerpts": (training.measure_time, 3),
    "the same, bf16": (partial(training.measure_time, mixed=True), 3),
    "peak memory of that batch": (training.measure_memory, 1),
    "peak memory of that batch, bf16": (partial(training.measure_memory, mixed=True), 1),
    "training batch on the GPU, bf16, paper geometry, 8 + 16 excerpts": (gpu.measure_time, 10),
    "peak memory of that batch on the GPU": (gpu.measure_memory, 1),
    **{name: (partial(one_thread, f), n) for name, (f, n) in validation.MEASURES.items()},
    "decoding 30 s of stereo WAV, 44.1 kHz (librosa)": (partial(_loading, "wav", 44_100), 9),
    "decoding 30 s of stereo WAV, 48 kHz (librosa)": (partial(_loading, "wav", 48_000), 9),
    "decoding 30 s of stereo MP3, 44.1 kHz (librosa)": (partial(_loading, "mp3", 44_100), 9),
    "starting a trial: process to first batch": (sweeping.measure_start, 5),
}
"""what -> how, and how often"""


def growths(n: int) -> dict[str, Growth]:
    """How costs grow."""
    return {
        "batch": training.measure_growth(n),
        "validation": validation.measure_growth(n),
        "sweep of trials that only report": sweeping.measure_trials(),
        "sweep of 4 short trials": sweeping.measure_workers(),
    }


def row(name: str, found: Measured) -> tuple[str, str, str, str]:
    """Return a row of the table: with units, and the ratio if there are two ways."""
    if "bytes" in found:
        own, other = found["bytes"] / 2**30, found["yardstick"] / 2**30
        return name, f"{own:.2f} GiB", f"{other:.2f} GiB", f"{other / own:.1f}×"
    own = found["seconds"]
    if "yardstick" not in found:
        return name, f"{own:.2f} s", "", ""
    shares = [f"{key} {value:.0%}" for key, value in found.items() if key.startswith("share of")]
    ratio = ", ".join([f"{found['yardstick'] / own:.1f}×", *shares])
    return name, f"{own:.4f} s", f"{found['yardstick']:.4f} s", ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--store", action="store_true")
    given = parser.parse_args()
    keep_freed_memory()  # as trials do
    torch.manual_seed(0)
    console = Console(width=120)
    results: dict[str, Any] = {}
    table = Table("what", "median", "yardstick", "ratio", box=None)
    for name, (measure, n) in BOTH_WAYS.items():
        try:
            found = measure(1 if given.quick else n)
        except NotMeasurableError as reason:
            table.add_row(name, f"skipped: {reason}", "", "")
            continue
        results[name] = found
        table.add_row(*row(name, found))
    console.print(table)
    if torch.cuda.is_available():
        for name in ("tiny", "paper"):
            try:
                packed = gpu.measure_packing(name)
            except NotMeasurableError as reason:
                console.print(f"trials on one GPU: skipped: {reason}")
                continue
            results[f"trials on one GPU, preset {name}"] = packed
            console.print(store.shown(packed))
    if not given.quick:
        results["Ray and MLflow"] = sweeping.measure_overhead()
        results["features of long tracks"] = streaming.measure_streaming()
        grown = growths(5)
        results |= {f"growth: {name}": growth.to_dict() for name, growth in grown.items()}
        for name in ("Ray and MLflow", "features of long tracks"):
            console.print(store.shown(results[name]))
        for name, growth in grown.items():
            points = ", ".join(f"{size:g}: {s:.3g} s" for size, s in growth.seconds.items())
            console.print(f"{name} by {growth.size}: {points}; exponent {growth.exponent:.2f}")
        if given.curves:
            drawn(grown, given.curves)
    if given.store:
        results["audio store"] = store.measure()
        console.print(store.shown(results["audio store"]))
    facts = hardware()
    console.print(", ".join(f"{k}: {v}" for k, v in facts.items()), highlight=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(f"peak memory of all of it: {peak:.1f} GiB", highlight=False)
    if given.json:
        given.json.write_text(json.dumps({"hardware": facts, "results": results}, indent=1))


if __name__ == "__main__":
    main()
