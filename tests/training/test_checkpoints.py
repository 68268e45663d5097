"""Checkpoints of a trainer: whole, read however old, refused in a line if they do not fit."""

import json
import os
import threading
from collections import Counter

import pytest
import torch

from ssmpe.errors import UserError
from ssmpe.training import checkpoint
from ssmpe.training.checkpoint import BEST
from ssmpe.training.trainer import Trainer
from ssmpe.transcription.trained import load_trained
from tests.support.checkpoints import as_0_3_0_wrote
from tests.support.training import numbers, same, undisturbed

__all__ = ["undisturbed"]


def test_checkpoints_without_a_threshold_are_still_read(brief, sets, undisturbed, tmp_path):
    """As version 0.3.0 wrote them."""
    folder = tmp_path / "checkpoint"
    undisturbed[0].save(folder)
    as_0_3_0_wrote(folder)
    for name in (BEST, checkpoint.PLAIN):
        path = folder / f"{name}.json"
        plain = json.loads(path.read_text())
        del plain["best_threshold"], plain["best_by"]
        path.write_text(json.dumps(plain))
    assert load_trained(folder, "cpu").threshold is None
    other = Trainer(brief, sets)
    other.load(folder)
    assert other.best.threshold is None
    assert other.best.score == undisturbed[0].best.score


def test_a_trial_that_went_by_f1_at_one_half_does_so_to_its_end(brief, sets, tmp_path):
    """As version 0.3.0 did: two scores that do not compare choose no weights."""
    folder = tmp_path / "checkpoint"
    first = Trainer(brief, sets)
    run = first.run()
    began = next(run).scores[brief.data.validation].means
    first.save(folder)
    as_0_3_0_wrote(folder)
    path = folder / f"{checkpoint.PLAIN}.json"
    plain = json.loads(path.read_text())
    del plain["best_threshold"], plain["best_by"]
    path.write_text(json.dumps(plain | {"best_f1": began.f1}))
    second = Trainer(brief, sets)
    second.load(folder)
    rest = [v.scores[brief.data.validation].means for v in second.run()]
    assert second.best.score == max(means.f1 for means in (began, *rest))
    assert second.best.score < max(means.f1_tuned for means in (began, *rest))
    second.save(tmp_path / "next")
    third = Trainer(brief, sets)
    third.load(tmp_path / "next")
    assert third.best.measure == "f1"


def test_a_checkpoint_of_another_configuration_is_refused(brief, sets, undisturbed, tmp_path):
    undisturbed[0].save(tmp_path / "checkpoint")
    with pytest.raises(UserError, match="another configuration"):
        Trainer(brief.replace({"training.seed": 1}), sets).load(tmp_path / "checkpoint")


@pytest.mark.parametrize("damage", ["missing", "truncated", "plain"])
def test_damaged_checkpoints_are_named(brief, sets, undisturbed, tmp_path, damage):
    folder = tmp_path / "checkpoint"
    undisturbed[0].save(folder)
    if damage == "missing":
        (folder / "state.pt").unlink()
    elif damage == "truncated":
        (folder / "state.pt").write_bytes((folder / "state.pt").read_bytes()[:1000])
    else:
        (folder / f"{checkpoint.PLAIN}.json").write_text("{")
    with pytest.raises(UserError, match=str(folder)) as error:
        Trainer(brief, sets).load(folder)
    assert "\n" not in str(error.value)


UNFIT = {
    "no optimizer": lambda state: state.pop("optimizer"),
    "other weights": lambda state: state.update(network={}),
    "weights of another shape": lambda state: state["network"].update(
        {"decoder.output.bias": torch.zeros(2)}
    ),
    "other moments": lambda state: state["optimizer"]["state"][0].update(exp_avg=torch.zeros(2)),
    "losses that are none": lambda state: state.update(losses={"total": 3}),
    "a list": lambda state: [state.pop(name) for name in list(state)],
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_state_that_does_not_fit_changes_nothing(brief, sets, undisturbed, tmp_path, name):
    """The trainer may go on from another checkpoint, or from the start."""
    folder = tmp_path / "checkpoint"
    undisturbed[0].save(folder)
    state = torch.load(folder / "state.pt", weights_only=True)
    UNFIT[name](state)
    as_0_3_0_wrote(folder)
    torch.save(state, folder / "state.pt")
    trainer = Trainer(brief, sets)
    with pytest.raises(UserError, match=f"^{folder}: not a usable checkpoint") as error:
        trainer.load(folder)
    assert "\n" not in str(error.value)
    fresh = Trainer(brief, sets)
    assert trainer.batch == 0
    assert trainer.best == fresh.best
    assert trainer.optimizer.state_dict() == fresh.optimizer.state_dict()
    weights = fresh.network.state_dict()
    assert all(torch.equal(w, weights[n]) for n, w in trainer.network.state_dict().items())
    assert not trainer._losses


def test_a_trial_that_0_3_0_began_goes_on_as_it_would_have(brief, sets, undisturbed, tmp_path):
    first = Trainer(brief, sets)
    next(first.run())
    first.save(tmp_path / "checkpoint")
    second = Trainer(brief, sets)
    second.load(as_0_3_0_wrote(tmp_path / "checkpoint"))
    assert same(numbers(second.run()), numbers(undisturbed[1][1:]))
    ended, reference = second.network.state_dict(), undisturbed[0].network.state_dict()
    assert all(torch.equal(ended[name], reference[name]) for name in reference)


def test_a_checkpoint_runs_no_code(tmp_path):
    torch.save({"x": threading.Thread}, tmp_path / "state.pt")
    with pytest.raises(UserError, match="not a usable checkpoint"):
        checkpoint.load_tensors(tmp_path, "state")


@pytest.mark.parametrize("named", [Counter("a"), {"a"}])
def test_a_checkpoint_names_nothing_but_tensors(tmp_path, named):
    """Not even what PyTorch takes for harmless."""
    torch.save({"x": named}, tmp_path / "state.pt")
    torch.load(tmp_path / "state.pt", weights_only=True)
    with pytest.raises(UserError, match=r"it holds '.*', which is no tensor"):
        checkpoint.load_tensors(tmp_path, "state")


def test_a_checkpoint_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(TypeError):
        checkpoint.save(tmp_path / "new", {"state": {}}, {"trial": {"not JSON": object()}})
    assert list(tmp_path.iterdir()) == []


def test_folders_that_are_missing_are_made(tmp_path):
    folder = tmp_path / "a sweep" / "a trial"
    checkpoint.save(folder, {BEST: {"x": torch.ones(2)}}, {BEST: {"best_f1": 0.5}})
    assert checkpoint.load_plain(folder, BEST)["best_f1"] == 0.5


def test_an_interruption_after_it_has_appeared_is_told_as_it_is(tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(*paths):
        replace(*paths)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path / "new", {}, {BEST: {"best_f1": 0.5}})
    assert checkpoint.load_plain(tmp_path / "new", BEST)["best_f1"] == 0.5
