"""A checkpoint of a really trained, very small network, and recordings to apply it to."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.__main__ import main
from ssmpe.config import TrialConfig
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.network.model import Autoencoder
from ssmpe.training import checkpoint as checkpoint_files
from ssmpe.training.checkpoint import BEST
from ssmpe.training.trainer import Trainer
from tests.support.shared import once

FRESH = {
    # after some batches, the output of a network that starts like this is not yet blank
    "model.output_bias": 0.5,
    # quickly scored
    "data.validation": "NSynth/valid",
    "data.evaluation": ["TRIOS/all"],
}


@pytest.fixture
def checkpoint(world: Path, brief: TrialConfig, tmp_path_factory) -> Path:
    """Checkpoint of a trial that has ended."""
    return trained(world, brief.replace(FRESH), tmp_path_factory)


def trained(world: Path, config: TrialConfig, factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a configuration, trained once for all tests."""

    def train(folder: Path) -> None:
        sets = load_sets(config.data, config.geometry.sample_rate, Locations(world), cache_dir())
        trainer = Trainer(config, sets)
        for _ in trainer.run():
            trainer.save(folder / "checkpoint")

    return once(factory, config.identity, train) / "checkpoint"


def untrained(folder: Path, config: TrialConfig) -> Path:
    """Write a checkpoint of random weights; return its folder."""
    plain = {"config": config.to_dict(), "best_f1": 0.5, "best_batch": 6}
    weights = Autoencoder(config.geometry, config.model).state_dict()
    checkpoint_files.save(folder, {BEST: weights}, {BEST: plain})
    return folder


@pytest.fixture
def command(capsys):
    """Return a function that runs ``python -m ssmpe``: exit code, output, error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(a) for a in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def write_tones(path: Path, n_samples: int, sample_rate: int = 22_050, channels: int = 1) -> Path:
    """Tones that come and go over some noise; a few clips from end to end."""
    rng = np.random.default_rng(n_samples)
    times = np.arange(n_samples) / sample_rate
    audio = 0.02 * rng.standard_normal((n_samples, channels))
    for hz in 110 * 2 ** rng.uniform(0, 4, 6):
        level = 0.1 * (np.sin(2 * np.pi * rng.uniform(0.1, 1) * times) > 0)
        audio += (level * np.sin(2 * np.pi * hz * times))[:, None]
    soundfile.write(path, audio.astype(np.float32), sample_rate, subtype="FLOAT")
    return path
