"""Prints what training batches cost: ``python -m tests.benchmarks.training``.

One labelled excerpt and two unlabelled ones at paper geometry, m = 3, all three self-supervised
terms, against a straightforward rendering; and batches of the preset tiny as excerpts are added.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ssmpe.config import TrialConfig
from ssmpe.config.presets import paper, tiny
from ssmpe.experiments.estimate import batch_macs
from ssmpe.network.model import Autoencoder
from ssmpe.network.precision import cpu_has_bf16, logits_of
from ssmpe.objectives import REGISTRY, Batch, Step, TotalLoss
from ssmpe.runner.trial.device import keep_freed_memory
from ssmpe.seeding import torch_generator
from ssmpe.signal.features import scaled_decibels
from ssmpe.signal.hcqt import HCQT
from ssmpe.training.optimizer import optimizer_of
from tests.benchmarks.machine import peak_rate
from tests.benchmarks.timing import (
    Growth,
    NotMeasurableError,
    alternately,
    median_seconds,
    peak_bytes,
)
from tests.benchmarks.yardstick import PlainStep

LABELLED, UNLABELLED = 1, 2
ADDED = (0, 2, 4, 8, 16, 32)


class FastStep:
    """A training step as the project does it, on given audio."""

    def __init__(self, config: TrialConfig, mixed: bool = False, device: str = "cpu") -> None:
        g = config.geometry
        self.hcqt = HCQT(g).to(device)
        self.network = Autoencoder(g, config.model).channels_last(device)
        self.forward = partial(logits_of, self.network, mixed=mixed)
        self.loss = TotalLoss(config.objectives, g, REGISTRY)
        self.optimizer = optimizer_of(self.network, config.training, device)

    def __call__(self, audio: Tensor, drums: Tensor, target: Tensor) -> None:
        """Audio and drums (B, 1, N), target (L, F, T) of the first L."""
        bins = self.hcqt.distinct(audio)
        mixed = bins + 0.5 * self.hcqt.distinct(drums)
        features = self.hcqt.gather(scaled_decibels(bins))
        percussive = self.hcqt.gather(scaled_decibels(mixed))
        batch = Batch(features, target, percussive)
        self.optimizer.zero_grad()
        self.loss.backward(Step(self.forward, batch, lambda name: torch_generator(name)))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()


def given(
    config: TrialConfig, labelled: int, unlabelled: int, device: str = "cpu"
) -> tuple[Tensor, Tensor, Tensor]:
    """Audio, drums and target of a batch, on a device."""
    g = config.geometry
    torch.manual_seed(0)
    audio, drums = torch.randn(2, labelled + unlabelled, 1, g.excerpt_samples)
    target = (torch.rand(labelled, g.n_bins, g.excerpt_frames) > 0.98).float()
    return audio.to(device), drums.to(device), target.to(device)


def steps() -> dict[str, Callable[[], object]]:
    """Return the ways of training a batch at paper geometry."""
    config = paper()
    audio, drums, target = given(config, LABELLED, UNLABELLED)

    def fast(mixed: bool) -> object:
        return FastStep(config, mixed)(audio, drums, target)

    def plain() -> object:
        return PlainStep(config)(audio, drums, target, 0)

    return {"fast": partial(fast, False), "mixed": partial(fast, True), "plain": plain}


def measure_time(n: int, mixed: bool = False) -> dict[str, float]:
    """Seconds of a batch both ways, and the share of the processor's arithmetic that is used.

    Args:
        mixed: in bf16, of whose arithmetic the share then is.
    """
    _require_bf16(mixed)
    config = paper()
    audio, drums, target = given(config, LABELLED, UNLABELLED)
    fast, plain = FastStep(config, mixed), PlainStep(config)
    seconds, yardstick = alternately(
        lambda: fast(audio, drums, target), lambda: plain(audio, drums, target, 0), n
    )
    counted = config.replace({"data.labelled_excerpts": LABELLED, "data.added": {"x": UNLABELLED}})
    # forward, by inputs and by weights: three products, two operations each
    share = (
        3
        * 2
        * batch_macs(counted)
        / seconds
        / peak_rate(torch.bfloat16 if mixed else torch.float32)
    )
    return {"seconds": seconds, "yardstick": yardstick, "share of attained peak": share}


def measure_memory(n: int, mixed: bool = False) -> dict[str, float]:
    """Bytes that such a batch takes at its peak beyond what is there before, both ways.

    Each in a process of its own; ``n`` is without meaning.
    """
    _require_bf16(mixed)
    found, own = {}, "mixed" if mixed else "fast"
    for way in (own, "plain"):
        command = [sys.executable, "-m", "tests.benchmarks.training", "--child", way]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found[way] = float(json.loads(done.stdout))
    return {"bytes": found[own], "yardstick": found["plain"]}


def _require_bf16(mixed: bool) -> None:
    if mixed and not cpu_has_bf16():
        raise NotMeasurableError("the processor has no bf16")


def measure_growth(n: int) -> Growth:
    """Seconds of a batch of the preset tiny (4 labelled excerpts) by all excerpts in it."""
    config = tiny()
    labelled, threads = config.data.labelled_excerpts, torch.get_num_threads()
    torch.set_num_threads(1)  # as a trial of two at a time on two cores
    seconds = {}
    for added in ADDED:
        step, batch = FastStep(config), given(config, labelled, added)
        seconds[float(labelled + added)] = median_seconds(
            lambda step=step, batch=batch: step(*batch),  # type: ignore[misc]
            n,
        )
    torch.set_num_threads(threads)
    return Growth("excerpts in the batch", seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", choices=("fast", "mixed", "plain"), help=argparse.SUPPRESS)
    way = parser.parse_args().child
    keep_freed_memory()
    if way:
        step, before = steps()[way], peak_bytes()
        step()
        print(peak_bytes() - before)
        return
    print(json.dumps({"time": measure_time(3), "memory": measure_memory(1)}, indent=1))
    print(json.dumps(measure_growth(5).to_dict(), indent=1))


if __name__ == "__main__":
    main()
