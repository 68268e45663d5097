"""The signal alone, as what networks are compared with."""

import pytest
import torch

from ssmpe.config import ModelConfig
from ssmpe.config.model import ESTIMATES
from ssmpe.evaluation.inference import CHUNK_FRAMES, CONTEXT_FRAMES, saliences
from ssmpe.network.baselines import network_of
from ssmpe.network.model import Autoencoder
from ssmpe.signal.features import energy_estimate
from ssmpe.signal.salience import peaks


def features_of(geometry, n_frames: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(2, geometry.n_harmonics, geometry.n_bins, n_frames, generator=rng)


def test_a_network_is_the_default(geometry):
    assert type(network_of(geometry, ModelConfig())) is Autoencoder


@pytest.mark.parametrize("name", ESTIMATES)
def test_there_is_nothing_to_learn(geometry, name):
    network = network_of(geometry, ModelConfig(network=name)).channels_last()
    assert network.state_dict() == {}


def test_peaks_are_those_of_the_energy_estimate_of_the_whole_track(geometry):
    """Its loudest bin lies in another chunk than most of it."""
    features = 0.9 * features_of(geometry, CHUNK_FRAMES + 2 * CONTEXT_FRAMES)
    features[..., -1] = 1.0
    energy = energy_estimate(features, geometry.harmonics)
    found = saliences(network_of(geometry, ModelConfig(network="energy")), features)
    torch.testing.assert_close(found, torch.sigmoid(40 * (energy - 0.8)))
    assert torch.equal(found > 0.5, energy > 0.8)
    assert (peaks(found, 0.1) == peaks(energy, 0.8 - 2.1972 / 40)).float().mean() > 0.9999
