import dataclasses
import math

import pytest
import torch

from ssmpe.config import OBJECTIVES, ObjectivesConfig
from ssmpe.errors import UserError
from ssmpe.objectives import REGISTRY, Batch, Step, TotalLoss
from ssmpe.objectives.additivity import union
from ssmpe.objectives.base import bce, bce_negative, bce_positive
from ssmpe.objectives.content import TEMPERATURE, content, contrastive
from ssmpe.seeding import torch_generator
from ssmpe.signal.features import energy_estimate, first_harmonic
from ssmpe.signal.salience import BLUR_SEMITONES
from ssmpe.signal.transforms import GeometricTransform

N_LABELLED, N_UNLABELLED, N_FRAMES = 2, 3, 12
BLANK = -20.0
ON_LABELLED = ("supervised", "categorical")


@pytest.fixture(scope="module")
def batch(geometry):
    rng = torch.Generator().manual_seed(0)
    n, size = N_LABELLED + N_UNLABELLED, (geometry.n_bins, N_FRAMES)
    return Batch(
        features=torch.rand(n, geometry.n_harmonics, *size, generator=rng),
        target=(torch.rand(N_LABELLED, *size, generator=rng) > 0.95).float(),
        percussive=torch.rand(n, geometry.n_harmonics, *size, generator=rng),
        rms=torch.ones(n, N_FRAMES),
        mixture=torch.rand(n, geometry.n_harmonics, *size, generator=rng),
        sets=("labelled",) * N_LABELLED + ("added",) * N_UNLABELLED,
    )


class Network(torch.nn.Module):
    """A small map from features to logits that has something to learn."""

    def __init__(self, bias: float = 0.0):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.tensor(bias))
        self.weights = torch.nn.Parameter(torch.linspace(-1, 1, 6))

    def forward(self, features):
        return torch.einsum("bhft,h->bft", features, self.weights) + self.bias


def generator(name: str) -> torch.Generator:
    return torch_generator("test", name)


def loss_of(name, geometry, **settings) -> TotalLoss:
    return TotalLoss(ObjectivesConfig(weights={name: 1.0}, **settings), geometry, REGISTRY)


@pytest.mark.parametrize("name", ["timbre", "geometric", "feature_dropout", "reverberation"])
def test_views_without_strength_are_the_originals(name, geometry, batch):
    make_view = REGISTRY[name].make_view
    assert make_view is not None
    weak, usual = (
        make_view(dataclasses.replace(batch, strength=strength), geometry, generator(name))
        for strength in (0.0, 1.0)
    )
    torch.testing.assert_close(weak.features, batch.features)
    channel = batch.features[:, 0]
    torch.testing.assert_close(weak.transform(channel), channel)
    assert not torch.allclose(usual.features, batch.features)


def test_the_registry_implements_exactly_the_configured_names():
    assert tuple(REGISTRY) == OBJECTIVES
    assert all(objective.name == name for name, objective in REGISTRY.items())


@pytest.mark.parametrize("name", OBJECTIVES)
class TestContract:
    """What holds for every objective."""

    def test_a_finite_scalar_with_a_gradient(self, name, geometry, batch):
        network = Network()
        total, values = loss_of(name, geometry)(Step(network, batch, generator))
        assert total.shape == ()
        assert torch.isfinite(total)
        assert float(total.detach()) >= 0
        assert float(values[name]) == float(total.detach())
        assert not values[name].requires_grad
        total.backward()
        assert network.weights.grad is not None
        assert network.weights.grad.abs().sum() > 0

    def test_a_loss_for_every_frame_it_sees(self, name, geometry, batch):
        seen = []

        def loss(*given):
            seen.append(REGISTRY[name].loss(*given))
            return seen[-1]

        config = ObjectivesConfig(weights={name: 1.0})
        registry = {name: dataclasses.replace(REGISTRY[name], loss=loss)}
        total, _ = TotalLoss(config, geometry, registry)(Step(Network(), batch, generator))
        n = N_LABELLED if name in ON_LABELLED else N_LABELLED + N_UNLABELLED
        n -= N_LABELLED if REGISTRY[name].on_content else 0
        assert seen[0].shape == (n, N_FRAMES)
        torch.testing.assert_close(total, seen[0].mean())

    def test_the_weight_scales_it(self, name, geometry, batch):
        config = ObjectivesConfig(weights={name: 2.5})
        total, values = TotalLoss(config, geometry, REGISTRY)(Step(Network(), batch, generator))
        assert float(total) == pytest.approx(2.5 * float(values[name]), rel=1e-5)

    def test_views_together_or_one_after_the_other_are_the_same(self, name, geometry, batch):
        config = ObjectivesConfig(weights={name: 1.0})
        fused = TotalLoss(config, geometry, REGISTRY, fused=True)(Step(Network(), batch, generator))
        single = TotalLoss(config, geometry, REGISTRY, fused=False)(
            Step(Network(), batch, generator)
        )
        assert float(fused[0]) == pytest.approx(float(single[0]), rel=1e-6)

    def test_it_does_not_depend_on_other_objectives(self, name, geometry, batch):
        everything = ObjectivesConfig(weights=dict.fromkeys(OBJECTIVES, 1.0))
        _, among = TotalLoss(everything, geometry, REGISTRY)(Step(Network(), batch, generator))
        _, alone = loss_of(name, geometry)(Step(Network(), batch, generator))
        assert float(among[name]) == pytest.approx(float(alone[name]), rel=1e-6)

    def test_averages_over_time_and_excerpts(self, name, geometry, batch):
        """Twice the same batch has the same loss, but for what tells or draws excerpts apart."""
        if name in ("contrastive", "adversarial") or (
            REGISTRY[name].make_view and name != "percussion"
        ):
            pytest.skip("differs between excerpts by its nature")
        unlabelled = slice(N_LABELLED, None)

        def doubled(x):
            return torch.cat([x, x[unlabelled]])

        twice = Batch(
            doubled(batch.features), batch.target, doubled(batch.percussive), doubled(batch.rms)
        )
        once, _ = loss_of(name, geometry)(Step(Network(), batch, generator))
        again, _ = loss_of(name, geometry)(Step(Network(), twice, generator))
        if name == "percussion":
            assert float(again) == pytest.approx(float(once), rel=0.2)
        else:
            assert float(again) == pytest.approx(float(once), rel=1e-5)


@pytest.mark.parametrize(
    "name",
    ["timbre", "percussion", "geometric", "additivity", "feature_dropout", "reverberation"],
)
class TestPullToBlank:
    """The mechanism of the collapse, and what takes it away."""

    def test_a_blank_output_satisfies_consistency(self, name, geometry, batch):
        blank = Network(BLANK)
        alive = Network(0.0)
        nothing, _ = loss_of(name, geometry)(Step(blank, batch, generator))
        something, _ = loss_of(name, geometry)(Step(alive, batch, generator))
        assert float(nothing) < 1e-4 * float(something)

    def test_gradients_through_the_target_pull_down(self, name, geometry, batch):
        """Below a salience of a half, the target's own gradient asks for less salience."""
        pulls = {}
        for stop in (False, True):
            network = Network(-2.0)
            total, _ = loss_of(name, geometry, stop_gradient=stop)(Step(network, batch, generator))
            total.backward()
            assert network.bias.grad is not None
            pulls[stop] = float(network.bias.grad)
        assert pulls[False] > pulls[True]


def test_supervised_sees_labelled_excerpts_only(geometry, batch):
    changed = batch.features.clone()
    changed[N_LABELLED:] = 0
    other = Batch(changed, batch.target)
    first, _ = loss_of("supervised", geometry)(Step(Network(), batch, generator))
    second, _ = loss_of("supervised", geometry)(Step(Network(), other, generator))
    assert float(first) == float(second)


@pytest.mark.parametrize("name", [n for n in OBJECTIVES if REGISTRY[n].on_content])
def test_content_terms_see_the_unlabelled_excerpts_unless_told_otherwise(name, geometry, batch):
    changed = batch.features.clone()
    changed[:N_LABELLED] *= 0.5
    other = Batch(changed, batch.target, rms=batch.rms)
    only_first = batch.features.clone()
    only_first[0] *= 0.5
    every = loss_of(name, geometry, content_on="all")
    values = [
        float(every(Step(Network(), Batch(x, batch.target, rms=batch.rms), generator))[0])
        for x in (batch.features, only_first)
    ]
    assert values[0] != values[1]
    for where, same in (("unlabelled", True), ("all", False)):
        first, _ = loss_of(name, geometry, content_on=where)(Step(Network(), batch, generator))
        second, _ = loss_of(name, geometry, content_on=where)(Step(Network(), other, generator))
        assert (float(first) == float(second)) is same


def test_the_plane_moves_by_an_octave_and_a_quarter_of_the_excerpt(geometry):
    make_view = REGISTRY["geometric"].make_view
    assert make_view is not None
    batch = Batch(torch.zeros(500, 1, geometry.n_bins, 20), torch.zeros(0))
    transform = make_view(batch, geometry, generator("geometric")).transform
    assert isinstance(transform, GeometricTransform)
    bins, frames = transform.shift_bins, transform.shift_frames
    assert (int(bins.min()), int(bins.max())) == (-24, 24)
    assert (int(frames.min()), int(frames.max())) == (-5, 5)


def test_terms_on_energy_are_those_of_the_paper(geometry, batch):
    """Section 2.3.2, written out: e the energy estimate, x the first harmonic, p the salience."""
    features = batch.features[N_LABELLED:]
    p = torch.sigmoid(Network()(features).detach())
    e, x = energy_estimate(features, geometry.harmonics), first_harmonic(features, geometry)
    expected = {
        "energy": -e * p.log() - (1 - e) * (1 - p).log(),
        "sparsity": p,
        "support": -(1 - x) * (1 - p).log(),
        "harmonic": -e * p.log(),
    }
    for name, terms in expected.items():
        found, _ = loss_of(name, geometry)(Step(Network(), batch, generator))
        assert float(found) == pytest.approx(float(terms.sum(dim=1).mean()), rel=1e-4), name


def test_content_terms_are_left_out_where_nothing_is_unlabelled(geometry, batch):
    closed = Batch(batch.features[:N_LABELLED], batch.target)
    config = ObjectivesConfig(weights={"supervised": 1.0, "energy": 1.0})
    _, values = TotalLoss(config, geometry, REGISTRY)(Step(Network(), closed, generator))
    assert list(values) == ["supervised"]


def test_the_halves_of_the_cross_entropy_add_up():
    logits = torch.randn(2, 30, 5)
    target = torch.rand(2, 30, 5)
    whole = bce(logits, target)
    halves = bce_positive(logits, target) + bce_negative(logits, target)
    torch.testing.assert_close(whole, halves)


def test_content_is_a_gaussian_of_height_one_at_the_strongest_bin(geometry):
    """Written out, in a frame whose strongest bin is 50, and one whose is the first."""
    logits = torch.linspace(-1.0, 0.0, geometry.n_bins).repeat(2, 1).T[None].contiguous()
    logits[0, 50, 0] = logits[0, 0, 1] = 3.0
    sigma = BLUR_SEMITONES * geometry.bins_per_semitone
    for frame, strongest in enumerate((50, 0)):
        expected = sum(
            math.exp(-0.5 * ((i - strongest) / sigma) ** 2) * math.log1p(math.exp(-logit))
            for i, logit in enumerate(logits[0, :, frame].tolist())
        )
        assert float(content(logits, geometry)[0, frame]) == pytest.approx(expected, rel=1e-5)


def test_excerpts_are_told_apart_by_the_direction_of_their_frames():
    """Written out for one that is unlike two others, whatever their levels, in either frame."""
    salience = torch.zeros(3, 4, 2)
    salience[0, 0], salience[1, 1], salience[2, 1] = 0.9, 0.2, 0.6
    salience[2, :, 1] = torch.tensor([0.0, 0.0, 0.3, 0.0])
    apart, near = math.exp(-1.0 / TEMPERATURE), 1.0
    alone, paired = math.log(1 + 2 * apart), math.log(1 + near + apart)
    expected = torch.tensor([[alone, alone], [paired, alone], [paired, alone]])
    torch.testing.assert_close(contrastive(salience), expected, rtol=1e-3, atol=1e-6)


def test_silent_frames_ask_for_no_content(geometry, batch):
    silent = Batch(batch.features, batch.target, rms=torch.zeros_like(batch.rms))
    total, _ = loss_of("content", geometry)(Step(Network(), silent, generator))
    assert float(total) == 0


def test_a_mixture_is_asked_for_what_is_in_either_part():
    logits = torch.full((3, 10, 4), BLANK)
    logits[0, 2], logits[1, 5], logits[2, 7] = 20.0, 20.0, -0.85
    target = union(logits.sigmoid())
    assert target[0, [2, 5]].min() > 0.99  # both notes of the first two
    assert target[1, 7].max() == pytest.approx(torch.tensor(-0.85).sigmoid().item())
    assert target[2, [2, 7]].amax(dim=1).min() > 0.29  # the last is mixed with the first
    assert target[:, 0].max() < 1e-6


def test_harmonics_are_dropped(geometry, batch):
    """Whole harmonics, never all of an excerpt's; the rest is as it was."""
    features = batch.features
    make_view = REGISTRY["feature_dropout"].make_view
    assert make_view is not None
    view = make_view(batch, geometry, generator("dropout"))
    stays = view.features.flatten(2).amax(dim=2) > 0
    assert torch.equal(view.features[stays], features[stays])
    assert not view.features[~stays].any()
    assert stays.any(dim=1).all()
    assert 0 < stays.sum() < stays.numel()


@pytest.mark.parametrize("name", ["timbre", "additivity"])
def test_a_teacher_s_output_is_the_target_and_gets_no_gradient(name, geometry, batch):
    student, teacher, other = Network(-2.0), Network(-1.0), Network(1.0)
    taught = loss_of(name, geometry, teacher_decay=0.9)
    first, _ = taught(Step(student, batch, generator, teacher))
    first.backward()
    assert teacher.bias.grad is None
    assert float(first) != float(taught(Step(student, batch, generator, other))[0])
    # a teacher that is the network itself is the network with its gradient stopped
    itself, _ = taught(Step(student, batch, generator, student))
    stopped, _ = loss_of(name, geometry, stop_gradient=True)(Step(student, batch, generator))
    assert float(itself) == float(stopped)


def test_weights_fade_to_zero_and_then_cost_nothing(geometry, batch):
    config = ObjectivesConfig(weights={"supervised": 1.0, "timbre": 2.0}, fade={"timbre": 0.5})
    loss = TotalLoss(config, geometry, REGISTRY)
    passes = []

    def network(features):
        passes.append(len(features))
        return Network()(features)

    at = {}
    for progress in (0.0, 0.125, 0.25, 0.499, 0.5, 0.9):
        passes.clear()
        total, values = loss(Step(network, batch, generator, progress=progress))
        assert sum(passes) == len(batch.features) * len(values)
        assert ("timbre" in values) == (progress < 0.5)
        at[progress] = float(total.detach() - values["supervised"])
    timbre = at[0.0] / 2.0
    for progress, share in ((0.0, 1.0), (0.125, 0.75), (0.25, 0.5), (0.499, 0.002)):
        assert at[progress] == pytest.approx(2.0 * share * timbre, abs=1e-3 * timbre)
    assert at[0.5] == at[0.9] == 0.0


def test_weights_rise_from_zero_and_cost_nothing_before(geometry, batch):
    config = ObjectivesConfig(weights={"supervised": 1.0, "timbre": 2.0}, ramp={"timbre": 0.5})
    loss = TotalLoss(config, geometry, REGISTRY)
    asked = {}
    for progress in (0.0, 0.125, 0.25, 0.5, 0.9):
        total, values = loss(Step(Network(), batch, generator, progress=progress))
        assert ("timbre" in values) == (progress > 0)
        asked[progress] = float(total.detach() - values["supervised"])
    whole = asked[0.9]
    assert [x / whole for x in asked.values()] == pytest.approx([0, 0.25, 0.5, 1, 1], abs=1e-4)


def test_a_weight_may_rise_and_then_fall(geometry, batch):
    config = ObjectivesConfig(
        weights={"supervised": 1.0, "timbre": 2.0}, ramp={"timbre": 0.25}, fade={"timbre": 1.0}
    )
    loss = TotalLoss(config, geometry, REGISTRY)
    weights = [
        loss.terms_of(Step(Network(), batch, generator, progress=at))[1].weight
        for at in (0.125, 0.25, 0.5)
    ]
    assert weights == pytest.approx([2 * 0.5 * 0.875, 2 * 0.75, 2 * 0.5])


def test_only_what_is_needed_is_made(geometry):
    assert loss_of("supervised", geometry).needs == frozenset()
    assert loss_of("percussion", geometry).needs == {"percussive"}
    assert loss_of("content", geometry).needs == {"rms"}
    assert loss_of("additivity", geometry).needs == {"mixture"}


def test_a_batch_without_any_term_is_one_line(geometry, batch):
    alone = Batch(batch.features[:N_LABELLED], batch.target, rms=batch.rms[:N_LABELLED])
    loss = loss_of("energy", geometry)
    with pytest.raises(UserError, match=r"^nothing to learn from after 60% .*\(energy\)"):
        loss.backward(Step(Network(), alone, generator, progress=0.6))
