"""Pseudo-labels by confidence: of saliences that are written down, against numbers worked out."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ssmpe.config import ObjectivesConfig
from ssmpe.config.objectives import PSEUDO_LABELS, PseudoLabelsConfig
from ssmpe.config.presets import tiny
from ssmpe.experiments import deltas
from ssmpe.objectives import REGISTRY, Batch, Step, TotalLoss
from ssmpe.objectives.targets import Targets
from tests.objectives.test_objectives import Network, generator
from tests.objectives.test_targets import N_LABELLED, N_UNLABELLED, invented

N_FRAMES = 10
N_PITCHES = 4
"""Annotated pitches of a frame."""


class Invented:
    """Two labelled excerpts with four pitches in every frame, and two others of given saliences."""

    def __init__(self, geometry, rule: str, **settings) -> None:
        self.geometry = geometry
        pseudo = PseudoLabelsConfig(rule=rule, **settings)
        config = ObjectivesConfig(weights={"timbre": 1.0}, pseudo_labels=pseudo)
        self.targets = Targets(config, geometry)
        self.annotation = torch.zeros(2, geometry.n_bins, N_FRAMES)
        self.annotation[:, 10 : 10 + N_PITCHES] = 1.0

    def labels(self, salience: Tensor) -> tuple[Tensor, Tensor]:
        """Return the labels of saliences (F,) or (F, T), the same in both excerpts: (F, T)."""
        one = salience if salience.ndim == 2 else salience[:, None].expand(-1, N_FRAMES)
        logits = torch.cat([torch.zeros_like(self.annotation), one.logit().expand(2, -1, -1)])
        features = torch.zeros(4, self.geometry.n_harmonics, self.geometry.n_bins, N_FRAMES)
        taught = self.targets.taught(Batch(features, self.annotation), logits, None)
        assert taught.unlabelled is not None
        assert taught.ignored is not None
        assert not taught.ignored[:2].any()
        return taught.unlabelled[0], taught.ignored[2]

    def filled(self, *values: float, rest: float) -> Tensor:
        """Return saliences (F,) that begin with these values."""
        return torch.tensor([*values, *[rest] * (self.geometry.n_bins - len(values))])


def test_thresholds_on_both_sides(geometry):
    invented = Invented(geometry, "threshold")
    target, ignored = invented.labels(
        invented.filled(0.96, 0.94, 0.6, 0.5, 0.4, 0.06, 0.04, rest=0.01)
    )
    assert target[:8, 0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert ignored[:8, 0].tolist() == [0, 1, 1, 1, 1, 1, 0, 0]
    assert not ignored[8:].any()


def test_another_confidence(geometry):
    invented = Invented(geometry, "threshold", confidence=0.7)
    _, ignored = invented.labels(invented.filled(0.71, 0.69, 0.31, 0.29, rest=0.5))
    assert ignored[:5, 0].tolist() == [0, 1, 1, 0, 1]


class TestMatched:
    """As many ones for each zero as annotations have: here four in a frame of 176 bins."""

    def weights(self, geometry, *values: float, rest: float) -> tuple[float, float]:
        """Return how much ones and zeros count."""
        invented = Invented(geometry, "matched")
        target, ignored = invented.labels(invented.filled(*values, rest=rest))
        certain = (1 - ignored)[target == 1], (1 - ignored)[target == 0]
        largest = [float(c.max()) if len(c) else 0.0 for c in certain]
        return largest[0], largest[1]

    def test_few_ones_make_zeros_count_less(self, geometry):
        """One in a frame beside 100 zeros, of which 44 may stay; the rest is unsure."""
        zeros = [0.01] * 100
        assert self.weights(geometry, 0.99, *zeros, rest=0.3) == pytest.approx((1.0, 0.44))

    def test_many_ones_count_less_themselves(self, geometry):
        """Ten in a frame beside 110 zeros, which 2.5 would fit."""
        assert self.weights(
            geometry, *[0.99] * 10, *[0.01] * 110, rest=0.3
        ) == pytest.approx((0.25, 1.0))  # fmt: skip

    def test_a_blank_output_asks_for_nothing(self, geometry):
        assert self.weights(geometry, rest=1e-4) == (0.0, 0.0)
        _, ignored = Invented(geometry, "threshold").labels(torch.full((geometry.n_bins,), 1e-4))
        assert not ignored.any(), "by the threshold alone, it asks for silence"


def confidence_statistics(batches: list[np.ndarray], memory: float, positive: bool):
    """Mean and variance of confidences, each batch weighing ``memory`` times the next one."""
    values, weights = [], []
    for age, salience in enumerate(reversed(batches)):
        own = salience[(salience > 0.5) == positive]
        values.append(np.maximum(own, 1 - own))
        weights.append(np.full(own.size, memory**age))
    v, w = np.concatenate(values), np.concatenate(weights)
    mean = np.average(v, weights=w)
    return mean, np.average((v - mean) ** 2, weights=w), v, w


@pytest.fixture
def drawn(geometry) -> list[Tensor]:
    """Return saliences (F, T) of two batches."""
    rng = torch.Generator().manual_seed(0)
    size = geometry.n_bins, N_FRAMES
    return [torch.rand(size, generator=rng, dtype=torch.float64) ** p for p in (3, 6)]


def test_weights_fall_with_the_distance_from_the_usual_confidence(geometry, drawn):
    invented = Invented(geometry, "soft", memory=0.5)
    invented.labels(drawn[0].float())
    invented.targets.follow()
    target, ignored = invented.labels(drawn[1].float())
    salience = [d.numpy() for d in drawn]
    confidence = np.maximum(salience[1], 1 - salience[1])
    for positive in (False, True):
        own = (salience[1] > 0.5) == positive
        assert (target.numpy()[own] == positive).all()
        mean, variance, _, _ = confidence_statistics(salience, 0.5, positive)
        below = np.minimum(confidence[own] - mean, 0)
        expected = np.exp(-(below**2) * 2**2 / (2 * variance))
        np.testing.assert_allclose(1 - ignored.numpy()[own], expected, atol=1e-5)
        assert 0.2 < (expected == 1).mean() < 0.9


def test_one_confidence_and_no_confidence_have_no_spread(geometry):
    """No guess of a pitch in a batch, and all the same ones of silence: they count in full."""
    _, ignored = Invented(geometry, "soft").labels(torch.full((geometry.n_bins,), 0.1))
    assert not ignored.any()


def test_thresholds_follow_confidence_and_rates(geometry, drawn):
    invented = Invented(geometry, "free", memory=0.5)
    invented.labels(drawn[0].float())
    invented.targets.follow()
    target, ignored = invented.labels(drawn[1].float())
    first, second = (d.numpy() for d in drawn)
    # the earlier of two batches of one size counts half as much
    usual = [np.maximum(d, 1 - d).mean() for d in (first, second)]
    confidence = (usual[0] + 2 * usual[1]) / 3
    rate = (first.mean() + 2 * second.mean()) / 3
    assert rate < 0.5
    of_ones, of_zeros = confidence * rate / (1 - rate), confidence
    assert of_ones < 0.5 < of_zeros
    assert (target.numpy() == (second > 0.5)).all()
    assert (ignored.numpy() == ((second <= 0.5) & (1 - second < of_zeros))).all()
    assert 0.1 < ignored.mean() < 0.9


class TestAligned:
    """Bins 10 to 13 are annotated in every frame, all others in none."""

    def test_an_output_of_one_level_gets_that_of_the_labels(self, geometry):
        """Of a bin that is active in a quarter of the frames, whose salience is 0.1 throughout."""
        invented = Invented(geometry, "aligned")
        invented.annotation[0, 20, : N_FRAMES // 2] = 1.0
        target, ignored = invented.labels(torch.full((geometry.n_bins,), 0.1))
        torch.testing.assert_close(target[20], torch.full((N_FRAMES,), 0.25))
        torch.testing.assert_close(target[30], torch.full((N_FRAMES,), 1e-3))
        torch.testing.assert_close(target[10], torch.full((N_FRAMES,), 1 - 1e-3))
        assert not ignored.any()

    def test_what_stands_out_does_so_still(self, geometry):
        """Odds are multiplied: those of labels, 1/3, by those of the output, 1/9 on average."""
        invented = Invented(geometry, "aligned")
        invented.annotation[0, 20, : N_FRAMES // 2] = 1.0
        salience = torch.full((geometry.n_bins, N_FRAMES), 0.5)
        salience[20] = 0.02
        salience[20, 3] = 0.82  # 0.1 on average
        target, _ = invented.labels(salience)
        odds = target[20] / (1 - target[20])
        torch.testing.assert_close(odds[3], torch.tensor(3 * 0.82 / 0.18), rtol=1e-4, atol=0)
        torch.testing.assert_close(odds[4], torch.tensor(3 * 0.02 / 0.98), rtol=1e-4, atol=0)

    def test_a_blank_output_is_lifted_no_further_than_its_rate_is_known(self, geometry):
        invented = Invented(geometry, "aligned")
        invented.annotation[0, 20, : N_FRAMES // 2] = 1.0
        target, _ = invented.labels(torch.full((geometry.n_bins,), 1e-6))
        odds = target[20, 0] / (1 - target[20, 0])
        assert float(odds) == pytest.approx(1e-6 * (1 / 3) * 999, rel=1e-3)


def test_debiased_labels_are_sure_where_an_output_is_surer_than_usual(geometry):
    """Without 0.4 of the logit of 0.1: 0.1 becomes 0.2111, and 0.8 in a bin of mean 0.1, 0.9060."""
    salience = torch.full((geometry.n_bins, N_FRAMES), 0.1)
    salience[5] = 0.2 / (N_FRAMES - 1)
    salience[5, 0] = 0.8
    for confidence, sure in ((0.78, True), (0.79, False)):
        _, ignored = Invented(geometry, "debiased", confidence=confidence).labels(salience)
        assert bool(ignored[8, 0]) != sure
    for confidence, sure in ((0.90, True), (0.91, False)):
        target, ignored = Invented(geometry, "debiased", confidence=confidence).labels(salience)
        assert target[5, 0] == 1
        assert bool(ignored[5, 0]) != sure
        _, plain = Invented(geometry, "threshold", confidence=confidence).labels(salience)
        assert plain[5, 0] == 1


@pytest.mark.parametrize("rule", PSEUDO_LABELS)
class TestRules:
    """What holds of all of them."""

    def loss(self, geometry, rule: str, fused: bool | None = None) -> TotalLoss:
        pseudo = PseudoLabelsConfig(ones=0.7, rule=rule, memory=0.5)
        config = ObjectivesConfig(
            weights={"supervised": 1.0, "timbre": 1.0}, teacher_decay=0.9, pseudo_labels=pseudo
        )
        return TotalLoss(config, geometry, REGISTRY, fused)

    def step(self, geometry, seed: int) -> Step:
        teacher = Network(-3.0)
        with torch.no_grad():
            teacher.weights.mul_(8.0)  # sure of some of its bins
        return Step(Network(-1.0), invented(geometry, seed), generator, teacher)

    def test_they_are_a_function_of_the_batch_and_of_those_trained_on(self, rule, geometry):
        losses = [self.loss(geometry, rule, fused) for fused in (True, False)]
        for loss in losses:
            for seed in range(2):
                loss.terms_of(self.step(geometry, 5))  # looked at, and not remembered
                loss.backward(self.step(geometry, seed))
        resumed = self.loss(geometry, rule)
        resumed.load_state_dict(losses[0].state_dict())
        step = self.step(geometry, 2)
        first, *others = (loss.terms_of(step)[1].out for loss in (*losses, resumed))
        for other in others:
            assert torch.equal(first.targets, other.targets)
            assert first.ignored is not None
            assert other.ignored is not None
            assert torch.equal(first.ignored, other.ignored)

    def test_they_are_within_bounds_and_without_gradient(self, rule, geometry):
        out = self.loss(geometry, rule).terms_of(self.step(geometry, 0))[1].out
        labels = out.targets[N_LABELLED:]
        assert out.ignored is not None
        for values in (labels, out.ignored):
            assert values.min() >= 0
            assert values.max() <= 1
            assert not values.requires_grad
        assert len(labels) == N_UNLABELLED
        assert (1 - out.ignored[N_LABELLED:]).mean() > 0, "something is asked"

    def test_a_batch_without_unlabelled_excerpts_is_trained_on(self, rule, geometry):
        loss, batch = self.loss(geometry, rule), invented(geometry)
        closed = Batch(batch.features[:N_LABELLED], batch.target)
        values = loss.backward(Step(Network(), closed, generator, Network()))
        assert torch.isfinite(values["total"])

    def test_rows_are_deltas(self, rule, geometry):
        base = tiny()
        delta = deltas.rank(base) if rule == "rank" else deltas.pseudo_labels(base, rule)
        config = base.replace(delta.changes).objectives
        assert delta.name == f"+{rule}"
        assert config.pseudo_labels.rule == rule
        assert config.pseudo_labels.on
        assert config.teacher_decay is not None
