"""Salience from the signal alone."""

import dataclasses

import pytest
import torch

from ssmpe.signal import estimates
from ssmpe.signal.estimates import ESTIMATES, decomposition, harmonic_sum
from ssmpe.signal.features import DYNAMIC_RANGE, energy_estimate, scaled_decibels
from ssmpe.signal.hcqt import HCQT
from ssmpe.signal.salience import peaks
from tests.signal.test_hcqt import tone

FRAME = 20


def played(geometry, *bins: int, decay: float = 0.6) -> torch.Tensor:
    """Return features of notes with ten harmonics each."""
    f0s = geometry.bin_frequencies[list(bins)]
    parts = [decay ** (h - 1) * tone(h * f0, geometry) for f0 in f0s for h in range(1, 11)]
    return scaled_decibels(HCQT(geometry)(sum(parts)))


def strongest(values: torch.Tensor, n: int) -> set[int]:
    """Return the bins of the n highest peaks of one frame of values (1, F, T)."""
    frame = values[0, :, FRAME : FRAME + 1]
    heights = frame.where(peaks(frame, 0.0), -1.0)[:, 0]
    return set(heights.topk(n).indices.tolist())


def margin(values: torch.Tensor, bins: tuple[int, ...]) -> float:
    """Return by how many decibels the pitches at these bins are above all that is not near one."""
    frame = values[0, :, FRAME]
    others = frame.clone()
    for k in bins:
        others[k - 2 : k + 3] = 0.0
    return DYNAMIC_RANGE * float(frame[list(bins)].min() - others.max())


@pytest.mark.parametrize("decay", [0.5, 0.7])
def test_a_decomposition_leaves_harmonics_to_their_pitch(geometry, decay):
    """Notes a fifth and a tenth apart; e_X has peaks as high at their harmonics."""
    chord = 60, 60 + 14, 60 + 32
    features = played(geometry, *chord, decay=decay)
    found = decomposition(features, geometry)
    assert strongest(found, 3) == set(chord)
    assert margin(found, chord) > 20.0
    assert margin(ESTIMATES["energy"](features, geometry), chord) < 10.0


def test_an_octave_is_found_where_it_is_played_alone(geometry):
    for k in (60, 84):
        assert strongest(decomposition(played(geometry, k), geometry), 1) == {k}


def test_activations_come_to_explain_the_spectrum(geometry, monkeypatch):
    """Of a chord that is made of templates: the divergence falls, and falls faster relaxed."""
    templates = estimates._templates(geometry, "cpu")
    torch.testing.assert_close(templates.sum(dim=0), torch.ones(templates.shape[1]))
    chord = [60, 74, 92]
    columns = templates[:, chord].sum(dim=1, keepdim=True)

    def divergence(relaxation: float, iterations: int) -> float:
        monkeypatch.setattr(estimates, "RELAXATION", relaxation)
        monkeypatch.setattr(estimates, "ITERATIONS", iterations)
        found = estimates._activations(columns, templates)
        assert (found >= 0).all()
        of_pitches = found.view(-1, geometry.n_bins).sum(dim=0)
        assert iterations < 15 or sorted(of_pitches.topk(3).indices.tolist()) == chord
        explained = templates @ found
        return float((columns * (columns / explained).log() - columns + explained).sum())

    falling = [divergence(1.9, n) for n in (3, 15, 60)]
    assert falling[0] > 2 * falling[1] > 4 * falling[2] > 0
    assert divergence(1.9, 30) < divergence(1.0, 30) / 2


def test_frames_are_decomposed_apart(geometry, monkeypatch):
    features = torch.rand(2, 6, geometry.n_bins, 30, generator=torch.Generator().manual_seed(0))
    whole = decomposition(features, geometry)
    monkeypatch.setattr(estimates, "PIECE", 7)
    torch.testing.assert_close(decomposition(features, geometry), whole, rtol=1e-3, atol=1e-4)
    alone = decomposition(features[1:], geometry)
    torch.testing.assert_close(alone, whole[1:], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("harmonics", "fmin"), [((1.0,), 27.5), ((0.5, 1.0, 3.0), 27.5), ((1.0, 2.0, 4.0, 8.0), 8.0)]
)
def test_any_geometry_has_a_spectrum(geometry, harmonics, fmin):
    """Channels that go on where the one before ends make one spectrum, up to Nyquist."""
    own = dataclasses.replace(geometry, harmonics=harmonics, fmin=fmin)
    features = scaled_decibels(HCQT(own)(tone(float(own.bin_frequencies[80]), own)))
    assert int(decomposition(features, own)[0, :, FRAME].argmax()) == 80
    octaves = 3 if 8.0 in harmonics else 0
    assert len(estimates._templates(own, "cpu")) == own.n_bins + own.bins_per_octave * octaves


def test_pitches_above_nyquist_explain_nothing(geometry):
    own = dataclasses.replace(geometry, sample_rate=8000)
    above = torch.from_numpy(own.bin_frequencies >= 4000)
    assert above.any()
    found = decomposition(scaled_decibels(HCQT(own)(tone(880.0, own))), own)
    assert found.isfinite().all()
    assert not found[:, above].any()


@pytest.mark.parametrize("name", list(ESTIMATES))
def test_silence_has_no_pitch(geometry, name):
    silent = torch.zeros(1, geometry.n_harmonics, geometry.n_bins, 5)
    assert not ESTIMATES[name](silent, geometry).any()


def test_a_harmonic_sum_weighs_harmonics_by_their_inverse_number(geometry):
    """A subharmonic has no part in it."""
    own = dataclasses.replace(geometry, harmonics=(0.5, 1.0, 2.0, 3.0))
    features = torch.zeros(1, 4, 3, 1)
    features[0, :, 0] = torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    features[0, :, 1] = torch.tensor([[0.0], [0.0], [0.0], [1.0]])
    features[0, :, 2] = torch.tensor([[0.0], [1.0], [1.0], [1.0]])
    found = harmonic_sum(features, own)
    torch.testing.assert_close(found[0, :, 0], torch.tensor([0.0, (1 / 3) / (11 / 6), 1.0]))


def test_the_energy_estimate_is_that_of_the_objectives(geometry):
    features = played(geometry, 60)
    expected = energy_estimate(features, geometry.harmonics)
    assert torch.equal(ESTIMATES["energy"](features, geometry), expected)
