"""The signal alone, as what networks are compared with."""

import pytest
import torch

from ssmpe.config import ModelConfig
from ssmpe.config.model import ESTIMATES
from ssmpe.evaluation.inference import CHUNK_FRAMES, CONTEXT_FRAMES, saliences
from ssmpe.network.baselines import network_of
from ssmpe.network.model import Autoencoder
from ssmpe.signal.estimates import MIDDLE_LEVEL, level_of_pitches
from ssmpe.signal.features import energy_estimate
from ssmpe.signal.salience import peaks
from ssmpe.training.trainer import Trainer


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


class TestBesideANetwork:
    """The decomposition joins the logits wherever they are used, and nowhere else."""

    def test_it_is_added_to_the_logits_that_are_used(self, geometry):
        alone, both = (
            network_of(geometry, ModelConfig(complexity=1, decomposition=w)) for w in (0.0, 20.0)
        )
        both.load_state_dict(alone.state_dict())
        features = features_of(geometry, 12)
        expected = alone(features) + 20.0 * (level_of_pitches(features, geometry) - MIDDLE_LEVEL)
        assert torch.equal(alone.used(features), alone(features))
        assert torch.equal(both(features), alone(features))
        torch.testing.assert_close(both.used(features), expected)

    def test_a_track_in_chunks_is_as_in_one_piece(self, geometry):
        """Its loudest bin lies in another chunk than most of it."""
        network = network_of(geometry, ModelConfig(complexity=1, decomposition=20.0))
        features = 0.9 * features_of(geometry, CHUNK_FRAMES + 2 * CONTEXT_FRAMES)[:1]
        features[..., -1] = 1.0
        with torch.no_grad():
            whole = torch.sigmoid(network.used(features))
        torch.testing.assert_close(saliences(network, features), whole, rtol=1e-3, atol=1e-4)

    def test_training_sees_the_network_alone(self, brief, sets):
        both = brief.replace({"model.decomposition": 20.0})
        assert both.identity != brief.identity
        ran = [list(Trainer(config, sets).run()) for config in (brief, both)]
        assert [v.losses for v in ran[0]] == [v.losses for v in ran[1]]
        scores = [[v.scores["URMP/validation"].means.average_precision for v in r] for r in ran]
        assert min(scores[1]) > max(scores[0]), "six batches teach nothing"

    def test_it_has_no_signal_beside_a_signal(self):
        assert ModelConfig(network="energy", decomposition=20.0) == ModelConfig(network="energy")
