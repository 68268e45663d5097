import pytest
import torch

from ssmpe.config import GeometryConfig, ModelConfig
from ssmpe.evaluation.inference import CHUNK_FRAMES, CONTEXT_FRAMES, salience
from ssmpe.network.model import Autoencoder, level_bins


@pytest.mark.parametrize(("complexity", "weights"), [(1, 94_819), (2, 343_717), (3, 1_303_753)])
def test_weights_of_the_paper(complexity, weights):
    network = Autoencoder(GeometryConfig(), ModelConfig(complexity=complexity))
    assert sum(p.numel() for p in network.parameters()) == weights


def test_sizes_along_frequency_of_the_paper():
    assert level_bins(440) == [440, 219, 108, 53, 25]


@pytest.mark.parametrize("n_bins", [46, 88, 176, 175, 264])
@pytest.mark.parametrize("skip_connections", [False, True])
def test_any_geometry_comes_back_in_its_size(n_bins, skip_connections):
    geometry = GeometryConfig(n_bins=n_bins)
    network = Autoencoder(geometry, ModelConfig(1, skip_connections))
    assert network(torch.rand(2, 6, n_bins, 10)).shape == (2, n_bins, 10)


def test_skip_connections_are_learnt():
    geometry = GeometryConfig(n_bins=88)
    network = Autoencoder(geometry, ModelConfig(1, skip_connections=True))
    network(torch.rand(1, 6, 88, 10)).sum().backward()
    assert network.skips is not None
    assert network.skips.grad is not None
    assert (network.skips.grad != 0).all()


def test_output_bias_is_where_the_output_starts(geometry):
    network = Autoencoder(geometry, ModelConfig(1, output_bias=-4.0))
    assert torch.sigmoid(network(torch.rand(1, 6, geometry.n_bins, 20))).mean() < 0.1


def test_memory_format_does_not_change_the_output(geometry):
    network = Autoencoder(geometry, ModelConfig(1)).eval()
    x = torch.rand(2, 6, geometry.n_bins, 30)
    expected = network(x)
    torch.testing.assert_close(network.channels_last()(x), expected)


def test_frames_beyond_the_receptive_field_do_not_matter(geometry):
    network = Autoencoder(geometry, ModelConfig(1)).eval()
    x = torch.rand(1, 6, geometry.n_bins, 2 * CONTEXT_FRAMES + 40)
    changed = x.clone()
    changed[..., :10] = 0
    with torch.no_grad():
        difference = (network(x) - network(changed)).abs().amax(dim=(0, 1))
    assert difference[10 + CONTEXT_FRAMES :].max() < 1e-5
    assert difference[10 + CONTEXT_FRAMES // 2 - 1] > 0


def test_long_tracks_in_chunks_equal_long_tracks_at_once(geometry):
    network = Autoencoder(geometry, ModelConfig(1)).eval()
    n_frames = CHUNK_FRAMES + 300
    x = torch.rand(1, 6, geometry.n_bins, n_frames)
    with torch.no_grad():
        at_once = torch.sigmoid(network(x)[0])
    torch.testing.assert_close(salience(network, x), at_once, atol=1e-5, rtol=0)
