"""What a sweep will cost, without running it."""

from collections.abc import Sequence

from ssmpe.config import GeometryConfig, ModelConfig, TrialConfig
from ssmpe.experiments.sweep import Trial
from ssmpe.network.baselines import network_of
from ssmpe.network.model import DILATIONS, N_LEVELS, level_bins, level_channels
from ssmpe.objectives import REGISTRY

TRAINED_MACS_PER_SECOND = {"cpu": 2.9e9, "cuda": 1e12}
"""Multiply-accumulates of forward passes that training gets through in a second: measured on one
core of an AMD EPYC (preset tiny), and a guess for one large GPU"""
FORWARD_SHARE = 1 / 3
"""Cost of a pass without its gradient relative to one with it."""
EVALUATION_SHARE = 0.1
"""Time of validations relative to training (preset tiny)."""
BYTES_PER_WEIGHT = 16
"""Bytes of a checkpoint: weights, two moments of AdamW, best weights, 4 bytes each."""
CHECKPOINTS = 4
"""Checkpoints of a trial at the most: two in the storage, one on its way, one in MLflow."""


def macs_per_frame(g: GeometryConfig, m: ModelConfig) -> int:
    """Return the multiply-accumulates of one frame's forward pass."""
    channels, bins = level_channels(m.complexity), level_bins(g.n_bins)
    residuals = len(DILATIONS) * (9 + 1)
    total = bins[0] * channels[0] * 9 * (g.n_harmonics + 1)
    for i in range(N_LEVELS):
        both = 2  # the decoder's level does what the encoder's does, in reverse
        total += both * bins[i] * residuals * channels[i] ** 2
        total += both * bins[i + 1] * 4 * channels[i] * channels[i + 1]
    latent = 32 * 2 ** (m.complexity - 1)
    return total + 2 * bins[-1] * channels[-1] * latent


def n_weights(g: GeometryConfig, m: ModelConfig) -> int:
    """Return the number of weights of the network."""
    return sum(p.numel() for p in network_of(g, m).parameters())


def batch_macs(config: TrialConfig) -> float:
    """Return multiply-accumulates of a batch's forward passes: views × excerpts × a frame's."""
    if not config.model.learns:
        return 0.0
    objectives = [REGISTRY[name] for name in config.objectives.weights]
    views = 1.0 + sum(objective.make_view is not None for objective in objectives)
    # two forward passes and one gradient by the features
    views += 3 * FORWARD_SHARE * sum(objective.against is not None for objective in objectives)
    if config.objectives.teacher_decay is not None:
        views += FORWARD_SHARE
    frames = config.data.batch_excerpts * config.geometry.excerpt_frames
    return macs_per_frame(config.geometry, config.model) * frames * views


def trial_seconds(config: TrialConfig, device: str) -> float:
    """Estimate the time of a whole trial on one core, or on one GPU."""
    macs = batch_macs(config)
    training = config.training.n_batches * macs / TRAINED_MACS_PER_SECOND[device]
    return training * (1 + EVALUATION_SHARE)


def sweep_cost(trials: Sequence[Trial], device: str, concurrent: int) -> tuple[float, float]:
    """Estimate seconds and bytes of disk of a sweep whose trials all run to their end."""
    seconds = sum(trial_seconds(t.config, device) for t in trials) / concurrent
    weights = sum(n_weights(t.config.geometry, t.config.model) for t in trials)
    return seconds, float(weights * BYTES_PER_WEIGHT * CHECKPOINTS)
