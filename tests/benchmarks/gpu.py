"""Prints what training costs on a GPU: ``python -m tests.benchmarks.gpu``.

A batch of the paper's, 8 labelled excerpts and 16 unlabelled ones with all three self-supervised
terms, in bf16 against the straightforward rendering; against the convolutions that it cannot do
without; and several trials on one card against one at a time. Nothing is measured without a GPU.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ssmpe.config import TrialConfig
from ssmpe.config.presets import paper, preset
from ssmpe.runner.trial.device import keep_freed_memory, make_repeatable
from tests.benchmarks.starting import trainer_of
from tests.benchmarks.timing import NotMeasurableError, alternately, median_seconds
from tests.benchmarks.training import FastStep, given
from tests.benchmarks.yardstick import PlainAutoencoder, PlainStep

LABELLED, UNLABELLED = 8, 16
VIEWS = 4
"""of an excerpt that run through the network: itself and one for every self-supervised term"""
PACKED = (1, 2, 4, 8)
"""trials on one card"""
WARM_UP, COUNTED = 10, 40
"""batches of each"""


@dataclass(frozen=True)
class Place:
    """Where a batch is trained, and how large it is."""

    device: str = "cuda"
    config: TrialConfig = field(default_factory=paper)
    labelled: int = LABELLED
    unlabelled: int = UNLABELLED

    @property
    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        return given(self.config, self.labelled, self.unlabelled, self.device)

    def waited_for(self, step: Callable[[], object]) -> Callable[[], None]:
        """Make the same step, which ends when the device has ended it."""

        def done() -> None:
            step()
            if self.device == "cuda":
                torch.cuda.synchronize()

        return done

    def fast(self) -> Callable[[], None]:
        step, batch = FastStep(self.config, mixed=True, device=self.device), self.batch

        def repeatable() -> None:
            make_repeatable()  # as trials are, and the yardstick is not
            step(*batch)
            make_repeatable(False)

        return self.waited_for(repeatable)

    def plain(self) -> Callable[[], None]:
        step, batch = PlainStep(self.config, self.device), self.batch
        return self.waited_for(lambda: step(*batch, 0))


def measure_time(n: int, place: Place | None = None) -> dict[str, float]:
    """Seconds of a batch both ways, and what share of it its convolutions alone would take."""
    place = place or _card()
    with _enough_memory():
        seconds, yardstick = alternately(place.fast(), place.plain(), n)
        alone = measure_convolutions(n, place)
    return {
        "seconds": seconds,
        "yardstick": yardstick,
        "share of its convolutions": alone / seconds,
    }


def measure_memory(n: int, place: Place | None = None) -> dict[str, float]:
    """Bytes that a batch takes on the card at its peak, both ways; ``n`` is without meaning."""
    place = place or _card()
    found = {}
    for name, way in (("bytes", place.fast), ("yardstick", place.plain)):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with _enough_memory():
            way()()
        found[name] = float(torch.cuda.max_memory_allocated() - before)
    return found


def measure_convolutions(n: int, place: Place) -> float:
    """Seconds of a batch's convolutions alone, each by itself, in bf16, forward and backward."""
    views, seconds = place.batch[0].shape[0], 0.0
    for layer, shape in _convolutions(place.config):
        own = layer.to(place.device, torch.bfloat16, memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = torch.randn(views, *shape[1:]).to(place.device, torch.bfloat16)
        x = x.contiguous(memory_format=torch.channels_last).requires_grad_()

        def both(own: nn.Module = own, x: Tensor = x) -> None:
            out = own(x)
            out.backward(torch.ones_like(out))

        seconds += VIEWS * median_seconds(place.waited_for(both), n)
    return seconds


def _convolutions(config: TrialConfig) -> list[tuple[nn.Module, torch.Size]]:
    """All convolutions of the network, and the shapes (1, C, F, T) of what each is given."""
    g = config.geometry
    network, found = PlainAutoencoder(g, config.model), []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(
                lambda module, given, _: found.append((module, given[0].shape))
            )
    with torch.no_grad():
        network(torch.zeros(1, g.n_harmonics, g.n_bins, g.excerpt_frames))
    for module, _ in found:
        module._forward_hooks.clear()
    return found


def measure_packing(
    name: str, device: str = "cuda", counts: Sequence[int] = PACKED
) -> dict[str, float]:
    """Batches a second of so many trials at once on one device, each in a process of its own.

    Real trials of a preset on the embedded world, seed by seed.

    Args:
        name: of the preset.

    Returns:
        By number of trials, as far as they fit: batches a second of all of them, and these against
        those of one; and 1 if each ends with the same loss whatever runs beside it.

    Raises:
        NotMeasurableError: not even the first run to their end.
    """
    if device == "cuda":
        _card()
    rates: dict[int, float] = {}
    losses: dict[int, list[float]] = {}
    for n in counts:
        try:
            found = _at_once(name, device, n)
        except NotMeasurableError:
            if not rates:
                raise
            break  # so many do not fit beside each other
        rates[n] = sum(one["batches"] for one in found) / max(one["seconds"] for one in found)
        losses[n] = [one["loss"] for one in found]
    most = losses[max(losses)]
    return {
        **{f"{n} at a time, batches/s": rate for n, rate in rates.items()},
        **{f"{n} at a time, against one": rate / rates[1] for n, rate in rates.items()},
        "same losses": float(all(own == most[: len(own)] for own in losses.values())),
    }


def _at_once(name: str, device: str, n: int) -> list[dict[str, float]]:
    command = [sys.executable, "-m", "tests.benchmarks.gpu", "--trial", name]
    command += ["--device", device, "--seed"]
    children = [
        subprocess.Popen(
            [*command, str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for seed in range(n)
    ]
    for child in children:
        assert child.stdout is not None
        if child.stdout.readline() != "ready\n":
            for other in children:
                other.kill()
            raise NotMeasurableError(f"of {n} trials of the preset {name}, not all could begin")
    for child in children:  # all begin together
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    printed = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        raise NotMeasurableError(f"of {n} trials of the preset {name}, not all came to their end")
    return [json.loads(text) for text in printed]


def trial(config: TrialConfig, device: str) -> dict[str, float]:
    """Train first batches; return how many were counted, their seconds, and the last loss."""
    trainer = trainer_of(config, device)
    trainer.network.train()
    for index in range(WARM_UP):
        loss = trainer._step(index)["total"]
    float(loss)  # waits
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    for index in range(WARM_UP, WARM_UP + COUNTED):
        loss = trainer._step(index)["total"]
    last = float(loss)
    return {"batches": COUNTED, "seconds": time.perf_counter() - started, "loss": last}


@contextmanager
def _enough_memory() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise NotMeasurableError("it does not fit on this card both ways") from None


def _card() -> Place:
    if not torch.cuda.is_available():
        raise NotMeasurableError("no GPU")
    return Place()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trial", metavar="PRESET", help=argparse.SUPPRESS)
    parser.add_argument("--device", default="cuda", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.trial:
        keep_freed_memory()
        torch.set_num_threads(1)
        if asked.device == "cuda":
            make_repeatable()
        config = preset(asked.trial).replace(
            {"training.seed": asked.seed, "data.added": {"MusicNet/train": 8}}
        )
        print(json.dumps(trial(config, asked.device)))
        return
    try:
        found = {
            "batch": measure_time(10),
            "memory": measure_memory(1),
            **{f"packing, preset {name}": measure_packing(name) for name in ("tiny", "paper")},
        }
    except NotMeasurableError as reason:
        raise SystemExit(f"nothing to measure: {reason}") from None
    print(json.dumps({"gpu": torch.cuda.get_device_name(), **found}, indent=1))


if __name__ == "__main__":
    main()
