"""What views are taught beside the output itself: the truth, and pseudo-labels by rank."""

import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch import Tensor

from ssmpe.config import ModelConfig, ObjectivesConfig
from ssmpe.config.objectives import CONSISTENCIES, PseudoLabelsConfig
from ssmpe.network.model import Autoencoder
from ssmpe.objectives import REGISTRY, Batch, Step, TotalLoss
from ssmpe.objectives.base import bce
from ssmpe.objectives.invariance import compared
from ssmpe.objectives.pseudo import by_rank
from ssmpe.signal.estimates import ESTIMATES
from ssmpe.signal.salience import BLUR_SEMITONES, blurred, blurred_target
from tests.objectives.test_objectives import Network, generator

N_LABELLED, N_UNLABELLED, N_FRAMES = 2, 3, 12
VIEWS = ("timbre", "percussion", "geometric", "additivity", "feature_dropout", "reverberation")


def invented(geometry, seed: int = 0, pitches: int = 2) -> Batch:
    """Make a batch with so many annotated pitches in a frame: by turns one fewer and one more."""
    rng = torch.Generator().manual_seed(seed)
    n, size = N_LABELLED + N_UNLABELLED, (geometry.n_bins, N_FRAMES)
    features, percussive, mixture = (
        torch.rand(n, geometry.n_harmonics, *size, generator=rng) for _ in range(3)
    )
    places = torch.rand(N_LABELLED, -(-geometry.n_bins // 4), N_FRAMES, generator=rng)
    active = torch.zeros(N_LABELLED, *size)
    counts = pitches - 1 + 2 * (torch.arange(N_FRAMES) % 2)
    active[:, ::4] = (places.argsort(dim=1).argsort(dim=1) < counts).float()
    rms, sets = torch.ones(n, N_FRAMES), ("labelled",) * N_LABELLED + ("added",) * N_UNLABELLED
    return Batch(features, blurred(active, geometry), percussive, rms, sets, mixture)


def labelled_of(batch: Batch) -> Batch:
    """Return the labelled excerpts of a batch."""
    every = {f.name: getattr(batch, f.name) for f in fields(Batch) if f.name != "strength"}
    return Batch(**{name: of_all[:N_LABELLED] for name, of_all in every.items()})


@pytest.fixture
def batch(geometry):
    return invented(geometry)


def ranked(ones: float = 0.7, doubtful: float = 2.0, **signal) -> PseudoLabelsConfig:
    return PseudoLabelsConfig(ones, doubtful, **signal)


def term_of(geometry, batch: Batch, name: str, network=None, **settings):
    """Return the term of one objective."""
    loss = TotalLoss(ObjectivesConfig(weights={name: 1.0}, **settings), geometry, REGISTRY)
    (term,) = loss.terms_of(Step(network or Network(-1.0), batch, generator))
    return term


def whole(value: int) -> Tensor:
    return torch.tensor(value)


def test_marks_are_drawn_as_pitches_are(geometry):
    """Every bin of a pitch, in frames of none, one and many; away from the edges."""
    rng = np.random.default_rng(0)
    for bins_per_octave in (24, 36, 60):
        g = type(geometry)(n_bins=176, bins_per_octave=bins_per_octave)
        bins = [rng.choice(np.arange(10, 160, 10), n, replace=False) for n in (0, 1, 1, 5, 9)]
        active = torch.zeros(1, g.n_bins, len(bins))
        for t, marked in enumerate(bins):
            active[0, marked, t] = 1.0
        expected = blurred_target([g.bin_frequencies[b] for b in bins], g)
        torch.testing.assert_close(blurred(active, g)[0], torch.from_numpy(expected))


class TestRank:
    """Of a frame with peaks of heights 5, 4, 3, 2, 1, -9 in bins 10, 20, ..., 60."""

    @pytest.fixture
    def strength(self, geometry):
        strength = torch.full((1, geometry.n_bins, 1), -20.0)
        for i, height in enumerate((5.0, 4.0, 3.0, 2.0, 1.0, -9.0)):
            strength[0, 10 * i + 10] = height
            strength[0, 10 * i + 11] = height - 0.5
        return strength

    def test_the_strongest_are_ones_and_the_weakest_zeros(self, geometry, strength):
        target, ignored = by_rank(strength, whole(2), whole(4), geometry)
        assert (target == 1.0).nonzero()[:, 1].tolist() == [10, 20]
        # 11 is beside a one, and decided; of 31 and 41 nothing is asked, nor of maxima 3 and 4
        assert ignored.nonzero()[:, 1].tolist() == [30, 31, 40]
        assert target[0, [50, 51, 60, 61, 100]].eq(0).all()

    def test_bins_beside_a_one_are_asked_for_what_an_annotation_asks(self, geometry, strength):
        target, ignored = by_rank(strength, whole(1), whole(4), geometry)
        annotated = blurred_target([geometry.bin_frequencies[[10]]], geometry)
        torch.testing.assert_close(target[0], torch.from_numpy(annotated))
        assert not ignored[0, 9:12].any()

    def test_how_far_a_one_decides_depends_on_the_bins_of_a_semitone(self, geometry):
        """Two deviations of the blur: of slopes of eight bins on either side, the rest is open."""
        g = type(geometry)(n_bins=176, bins_per_octave=60)
        slope = 5.0 - 0.5 * (torch.arange(g.n_bins) - 50).abs()
        strength = torch.where(slope >= 1.0, slope, -20.0)[None, :, None]
        strength[0, 100] = 0.5
        _, ignored = by_rank(strength, whole(1), whole(2), g)
        flank = math.ceil(2 * BLUR_SEMITONES * 5)
        assert 1 < flank < 8
        expected = [i for i in range(42, 59) if abs(i - 50) > flank]
        assert ignored.nonzero()[:, 1].tolist() == [*expected, 100]

    def test_edges_have_maxima_whatever_the_level(self, geometry, strength):
        strength[0, 0] = strength[0, -1] = -5.0
        target, _ = by_rank(strength, whole(7), whole(9), geometry)
        last = geometry.n_bins - 1
        assert (target == 1.0).nonzero()[:, 1].tolist() == [0, 10, 20, 30, 40, 50, last]

    @pytest.mark.parametrize("change", [lambda x: x - 30.0, lambda x: 0.01 * x, torch.exp])
    def test_the_level_changes_nothing(self, geometry, strength, change):
        strength = strength + torch.linspace(0, 0.1, geometry.n_bins)[:, None]
        for ours, theirs in zip(
            by_rank(strength, whole(2), whole(4), geometry),
            by_rank(change(strength.double()), whole(2), whole(4), geometry),
            strict=True,
        ):
            assert torch.equal(ours.float(), theirs.float())

    def test_none_and_more_than_there_are(self, geometry, strength):
        target, ignored = by_rank(strength, whole(0), whole(0), geometry)
        assert not target.any()
        assert not ignored.any()
        target, ignored = by_rank(strength, whole(10**6), whole(10**6), geometry)
        assert (target == 1.0).nonzero()[:, 1].tolist() == [10, 20, 30, 40, 50, 60]
        assert ignored.any()

    def test_excerpts_are_ranked_together(self, geometry, strength):
        both = torch.cat([strength, strength - 2.5])  # 5, 4, 3, 2.5, 2, ...
        target, _ = by_rank(both, whole(4), whole(9), geometry)
        assert (target == 1.0).nonzero()[:, :2].tolist() == [[0, 10], [0, 20], [0, 30], [1, 10]]


@pytest.mark.parametrize("name", VIEWS)
class TestTruth:
    """With annotations as targets of labelled excerpts."""

    def test_views_of_labelled_excerpts_are_taught_the_annotation(self, name, geometry, batch):
        out = term_of(geometry, batch, name, labelled_targets="truth").out
        assert torch.equal(out.targets[:N_LABELLED], batch.target)
        assert torch.equal(out.targets[N_LABELLED:], out.salience[N_LABELLED:])
        assert out.ignored is None

    def test_it_is_changed_with_the_view(self, name, geometry, batch):
        closed = labelled_of(batch)
        term = term_of(geometry, closed, name, labelled_targets="truth")
        view, logits = term.out.view, term.out.view_logits
        assert view is not None
        assert logits is not None
        torch.testing.assert_close(term.frames, bce(logits, view.transform(closed.target)))

    def test_nothing_else_sends_a_gradient(self, name, geometry, batch):
        """Where all is labelled, the output for the originals is of no account."""
        closed = labelled_of(batch)
        term = term_of(geometry, closed, name, labelled_targets="truth")
        (arriving,) = torch.autograd.grad(term.value, term.out.logits, materialize_grads=True)
        assert not arriving.any()


@pytest.mark.parametrize("name", VIEWS)
class TestPseudoLabels:
    """With pseudo-labels as targets of unlabelled excerpts."""

    def test_only_unlabelled_excerpts_have_them(self, name, geometry, batch):
        out = term_of(geometry, batch, name, pseudo_labels=ranked()).out
        assert torch.equal(out.targets[:N_LABELLED], out.salience[:N_LABELLED])
        assert out.ignored is not None
        assert not out.ignored[:N_LABELLED].any()
        expected = 2 * N_UNLABELLED * N_FRAMES  # two pitches a frame
        ones, doubtful = whole(int(0.7 * expected)), whole(2 * expected)
        target, ignored = by_rank(out.logits.detach()[N_LABELLED:], ones, doubtful, geometry)
        assert torch.equal(out.targets[N_LABELLED:], target)
        assert torch.equal(out.ignored[N_LABELLED:], ignored)

    def test_what_is_ignored_has_no_loss_and_no_gradient(self, name, geometry, batch):
        term = term_of(geometry, batch, name, labelled_targets="truth", pseudo_labels=ranked())
        out = term.out
        assert out.view is not None
        assert out.view_logits is not None
        assert out.ignored is not None
        ignored = out.view.transform(out.ignored)
        (arriving,) = torch.autograd.grad(term.value, out.view_logits)
        assert ignored.gt(0).any()
        assert not arriving[ignored == 1].any()
        assert arriving[ignored == 0].all()

    @pytest.mark.parametrize("consistency", CONSISTENCIES)
    def test_comparisons_of_all_kinds_know_of_it(self, name, consistency, geometry, batch):
        settings = {"labelled_targets": "truth", "pseudo_labels": ranked()}
        term = term_of(geometry, batch, name, consistency=consistency, **settings)
        out = term.out
        assert out.view is not None
        assert out.view_logits is not None
        target, ignored = out.view.transform(out.targets), out.view.transform(out.ignored)
        one_by_one = [  # a bin each is a frame of one bin
            compared(x.flatten()[None, None], y.flatten()[None, None], consistency)[0]
            for x, y in zip(out.view_logits, target, strict=True)
        ]
        losses = torch.stack(one_by_one).reshape(target.shape) * (1 - ignored)
        torch.testing.assert_close(term.frames, losses.sum(dim=-2), atol=1e-4, rtol=1e-5)


def test_where_all_is_labelled_pseudo_labels_change_nothing(geometry, batch):
    """The truth, or else what the teacher says."""
    closed, teacher = labelled_of(batch), Network(1.0)
    for truth in ("salience", "truth"):
        config = ObjectivesConfig(
            weights={"timbre": 1.0},
            labelled_targets=truth,
            pseudo_labels=ranked(),
            teacher_decay=0.9,
        )
        loss = TotalLoss(config, geometry, REGISTRY)
        (term,) = loss.terms_of(Step(Network(-1.0), closed, generator, teacher))
        said = torch.sigmoid(teacher(closed.features)).detach()
        assert torch.equal(term.out.targets, closed.target if truth == "truth" else said)
        assert term.out.ignored is None


def test_a_teacher_is_who_ranks(geometry, batch):
    config = ObjectivesConfig(weights={"timbre": 1.0}, pseudo_labels=ranked(), teacher_decay=0.9)
    loss = TotalLoss(config, geometry, REGISTRY)
    student, teacher = Network(-1.0), Network(3.0)
    with torch.no_grad():
        teacher.weights.neg_()
    (term,) = loss.terms_of(Step(student, batch, generator, teacher))
    best = teacher(batch.features)[N_LABELLED:].flatten().argmax()
    assert float(term.out.targets[N_LABELLED:].flatten()[best]) == 1.0
    (other,) = loss.terms_of(Step(student, batch, generator, student))
    assert not torch.equal(term.out.targets, other.out.targets)


@pytest.mark.parametrize(
    ("estimate", "weight"), [("energy", 40.0), ("harmonic_sum", 10.0), ("decomposition", 10.0)]
)
def test_the_signal_joins_the_ranking(geometry, batch, estimate, weight):
    """With a weight beyond all logits it ranks alone; with none it is not asked."""
    values = ESTIMATES[estimate](batch.features[N_LABELLED:], geometry)
    expected = 2 * N_UNLABELLED * N_FRAMES
    numbers = whole(int(0.7 * expected)), whole(2 * expected)
    alone, _ = by_rank(values, *numbers, geometry)
    network = Network(-1.0)
    beyond, beside = (ranked(signal=w, estimate=estimate) for w in (1e6, weight))
    found = term_of(geometry, batch, "timbre", network, pseudo_labels=beyond).out
    assert (found.targets[N_LABELLED:] != alone).float().mean() < 1e-3  # rounding
    found = term_of(geometry, batch, "timbre", network, pseudo_labels=beside).out
    logits = network(batch.features)[N_LABELLED:].detach()
    both, _ = by_rank(logits + weight * (values - 0.8), *numbers, geometry)
    assert (found.targets[N_LABELLED:] != both).float().mean() < 1e-3
    assert (found.targets[N_LABELLED:] != alone).float().mean() > 1e-2


class TestMemory:
    """Moving average of the labelled pitches per frame."""

    def trained(self, geometry, pitches: list[int], fused: bool | None = None) -> TotalLoss:
        halved = PseudoLabelsConfig(1.0, 2.0, memory=0.5)
        config = ObjectivesConfig(weights={"timbre": 1.0}, pseudo_labels=halved)
        loss = TotalLoss(config, geometry, REGISTRY, fused)
        for seed, n in enumerate(pitches):
            loss.backward(Step(Network(), invented(geometry, seed, n), generator))
        return loss

    def n_ones(self, loss: TotalLoss, batch: Batch) -> int:
        (term,) = loss.terms_of(Step(Network(), batch, generator))
        return int((term.out.targets[N_LABELLED:] == 1.0).sum())

    @pytest.mark.parametrize("fused", [True, False])
    def test_batches_count_the_less_the_longer_ago(self, geometry, fused):
        loss, frames = self.trained(geometry, [1, 4], fused), N_UNLABELLED * N_FRAMES
        expected = (1 / 4 * 1 + 1 / 2 * 4 + 1 * 2) / (1 / 4 + 1 / 2 + 1)
        batch = invented(geometry, 9, 2)
        assert self.n_ones(loss, batch) == math.floor(expected * frames)
        # looked at without being trained on, it is not remembered
        assert self.n_ones(loss, batch) == math.floor(expected * frames)
        assert self.n_ones(self.trained(geometry, []), batch) == 2 * frames

    def test_it_is_handed_on(self, geometry):
        first, second = self.trained(geometry, [1, 4]), self.trained(geometry, [])
        second.load_state_dict(first.state_dict())
        batch = invented(geometry, 9, 2)
        assert self.n_ones(second, batch) == self.n_ones(first, batch)

    def test_there_is_none_where_nothing_needs_it(self, geometry, batch):
        loss = TotalLoss(ObjectivesConfig(weights={"timbre": 1.0}), geometry, REGISTRY)
        loss.backward(Step(Network(), batch, generator))
        assert loss.state_dict() == {}
        loss.load_state_dict({})

    @pytest.mark.parametrize("state", [{}, {"pitches_per_frame": torch.zeros(3)}])
    def test_what_does_not_fit_is_refused(self, geometry, state):
        with pytest.raises((LookupError, ValueError)):
            self.trained(geometry, []).load_state_dict(state)


def test_a_blank_network_is_asked_for_pitches(geometry, batch):
    """Unlike by a view that is compared with the output, which is blank as well."""
    network = Autoencoder(geometry, ModelConfig(complexity=1, output_bias=-9.0)).channels_last()
    asked = term_of(geometry, batch, "timbre", network, pseudo_labels=ranked()).out.targets
    assert float(asked[:N_LABELLED].amax()) < 0.01
    per_frame = asked[N_LABELLED:].ge(1.0).sum() / (N_UNLABELLED * N_FRAMES)
    assert float(per_frame) == pytest.approx(1.4, abs=0.1)
