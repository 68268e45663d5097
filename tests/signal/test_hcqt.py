import numpy as np
import pytest
import torch

from ssmpe.config import GeometryConfig
from ssmpe.signal.features import energy_estimate, frame_rms, scaled_decibels
from ssmpe.signal.hcqt import HCQT, LEAKAGE
from ssmpe.signal.kernels import make_kernels


@pytest.fixture(scope="module")
def transform(geometry):
    return HCQT(geometry)


def tone(frequency: float, geometry: GeometryConfig, seconds: float = 2.0) -> torch.Tensor:
    t = np.arange(round(seconds * geometry.sample_rate)) / geometry.sample_rate
    return torch.from_numpy(np.sin(2 * np.pi * frequency * t)).float()[None, None]


@pytest.mark.parametrize("bin_index", [0, 40, 100, 160])
def test_a_tone_comes_back_in_its_bin_with_a_quarter_of_the_kernel_s_length(
    geometry, transform, bin_index
):
    frequency = geometry.bin_frequencies[bin_index]
    first = geometry.harmonics.index(1.0)
    middle = transform(tone(frequency, geometry)).abs()[0, first, :, 20]
    assert int(middle.argmax()) == bin_index
    kernels = make_kernels(geometry)
    length = kernels.lengths[kernels.index[first, bin_index]]
    assert float(middle[bin_index]) == pytest.approx(length / 4, rel=5e-3)


def test_harmonics_are_channels(geometry, transform):
    """The second harmonic of a tone's F0 shows in channel h = 2 at the F0's own bin."""
    k = 80
    second = tone(2 * geometry.bin_frequencies[k], geometry)
    spectrum = transform(second).abs()[0, geometry.harmonics.index(2.0), :, 20]
    assert int(spectrum.argmax()) == k


def test_equals_correlation_in_time(geometry, transform):
    audio = torch.randn(1, 1, 12_345, generator=torch.Generator().manual_seed(1))
    kernels = make_kernels(geometry)
    half = kernels.taps.shape[1] // 2
    padded = np.pad(audio[0, 0].numpy(), (half, half))
    ours = transform.distinct(audio)[0]
    assert ours.shape[1] == 1 + 12_345 // geometry.hop_length
    scale = float(ours.abs().max())
    for frame in (0, 5, ours.shape[1] - 1):
        start = frame * geometry.hop_length
        window = padded[start : start + kernels.taps.shape[1]]
        expected = kernels.taps.conj() @ window
        assert np.abs(ours[:, frame].numpy() - expected).max() / scale < 1e-4


def test_one_clip_alone_equals_the_same_in_a_batch(geometry, transform):
    clips = torch.randn(5, 1, 30_000, generator=torch.Generator().manual_seed(2))
    together = transform(clips)
    for i in range(5):
        alone = transform(clips[i : i + 1])[0]
        assert (together[i] - alone).abs().max() / alone.abs().max() < 1e-6


def test_a_mixture_is_a_sum(transform):
    a, b = torch.randn(2, 1, 1, 20_000, generator=torch.Generator().manual_seed(3))
    both = transform(a + 0.3 * b)
    assert (both - transform(a) - 0.3 * transform(b)).abs().max() / both.abs().max() < 1e-5


def test_long_audio_in_blocks_equals_long_audio_at_once(geometry, transform):
    audio = torch.randn(1, 1, 200_000, generator=torch.Generator().manual_seed(4))
    at_once = HCQT(geometry, block_frames=200)(audio)
    assert at_once.shape[-1] > 2 * transform.step, "a beginning, a middle and an end"
    in_blocks = transform(audio)
    assert in_blocks.shape == at_once.shape
    # which parts of a kernel's spectrum are neglected hangs on the size of a block
    assert (in_blocks - at_once).abs().max() / at_once.abs().max() < LEAKAGE**0.5


@pytest.mark.parametrize("n_samples", [1, 1023, 1024, 44_100])
def test_any_length_has_its_frames(geometry, transform, n_samples):
    out = transform(torch.zeros(1, 1, n_samples))
    assert out.shape == (1, 6, geometry.n_bins, 1 + n_samples // geometry.hop_length)


def test_runs_in_full_precision_under_autocast(transform):
    audio = torch.randn(1, 1, 20_000, generator=torch.Generator().manual_seed(5))
    with torch.autocast("cpu", torch.bfloat16):
        inside = transform(audio)
    assert torch.equal(inside, transform(audio))


def test_distinct_bins_of_the_paper():
    kernels = make_kernels(GeometryConfig())
    assert len(kernels.taps) == 1383
    assert (kernels.index < 0).sum() == 117
    assert kernels.lengths.max() == 7873


def test_features_span_zero_to_one_and_ignore_level(transform):
    audio = torch.randn(2, 1, 20_000, generator=torch.Generator().manual_seed(6))
    features = scaled_decibels(transform(audio))
    assert features.min() >= 0
    assert torch.equal(features.flatten(1).amax(dim=1), torch.ones(2))
    quieter = scaled_decibels(transform(0.1 * audio))
    # what lies at the absolute floor does not scale
    torch.testing.assert_close(quieter, features, atol=1e-4, rtol=0)


def test_silence_is_all_zero(geometry, transform):
    features = scaled_decibels(transform(torch.zeros(1, 1, 5000)))
    assert not features.any()
    assert not energy_estimate(features, geometry.harmonics).any()


def test_energy_estimate_of_a_harmonic_tone_peaks_at_its_f0(geometry, transform):
    k = 70
    f0 = float(geometry.bin_frequencies[k])
    audio = sum(tone(h * f0, geometry) / h for h in range(1, 6))
    estimate = energy_estimate(scaled_decibels(transform(audio)), geometry.harmonics)
    assert int(estimate[0, :, 20].argmax()) == k
    assert float(estimate.max()) == 1.0


def test_rms_of_a_sine(geometry):
    rms = frame_rms(tone(1000.0, geometry), geometry.hop_length)[0]
    assert rms.shape == (1 + 2 * geometry.sample_rate // geometry.hop_length,)
    torch.testing.assert_close(rms[5:-5], torch.full_like(rms[5:-5], 0.5**0.5), rtol=0.01, atol=0)
