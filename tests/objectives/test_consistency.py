"""What each way of comparing a view with its target asks of either: autograd against formulas."""

import pytest
import torch

from ssmpe.config import ObjectivesConfig
from ssmpe.config.objectives import CONSISTENCIES
from ssmpe.config.presets import PRESETS, tiny
from ssmpe.experiments import deltas
from ssmpe.objectives import REGISTRY, Batch, Step, TotalLoss
from ssmpe.objectives.base import bce, binary_entropy
from ssmpe.objectives.invariance import compared
from ssmpe.seeding import torch_generator

SIZE = 2, 40, 7
VIEWS = ("timbre", "percussion", "geometric", "additivity", "feature_dropout", "reverberation")


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a view, and the target's salience, in double precision."""
    rng = torch.Generator().manual_seed(0)
    logits = 4.0 * torch.randn(SIZE, generator=rng, dtype=torch.float64)
    target = torch.sigmoid(3.0 * torch.randn(SIZE, generator=rng, dtype=torch.float64))
    return logits.requires_grad_(), target.requires_grad_()


def gradients(consistency: str) -> tuple[torch.Tensor, torch.Tensor]:
    """By the view's logits and by the target."""
    logits, target = drawn()
    loss = compared(logits, target, consistency).sum()
    first, second = torch.autograd.grad(loss, (logits, target), materialize_grads=True)
    return first, second


@pytest.mark.parametrize("consistency", CONSISTENCIES)
def test_gradients_are_those_of_the_formulas(consistency):
    logits, target = (x.detach() for x in drawn())
    q, logit_y = logits.sigmoid(), target.logit()
    by_logits, by_target = {
        "BCE": (q - target, -logits),
        "KL": (q - target, logit_y - logits),
        "MSE": (2 * (q - target) * q * (1 - q), 2 * (target - q)),
        "stop+H": (q - target, -logit_y),
    }[consistency]
    found = gradients(consistency)
    torch.testing.assert_close(found[0], by_logits, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found[1], by_target, rtol=1e-9, atol=1e-9)


def test_the_cross_entropy_is_the_sum_of_entropy_and_divergence():
    logits, target = (x.detach() for x in drawn())
    q = logits.sigmoid()
    divergence = (target * (target / q).log() + (1 - target) * ((1 - target) / (1 - q)).log()).sum(
        dim=-2
    )
    torch.testing.assert_close(compared(logits, target, "KL"), divergence)
    torch.testing.assert_close(compared(logits, target, "BCE"), binary_entropy(target) + divergence)


def test_the_parts_of_the_gradient_add_up_to_the_published_one():
    whole, kept, entropy = (gradients(c)[1] for c in ("BCE", "KL", "stop+H"))
    torch.testing.assert_close(whole, kept + entropy)


def test_the_value_with_the_entropy_alone_is_the_published_one():
    logits, target = (x.detach() for x in drawn())
    assert torch.equal(compared(logits, target, "stop+H"), bce(logits, target))


def test_where_both_agree_only_the_published_one_asks_for_more():
    """A target of 0.2 and a view that finds the same: BCE pulls the target down."""
    logits = torch.full((1, 1, 1), 0.2).logit()
    found = {}
    for consistency in CONSISTENCIES:
        target = torch.full((1, 1, 1), 0.2, requires_grad=True)
        loss = compared(logits, target, consistency).sum()
        (gradient,) = torch.autograd.grad(loss, target)
        found[consistency] = float(gradient)
    assert found["BCE"] == pytest.approx(found["stop+H"]) == pytest.approx(1.386, abs=1e-3)
    assert found["KL"] == pytest.approx(0.0, abs=1e-6)
    assert found["MSE"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("consistency", CONSISTENCIES)
def test_targets_of_exactly_zero_and_one(consistency):
    """Frames that a shift leaves empty, and saliences that round to one."""
    logits = torch.tensor([-30.0, 0.0, 30.0, 5.0]).reshape(1, 4, 1).requires_grad_()
    own = torch.tensor([-200.0, -200.0, 40.0, 40.0]).requires_grad_()
    target = own.sigmoid().reshape(1, 4, 1)
    assert set(target.detach().flatten().tolist()) == {0.0, 1.0}
    loss = compared(logits, target, consistency).sum()
    loss.backward()
    assert torch.isfinite(loss)
    for gradient in (logits.grad, own.grad):
        assert gradient is None or torch.isfinite(gradient).all()


def test_gradients_of_the_entropy_stop_where_it_is_rounded():
    p = torch.tensor([0.0, 1e-9, 0.3, 1.0]).reshape(1, 4, 1).requires_grad_()
    binary_entropy(p).sum().backward()
    assert p.grad is not None
    torch.testing.assert_close(p.grad.flatten(), torch.tensor([0.0, 0.0, 0.8473, 0.0]), atol=1e-4,
                               rtol=0)  # fmt: skip


class Level(torch.nn.Module):
    """A network of which only the level is learnt."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(level))

    def forward(self, features):
        return features.mean(dim=1) + self.level


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("consistency", CONSISTENCIES)
def test_a_setting_reaches_every_objective_with_a_view(name, consistency, geometry):
    rng = torch.Generator().manual_seed(0)
    features = torch.rand(3, geometry.n_harmonics, geometry.n_bins, 12, generator=rng)
    target = torch.zeros(1, geometry.n_bins, 12)
    batch = Batch(features, target, features.flip(0), torch.ones(3, 12), (), features.flip(0))
    config = ObjectivesConfig(weights={name: 1.0}, consistency=consistency)
    step = Step(Level(-2.0), batch, lambda given: torch_generator("test", given))
    (term,) = TotalLoss(config, geometry, REGISTRY).terms_of(step)
    out = term.out
    assert out.view is not None
    assert out.view_logits is not None
    pair = out.view_logits.detach(), out.view.transform(out.salience).detach()
    torch.testing.assert_close(term.frames.detach(), compared(*pair, consistency))
    assert len({float(compared(*pair, c).mean()) for c in ("BCE", "KL", "MSE")}) == 3


def test_trials_that_compare_as_published_are_what_they_were():
    """Identities themselves are held by tests/config: to name the default changes none."""
    for make in PRESETS.values():
        base = make()
        assert base.replace({"objectives.consistency": "BCE"}).identity == base.identity


def test_rows_that_explain_are_deltas():
    base = tiny()
    kl, entropy, squared = (
        base.replace(delta.changes) for delta in (deltas.KL, deltas.STOP_H, deltas.mse(base))
    )
    assert (deltas.KL.name, deltas.STOP_H.name, deltas.mse(base).name) == ("+KL", "+stop+H", "+MSE")
    assert [c.objectives.consistency for c in (kl, entropy, squared)] == ["KL", "stop+H", "MSE"]
    assert squared.objectives.weights == {
        "supervised": 1.0, "timbre": 4.0, "percussion": 4.0, "geometric": 4.0
    }  # fmt: skip
    assert len({c.identity for c in (base, kl, entropy, squared)}) == 4
