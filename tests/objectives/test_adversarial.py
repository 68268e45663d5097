"""A discriminator that learns beside the network: what it tells apart, and whom it moves."""

import pytest
import torch

from ssmpe.config import ObjectivesConfig
from ssmpe.config.presets import tiny
from ssmpe.network.discriminator import Discriminator
from ssmpe.network.precision import cpu_has_bf16
from ssmpe.objectives import REGISTRY, Batch, Step, TotalLoss
from ssmpe.seeding import torch_generator
from ssmpe.training.optimizer import optimizer_of
from ssmpe.training.trainer import Trainer

N_LABELLED, N_UNLABELLED = 4, 8
SIZE = 176, 22


def invented(number: int) -> torch.Tensor:
    """Return logits (B, F, T): ridges on labelled music, and next to nothing on the other."""
    rng = torch_generator("invented", number)
    logits = -6.0 + 0.5 * torch.randn(N_LABELLED + N_UNLABELLED, *SIZE, generator=rng)
    for excerpt, places in enumerate(torch.randint(10, 160, (N_LABELLED, 8), generator=rng)):
        for place in places:
            logits[excerpt, place : place + 5] = 3.0
    return logits


def generator(number: int):
    return lambda name: torch_generator("test", name, number)


def loss_of(geometry, seed: int = 0, **settings) -> TotalLoss:
    config = ObjectivesConfig(weights={"adversarial": 15.0}, **settings)
    return TotalLoss(config, geometry, REGISTRY, seed=seed)


def step_of(logits: torch.Tensor, number: int) -> Step:
    """Return a step in which the network's output is given."""
    batch = Batch(torch.zeros(len(logits), 1, *SIZE), torch.zeros(N_LABELLED, *SIZE))
    return Step(lambda features: logits, batch, generator(number))


@pytest.fixture(scope="module")
def taught(geometry):
    """Return a loss whose discriminator has seen batches of two domains."""
    loss = loss_of(geometry)
    assert loss.discriminator is not None
    optimizer = torch.optim.AdamW(loss.discriminator.parameters(), lr=1e-3)
    for number in range(300):
        optimizer.zero_grad()
        loss(step_of(invented(number).requires_grad_(), number))[0].backward()
        optimizer.step()
    return loss


def test_it_tells_two_domains_apart(taught):
    verdicts = taught.discriminator(invented(1000), torch_generator("fresh")).mean(dim=(1, 2))
    assert verdicts[:N_LABELLED].min() > 0 > verdicts[N_LABELLED:].max()


def test_output_on_unlabelled_music_is_asked_for_content_and_the_other_is_left_alone(taught):
    logits = invented(1000).requires_grad_()
    taught(step_of(logits, 0))[0].backward()
    assert logits.grad is not None
    assert not logits.grad[:N_LABELLED].any()
    assert logits.grad[N_LABELLED:].sum() < 0, "a step against it raises them"


def test_its_value_is_that_of_the_network_s_part(taught):
    """Of output that passes for labelled music it is small, beside output that does not."""
    seen_through = float(taught(step_of(invented(1), 0))[0].detach()) / 15
    ridges = invented(1)[:N_LABELLED].repeat(3, 1, 1)
    passing = float(taught(step_of(ridges, 0))[0].detach()) / 15
    assert 2 * passing < seen_through


def test_the_network_s_part_moves_the_network_alone(geometry):
    """What the discriminator gets is the gradient of its own cross-entropy."""
    loss, logits = loss_of(geometry), invented(0)
    assert loss.discriminator is not None
    loss(step_of(logits.clone().requires_grad_(), 3))[0].backward()
    found = [w.grad / 15.0 for w in loss.discriminator.parameters() if w.grad is not None]
    alone = Discriminator(0)
    verdicts = alone(logits, generator(3)("adversarial"))
    truth = torch.zeros_like(verdicts)
    truth[:N_LABELLED] = 1.0
    torch.nn.functional.binary_cross_entropy_with_logits(verdicts, truth).backward()
    for gradient, weight in zip(found, alone.parameters(), strict=True):
        torch.testing.assert_close(gradient, weight.grad, rtol=1e-4, atol=1e-7)


def test_draws_depend_on_seed_and_batch_alone(geometry):
    state = torch.random.get_rng_state()
    weights = [Discriminator(seed).state_dict()["judge.weight"] for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    logits, loss = invented(0), loss_of(geometry)
    values = [float(loss(step_of(logits, number))[0].detach()) for number in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_without_the_objective_there_is_none(geometry, brief, sets):
    config = ObjectivesConfig(weights={"supervised": 1.0, "contrastive": 1.0})
    assert TotalLoss(config, geometry, REGISTRY).discriminator is None
    trainer = Trainer(brief, sets)
    assert "loss" not in trainer._state()
    assert len(trainer.optimizer.param_groups) == 2


def test_its_weights_have_a_rate_of_their_own():
    found = Discriminator(0)
    trial = tiny().replace({"training.learning_rate": 3e-4}).training
    network = torch.nn.Module()
    network.decoder = torch.nn.Linear(1, 1)
    groups = optimizer_of(network, trial, "cpu", found).param_groups  # type: ignore[arg-type]
    assert [group["full_lr"] for group in groups] == [3e-4, 1.5e-4, 1e-3]
    assert len(groups[2]["params"]) == len([*found.parameters()])


@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "bf16"])
def test_a_resumed_trial_is_the_same(brief, sets, tmp_path, mixed):
    if mixed and not cpu_has_bf16():
        pytest.skip("a processor without bf16")
    changes = {"objectives.weights.adversarial": 3.75, "training.mixed_precision_on_cpus": mixed}
    config = brief.replace(changes)
    whole = Trainer(config, sets)
    validations = list(whole.run())
    first = Trainer(config, sets)
    next(first.run())
    first.save(tmp_path / "checkpoint")
    second = Trainer(config, sets)
    second.load(tmp_path / "checkpoint")
    again = list(second.run())
    assert [v.losses for v in again] == [v.losses for v in validations[1:]]
    for ours, theirs in (
        (second.network, whole.network),
        (second.loss.discriminator, whole.loss.discriminator),
    ):
        assert ours is not None
        assert theirs is not None
        weights = theirs.state_dict()
        assert all(torch.equal(w, weights[name]) for name, w in ours.state_dict().items())
    begun = Discriminator(config.training.seed).state_dict()
    assert not torch.equal(
        second._state()["loss"]["discriminator.judge.weight"], begun["judge.weight"]
    )
