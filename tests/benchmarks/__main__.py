"""Prints measured medians and ratios, each ratio from one run: ``python -m tests.benchmarks``.

``--json FILE`` writes them as JSON, too; ``--quick`` measures less often; ``--store`` adds what
``python -m tests.benchmarks.store`` measures, which takes minutes and 9 GB of disk.
"""

import argparse
import json
import os
import platform
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from ssmpe.config import TrialConfig
from ssmpe.features import scaled_decibels
from ssmpe.hcqt import HCQT
from ssmpe.model import Autoencoder
from ssmpe.objectives import REGISTRY, Batch, TotalLoss
from ssmpe.presets import paper
from ssmpe.seeding import torch_generator
from tests.benchmarks import store
from tests.benchmarks.timing import alternately
from tests.benchmarks.yardstick import DenseHCQT, PlainStep


class FastStep:
    """A training step of the closed condition as the project does it, on given audio."""

    def __init__(self, config: TrialConfig) -> None:
        g = config.geometry
        self.hcqt = HCQT(g)
        self.network = Autoencoder(g, config.model).channels_last()
        self.loss = TotalLoss(config.objectives, g, REGISTRY)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), foreach=True)

    def __call__(self, audio: torch.Tensor, drums: torch.Tensor, target: torch.Tensor) -> None:
        bins = self.hcqt.distinct(audio)
        mixed = bins + 0.5 * self.hcqt.distinct(drums)
        features = self.hcqt.gather(scaled_decibels(bins))
        percussive = self.hcqt.gather(scaled_decibels(mixed))
        batch = Batch(features, target, percussive)
        total, _ = self.loss(self.network, batch, lambda name: torch_generator(name))
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()


def measure_hcqt(n: int) -> dict[str, float]:
    """The HCQT of 8 clips of 4 s at paper geometry."""
    g = paper().geometry
    fast, dense = HCQT(g), DenseHCQT(g)
    audio = torch.randn(8, 1, g.excerpt_samples)
    with torch.no_grad():
        seconds, yardstick = alternately(lambda: fast(audio), lambda: dense(audio), n)
    return {"seconds": seconds, "yardstick": yardstick}


def measure_training(n: int) -> dict[str, float]:
    """A training batch at paper geometry: m = 3, two excerpts, closed condition."""
    config = paper()
    g = config.geometry
    audio, drums = torch.randn(2, 2, 1, g.excerpt_samples)
    target = (torch.rand(2, g.n_bins, g.excerpt_frames) > 0.98).float()
    fast, plain = FastStep(config), PlainStep(config)
    seconds, yardstick = alternately(
        lambda: fast(audio, drums, target), lambda: plain(audio, drums, target, 0), n
    )
    return {"seconds": seconds, "yardstick": yardstick}


MEASURES: dict[str, tuple[Callable[[int], dict[str, float]], int]] = {
    "HCQT, paper geometry, 8 clips of 4 s": (measure_hcqt, 5),
    "training batch, paper geometry, m = 3, 2 excerpts, closed": (measure_training, 3),
    "decoding 30 s of stereo WAV at 44.1 kHz": (partial(store.measure_decoding, "wav"), 15),
    "decoding 30 s of stereo MP3 at 44.1 kHz": (partial(store.measure_decoding, "mp3"), 15),
}


def hardware() -> dict[str, Any]:
    """What it was measured on."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(": ")[1] for x in lines if x.startswith("model name")), model)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--store", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(0)
    results: dict[str, dict[str, float]] = {}
    table = Table("what", "median", "yardstick", "ratio", box=None)
    for name, (measure, repetitions) in MEASURES.items():
        found = measure(1 if given.quick else repetitions)
        results[name] = {**found, "ratio": found["yardstick"] / found["seconds"]}
        numbers = (f"{found[k]:.3f} s" for k in ("seconds", "yardstick"))
        table.add_row(name, *numbers, f"{results[name]['ratio']:.1f}×")
    console = Console()
    console.print(table)
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
