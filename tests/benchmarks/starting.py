"""A trial from the start of its process to its first batch, on a store that is built.

With the imports that a process of Ray's makes for a trial, and no others.
"""

import time

import ssmpe.runner.trial.trainable  # noqa: F401
from ssmpe.config import TrialConfig
from ssmpe.config.presets import tiny
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.training.trainer import Trainer
from ssmpe.world.build import build_world, world_key


def trainer_of(config: TrialConfig, device: str = "cpu") -> Trainer:
    """Return a trial at its beginning, on the embedded world of the size tiny."""
    world = build_world(cache_dir() / "world" / world_key("tiny"), "tiny")
    sets = load_sets(config.data, config.geometry.sample_rate, Locations(world), cache_dir())
    return Trainer(config, sets, device)


def main() -> None:
    """Print the time at which the first batch is trained."""
    trainer = trainer_of(tiny())
    trainer.network.train()
    trainer._step(0)
    print(time.time())


if __name__ == "__main__":
    main()
