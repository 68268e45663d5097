"""Trials that start from the best weights of another."""

import json

import pytest
import torch

from ssmpe.errors import UserError
from ssmpe.training import checkpoint
from ssmpe.training.checkpoint import BEST
from ssmpe.training.trainer import Trainer
from tests.support.checkpoints import as_0_3_0_wrote
from tests.support.training import numbers, same, undisturbed

__all__ = ["undisturbed"]


@pytest.fixture(scope="module")
def parent(undisturbed, tmp_path_factory):
    """Return the last checkpoint of the trial ``brief``."""
    folder = tmp_path_factory.mktemp("parent") / "checkpoint"
    undisturbed[0].save(folder)
    return folder


@pytest.fixture(scope="module")
def child(brief):
    return brief.replace({"training.parent": brief.identity, "training.learning_rate": 2e-4})


@pytest.fixture(scope="module")
def continued(child, sets, parent):
    trainer = Trainer(child, sets, parent=parent)
    return trainer, list(trainer.run())


def test_it_starts_where_its_parent_was_best(undisturbed, continued):
    trainer, validations = undisturbed
    best = next(v for v in validations if v.batch == trainer.best.batch)
    start = continued[1][0]
    assert [v.batch for v in continued[1]] == [0, 2, 4, 6]
    assert same(start.scores, best.scores)
    assert start.losses == {}


def test_the_weights_it_was_given_are_not_its_best(continued):
    trainer, (start, *later) = continued
    assert not start.is_best
    assert later[0].is_best
    assert trainer.best.batch > 0


def test_its_optimizer_is_a_fresh_one(child, sets, parent):
    trainer = Trainer(child, sets, parent=parent)
    assert trainer.optimizer.state_dict()["state"] == {}


@pytest.mark.parametrize("after", [0, 2])
def test_a_resumed_one_is_the_same(child, sets, parent, continued, tmp_path, after):
    first = Trainer(child, sets, parent=parent)
    run = first.run()
    head = [next(run) for _ in range(after // 2 + 1)]
    assert head[-1].batch == after
    first.save(tmp_path / "checkpoint")
    second = Trainer(child, sets, parent=parent)
    second.load(tmp_path / "checkpoint")
    assert same(numbers([*head, *second.run()]), numbers(continued[1]))
    ended, reference = second.network.state_dict(), continued[0].network.state_dict()
    assert all(torch.equal(ended[name], reference[name]) for name in reference)


def test_a_frozen_teacher_keeps_what_the_trial_began_with(child, sets, parent):
    config = child.replace({"objectives.teacher_decay": 1.0})
    trainer = Trainer(config, sets, parent=parent)
    began = {name: weight.clone() for name, weight in trainer.network.state_dict().items()}
    for index in range(2):
        trainer._step(index)
    assert trainer.teacher is not None
    kept, moved = trainer.teacher.state_dict(), trainer.network.state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in began.items())
    assert not any(torch.equal(moved[name], w) for name, w in began.items() if w.ndim > 1)


def test_what_it_continues_must_be_given(child, sets):
    with pytest.raises(UserError, match=child.training.parent):
        Trainer(child, sets)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("another", "a checkpoint of another trial"),
        ("truncated", "not a usable checkpoint"),
        ("empty", "no weights"),
        ("missing", "not a usable checkpoint"),
    ],
)
def test_other_weights_are_refused(brief, child, sets, undisturbed, tmp_path, damage, said):
    folder = tmp_path / "checkpoint"
    undisturbed[0].save(folder)
    as_0_3_0_wrote(folder)  # whose files can be changed without sums to be set right
    weights, description = folder / f"{BEST}.pt", folder / f"{BEST}.json"
    if damage == "another":
        other = brief.replace({"training.seed": 1}).to_dict()
        values = {**checkpoint.load_plain(folder, BEST), "config": other}
        description.write_text(json.dumps(values))
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "empty":
        torch.save({}, weights)
    else:
        description.unlink()
    with pytest.raises(UserError, match=said) as error:
        Trainer(child, sets, parent=folder)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)
