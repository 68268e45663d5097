"""How much of a GPU a trial needs, measured."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import ray
import torch
from ray.exceptions import GetTimeoutError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from rich.console import Console

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.experiments.estimate import batch_macs
from ssmpe.experiments.options import part_of_a_card
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.cluster.nodes import alive
from ssmpe.runner.trial.device import CONTEXT_BYTES, make_repeatable
from ssmpe.runner.trial.worker import Worker
from ssmpe.training.trainer import Trainer

BATCHES = 2
"""Batches that are measured: the optimizer's moments are there from the first on."""
PATIENCE_SECONDS = 1800.0
"""Time for a card to become free, for the data to be made ready, and for the measurement."""


def propose(trials: Sequence[Trial], worker: Worker, console: Console) -> float:
    """Return the share of a GPU that holds any of the trials, and print how it came about.

    One that runs the largest batches is tried on a card; 0 without GPUs.

    Args:
        worker: that trials would be run with on a whole GPU.

    Raises:
        UserError: that trial does not fit on a whole card, or no card becomes free.
    """
    cards = [node for node in alive() if node.n_gpus >= 1]
    if not cards:
        return 0.0
    trial = max(trials, key=lambda trial: batch_macs(trial.config))
    try:
        smallest = min(_on_a_card(node.id, _card_bytes) for node in cards)
        peak = _on_a_card(cards[0].id, measure, trial.config.to_dict(), asdict(worker))
    except torch.OutOfMemoryError:
        raise UserError(
            f"{trial.name} takes more memory than a whole GPU has: fewer excerpts in a batch, as "
            "--set data.labelled_excerpts=4, take less"
        ) from None
    except GetTimeoutError:
        raise UserError(
            f"no GPU has become free for a measurement within {PATIENCE_SECONDS:g} s; give "
            "--gpus-per-trial a number"
        ) from None
    share = share_of(peak + CONTEXT_BYTES, smallest)
    console.print(
        f"{trial.name} takes {peak / 2**30:.1f} GiB of GPU memory, and {CONTEXT_BYTES / 2**30:.1f} "
        f"for its process; a card has {smallest / 2**30:.1f}: --gpus-per-trial {share:g}",
        highlight=False,
        soft_wrap=True,
    )
    return share


def share_of(needed: int, card: int) -> float:
    """Return the smallest 1/k of a card of so many bytes that holds what is needed, or 1.

    Rounded down to what Ray counts in, as k shares must not make more than a card.
    """
    return part_of_a_card(max(1, card // needed))


def measure(config: dict[str, Any], worker: dict[str, Any]) -> int:
    """Return the most bytes that two batches and a validation take of a GPU; 0 on a CPU.

    Args:
        config: plain form of a trial's configuration.
        worker: fields of ``Worker``.
    """
    used, short = Worker(**worker), shortened(TrialConfig.from_dict(config))
    torch.set_num_threads(used.threads)
    if used.use_gpu:
        make_repeatable()  # which takes other workspaces
    measured = 1 if used.diagnostics else None  # a measured batch takes the most
    for _ in Trainer(short, used.sets(short), used.device, diagnostics=measured).run():
        pass
    return torch.cuda.max_memory_reserved() if used.use_gpu else 0


def shortened(config: TrialConfig) -> TrialConfig:
    """Return a trial that takes as much memory as this one, for a few batches."""
    return config.replace(
        {
            "training.n_batches": BATCHES,
            "training.validate_every": BATCHES,
            "training.warmup_batches": 0,
            "training.parent": "",
        }
    )


def _card_bytes() -> int:
    return int(torch.cuda.get_device_properties(0).total_memory)


def _on_a_card(node: str, function: Any, *arguments: Any) -> int:
    """Return what a function returns on a GPU of a node, in a process that ends with it."""
    place = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(num_cpus=0, num_gpus=1, max_calls=1, max_retries=0)(function)
    reference = task.options(scheduling_strategy=place).remote(*arguments)
    return int(ray.get(reference, timeout=PATIENCE_SECONDS))
