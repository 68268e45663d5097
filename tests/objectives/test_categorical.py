"""Distributions over pitch: what the losses in PESTO's manner want, and what they do not see."""

import math

import pytest
import torch
from torch.nn import functional as F

from ssmpe.objectives import REGISTRY, Batch
from ssmpe.objectives.base import Outputs
from ssmpe.objectives.categorical import (
    categorical,
    mean_frequency,
    shifted_cross_entropy,
    symmetric_cross_entropy,
    transposition,
)
from ssmpe.signal.transforms import Transposition

N, F_BINS, T = 4, 176, 6
SHIFTS = Transposition(torch.tensor([-11, 0, 3, 11]))
TERMS = ("categorical_invariance", "shift_cross_entropy", "transposition")


@pytest.fixture
def logits() -> torch.Tensor:
    """Two notes a frame, well inside the grid."""
    rng = torch.Generator().manual_seed(0)
    x = torch.full((N, F_BINS, T), -9.0)
    at = torch.randint(30, 140, (2, N, 1, T), generator=rng)
    return x.scatter(1, at[0], 4.0).scatter(1, at[1], 3.0)


def moved(logits: torch.Tensor, shift: Transposition = SHIFTS) -> torch.Tensor:
    return shift(logits + 9.0) - 9.0


def log_p(logits: torch.Tensor) -> torch.Tensor:
    return F.log_softmax(logits, dim=1)


def loss_of(name, geometry, logits, view_logits, rms=1.0):
    batch = Batch(torch.rand(N, 6, F_BINS, T), torch.zeros(0), rms=torch.full((N, T), rms))
    make_view = REGISTRY[name].make_view
    assert make_view is not None
    view = make_view(batch, geometry, torch.Generator().manual_seed(1))
    salience = logits.sigmoid()
    out = Outputs(logits, salience, salience, slice(0, N), view, view_logits)
    return REGISTRY[name].loss(batch, out, geometry), view


def test_the_mean_frequency_of_a_peak_is_its_own():
    peak = torch.full((1, F_BINS, 1), -50.0)
    peak[0, 48] = 50.0
    assert float(mean_frequency(log_p(peak), 24)) == pytest.approx(4.0)  # two octaves up


def test_an_output_that_follows_a_transposition_has_no_loss(geometry, logits):
    loss = transposition(log_p(logits), log_p(moved(logits)), SHIFTS, geometry)
    assert loss.shape == (N, T)
    assert loss.max() < 1e-5


def test_an_output_that_does_not_follow_has_the_loss_of_its_error(geometry, logits):
    for still in (logits, torch.zeros_like(logits)):
        loss = transposition(log_p(still), log_p(still), SHIFTS, geometry)
        delta = 2 ** (2 / 12) - 1
        for shift, frames in zip(SHIFTS.shift_bins.tolist(), loss, strict=True):
            errors = [abs(2 ** (k / 24) - 1) for k in (shift, -shift)]
            huber = [e * e / 2 if e <= delta else delta * (e - delta / 2) for e in errors]
            assert frames.tolist() == pytest.approx([sum(huber) / 2] * T, abs=1e-6)


@pytest.mark.parametrize("name", ["shift_cross_entropy", "transposition"])
def test_transpositions_reach_five_and_a_half_semitones(geometry, name):
    make_view = REGISTRY[name].make_view
    assert make_view is not None
    batch = Batch(torch.rand(500, 1, F_BINS, 1), torch.zeros(0))
    transform = make_view(batch, geometry, torch.Generator().manual_seed(1)).transform
    assert isinstance(transform, Transposition)
    shifts = transform.shift_bins
    assert (int(shifts.min()), int(shifts.max())) == (-11, 11)  # of two to a semitone


def test_errors_lead_back_to_the_transposition(geometry, logits):
    """The loss grows with the distance from the right shift, both ways."""
    before = log_p(logits[2:3])
    losses = [
        float(
            transposition(
                before,
                log_p(moved(logits[2:3], Transposition(torch.tensor([k])))),
                Transposition(torch.tensor([3])),
                geometry,
            ).mean()
        )
        for k in range(-3, 10)
    ]
    assert losses.index(min(losses)) == 6  # k = 3
    assert losses[:7] == sorted(losses[:7], reverse=True)
    assert losses[6:] == sorted(losses[6:])


def test_cross_entropies_are_least_for_equal_distributions(logits):
    p = log_p(logits)
    entropy = -(p.exp() * p).sum(dim=1)
    torch.testing.assert_close(symmetric_cross_entropy(p, p), entropy)
    torch.testing.assert_close(
        shifted_cross_entropy(p, log_p(moved(logits)), SHIFTS), entropy, atol=1e-3, rtol=0
    )
    other = log_p(moved(logits, Transposition(torch.tensor([1, 2, 3, 4]))))
    assert (symmetric_cross_entropy(p, other) > entropy + 1).all()
    assert shifted_cross_entropy(p, p, SHIFTS)[[0, 2, 3]].min() > entropy.max() + 1


def test_a_uniform_output_has_the_entropy_of_the_bins():
    uniform = log_p(torch.zeros(N, F_BINS, T))
    target = torch.rand(N, F_BINS, T)
    for loss, least in (
        (categorical(torch.zeros(N, F_BINS, T), target), math.log(F_BINS)),
        (symmetric_cross_entropy(uniform, uniform), math.log(F_BINS)),
        # of the eleven bins at most that leave the grid, nothing is asked
        (shifted_cross_entropy(uniform, uniform, SHIFTS), math.log(F_BINS) * 165 / 176),
    ):
        assert (loss <= math.log(F_BINS) + 1e-4).all()
        assert (loss >= least - 1e-4).all()


def test_the_target_is_normalised_and_silent_frames_do_not_count(logits):
    target = torch.zeros(N, F_BINS, T)
    target[:, 50, 1:] = 1.0
    target[:, 70, 1:] = 1.0
    loss = categorical(logits, target)
    assert (loss[:, 0] == 0).all()
    both = torch.full((N, F_BINS, T), -30.0)
    both[:, [50, 70]] = 5.0
    torch.testing.assert_close(
        categorical(both, target)[:, 1:], torch.full((N, T - 1), math.log(2))
    )
    assert (loss[:, 1:] > math.log(2)).all()


@pytest.mark.parametrize("name", TERMS)
class TestTerms:
    """What holds for every term that compares views."""

    def test_the_level_of_the_output_is_not_seen(self, name, geometry, logits):
        """Blank by a constant or not: same loss, and no pull either way."""
        alive = logits.clone().requires_grad_()
        view = (moved(logits) + 0.3 * torch.rand_like(logits)).requires_grad_()
        loss, _ = loss_of(name, geometry, alive, view)
        blank, _ = loss_of(name, geometry, alive - 20.0, view - 20.0)
        torch.testing.assert_close(blank, loss, atol=1e-4, rtol=1e-4)
        loss.sum().backward()
        for gradient in (alive.grad, view.grad):
            assert gradient is not None
            assert gradient.abs().max() > 1e-4
            assert gradient.sum(dim=1).abs().max() < 1e-4

    def test_silence_asks_for_nothing(self, name, geometry, logits):
        loss, _ = loss_of(name, geometry, logits, torch.zeros_like(logits), rms=0.001)
        assert not loss.any()

    def test_what_its_view_asks_for_is_its_minimum(self, name, geometry, logits):
        _, view = loss_of(name, geometry, logits, logits)
        right, _ = loss_of(name, geometry, logits, view.transform(logits + 9.0) - 9.0)
        wrong, _ = loss_of(name, geometry, logits, view.transform(logits.roll(5, 1) + 9.0) - 9.0)
        assert right.mean() < wrong.mean()
