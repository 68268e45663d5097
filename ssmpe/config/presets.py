"""Scales of an experiment: the paper's own, and smaller ones that keep its method.

A preset changes geometry, network and length, and the learning rate where the scale demands it;
each change is given with its reason. The weights of the objectives are the paper's.
"""

from collections.abc import Callable

from ssmpe.config import (
    DataConfig,
    GeometryConfig,
    ModelConfig,
    TrainingConfig,
    TrialConfig,
)
from ssmpe.errors import UserError


def paper() -> TrialConfig:
    """Return the published experiments, value for value."""
    return TrialConfig()


def tiny() -> TrialConfig:
    """Return what takes minutes on two CPU cores."""
    return TrialConfig(
        # a quarter of the frame rate, a quarter of the excerpt and two bins per semitone, the least
        # that tells neighbours apart
        geometry=GeometryConfig(
            hop_length=1024, n_bins=176, bins_per_octave=24, excerpt_seconds=1.0
        ),
        # a bottleneck learns for thousands of batches to pass a frame on; levels that are joined do
        # so at once. The output starts where a blank one ends, instead of first getting there.
        # These, rate and warm-up are those that sweeps/coming_alive.py found.
        model=ModelConfig(complexity=1, skip_connections=True, output_bias=-5.0),
        # half of the paper's: halves the cost of a batch, and all counts that follow from it
        # and two of the evaluated sets fewer, as validations are a quarter of the time
        data=DataConfig(
            labelled_excerpts=4, evaluation=("Bach10/all", "MusicNet/test", "GuitarSet/05")
        ),
        training=TrainingConfig(
            # the least after which the closed condition has come up to a salience of one half
            n_batches=630,
            validate_every=70,
            # a network of 50,000 weights stands eight times the rate, in a sixteenth of the batches
            learning_rate=4e-3,
            warmup_batches=100,
        ),
    )


def compact() -> TrialConfig:
    """Return what makes a network to be used, in an hour on two CPU cores."""
    return TrialConfig(
        # frames of 23 ms: onsets are right within 50
        geometry=GeometryConfig(
            hop_length=512, n_bins=176, bins_per_octave=24, excerpt_seconds=2.0
        ),
        # 190,000 weights, which take a fifth of a second of a core for a minute of music
        model=ModelConfig(complexity=2, skip_connections=True, output_bias=-5.0),
        data=DataConfig(evaluation=("Bach10/all", "MusicNet/test", "GuitarSet/05")),
        training=TrainingConfig(
            # what an hour has room for
            n_batches=2500,
            validate_every=500,
            # between those of tiny and small, as the network is
            learning_rate=2e-3,
            warmup_batches=200,
            # half the time of a batch, on processors that have bfloat16
            mixed_precision_on_cpus=True,
        ),
    )


def small() -> TrialConfig:
    """Return what takes hours on two CPU cores, minutes on a GPU: between tiny and the paper."""
    return TrialConfig(
        geometry=GeometryConfig(
            hop_length=512, n_bins=264, bins_per_octave=36, excerpt_seconds=3.0
        ),
        model=ModelConfig(complexity=2, skip_connections=True, output_bias=-5.0),
        training=TrainingConfig(
            n_batches=2000, validate_every=100, learning_rate=1e-3, warmup_batches=100
        ),
    )


PRESETS: dict[str, Callable[[], TrialConfig]] = {
    "tiny": tiny,
    "compact": compact,
    "small": small,
    "paper": paper,
}
"""Presets by name, from the smallest."""


def preset(name: str) -> TrialConfig:
    """Return the preset of this name; raises UserError if there is none."""
    if name not in PRESETS:
        raise UserError(f"unknown preset {name!r} (known: {', '.join(PRESETS)})")
    return PRESETS[name]()
