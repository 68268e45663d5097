"""Trials of a few batches on the embedded world."""

import dataclasses
import itertools
import json
import math
import threading

import pytest
import torch

from ssmpe.config import TrialConfig
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.network.model import Autoencoder
from ssmpe.objectives import Step
from ssmpe.runner.trial import reports
from ssmpe.seeding import torch_generator
from ssmpe.signal.hcqt import HCQT
from ssmpe.tracking import schema
from ssmpe.training import checkpoint
from ssmpe.training import trainer as trainer_module
from ssmpe.training.batches import BatchMaker
from ssmpe.training.optimizer import lr_scale
from ssmpe.training.trainer import DivergedError, InterruptedTrainingError, Trainer
from ssmpe.training.trial_files import BEST
from ssmpe.transcription.trained import load_trained

EVERYTHING = frozenset({"percussive", "rms", "mixture"})


@pytest.fixture(scope="module")
def undisturbed(brief, sets):
    trainer = Trainer(brief, sets)
    return trainer, list(trainer.run())


def numbers(validations):
    """Everything of validations but the time they took."""
    return [dataclasses.replace(v, train_seconds=0.0, evaluation_seconds=0.0) for v in validations]


def same(a, b) -> bool:
    """Equality of nested plain data in which NaN equals NaN."""
    return repr(a) == repr(b)


def test_validations_at_their_batches(brief, undisturbed):
    _, validations = undisturbed
    assert [v.batch for v in validations] == [2, 4, 6]
    for validation in validations:
        assert set(validation.losses) == {"total", *brief.objectives.weights}
        assert all(math.isfinite(loss) for loss in validation.losses.values())
        assert set(validation.scores) == {"URMP/validation", "NSynth/valid"}
        assert len(validation.scores["URMP/validation"].tracks) == 9


def test_the_total_is_the_weighted_sum(brief, undisturbed):
    _, validations = undisturbed
    for v in validations:
        weighted = sum(weight * v.losses[name] for name, weight in brief.objectives.weights.items())
        assert v.losses["total"] == pytest.approx(weighted, rel=1e-5)


def test_it_learns(brief, sets, undisturbed):
    """A batch it has seen has a lower loss than before training."""
    trained, fresh = undisturbed[0], Trainer(brief, sets)
    batch = fresh.batches(0)
    losses = [
        float(t.loss(Step(t.network, batch, torch_generator))[0].detach()) for t in (fresh, trained)
    ]
    assert losses[1] < 0.95 * losses[0]


def test_a_rerun_is_the_same(brief, sets, undisturbed):
    assert same(numbers(Trainer(brief, sets).run()), numbers(undisturbed[1]))


def test_a_resumed_trial_is_the_same(brief, sets, undisturbed, tmp_path):
    first = Trainer(brief, sets)
    run = first.run()
    head = [next(run)]
    first.save(tmp_path / "checkpoint", note=1)
    next(run)  # what comes after the checkpoint is lost
    second = Trainer(brief, sets)
    assert second.load(tmp_path / "checkpoint")["note"] == 1
    assert same(numbers([*head, *second.run()]), numbers(undisturbed[1]))
    ended, reference = second.network.state_dict(), undisturbed[0].network.state_dict()
    assert all(torch.equal(ended[name], reference[name]) for name in reference)


@pytest.mark.parametrize("asked", [1, 2, 3, 5, 8])
def test_a_trial_interrupted_anywhere_is_the_same(brief, sets, undisturbed, tmp_path, asked):
    """Between batches, before a validation, and in its midst."""
    first, questions = Trainer(brief, sets), itertools.count(1)
    with pytest.raises(InterruptedTrainingError):
        list(first.run(lambda: next(questions) > asked))
    first.save(tmp_path / "checkpoint")
    second = Trainer(brief, sets)
    second.load(tmp_path / "checkpoint")
    tail = list(second.run())
    assert [v.batch for v in tail][-1] == 6
    reference = undisturbed[1][-len(tail) :]
    assert same(numbers(tail), numbers(reference))
    ended, weights = second.network.state_dict(), undisturbed[0].network.state_dict()
    assert all(torch.equal(ended[name], weights[name]) for name in weights)


def test_global_generators_do_not_matter(brief, sets, undisturbed):
    torch.manual_seed(1234)
    before = torch.random.get_rng_state()
    validations = list(Trainer(brief, sets).run())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(numbers(validations), numbers(undisturbed[1]))


def test_another_seed_is_another_trial(brief, sets, undisturbed):
    other = Trainer(brief.replace({"training.seed": 1}), sets)
    assert next(other.run()).losses["total"] != undisturbed[1][0].losses["total"]


def test_the_best_weights_are_kept(brief, sets, undisturbed, tmp_path):
    trainer, validations = undisturbed
    f1s = [v.scores[brief.data.validation].means.f1 for v in validations]
    assert trainer.best.f1 == max(f1s)
    assert trainer.best.batch == validations[f1s.index(max(f1s))].batch
    assert [v.is_best for v in validations].count(True) >= 1
    trainer.save(tmp_path / "checkpoint")
    best = checkpoint.load_tensors(tmp_path / "checkpoint", BEST)
    assert best.keys() == trainer.network.state_dict().keys()


def test_another_measure_can_select_the_weights(brief, sets, undisturbed, monkeypatch):
    """Selecting changes what is kept, and nothing of the training."""
    monkeypatch.setattr(trainer_module, "SELECTED_BY", "average_precision")
    trainer = Trainer(brief, sets)
    validations = list(trainer.run())
    found = [v.scores[brief.data.validation].means.average_precision for v in validations]
    assert trainer.best.f1 == max(found)
    assert trainer.best.batch == validations[found.index(max(found))].batch
    assert [v.losses for v in validations] == [v.losses for v in undisturbed[1]]


def test_the_threshold_is_tuned_on_the_validation_set_and_kept_with_the_weights(
    brief, sets, undisturbed, tmp_path
):
    trainer, validations = undisturbed
    for validation in validations:
        scores = validation.scores
        labelled = scores[brief.data.validation]
        assert labelled.threshold == labelled.best_threshold
        assert labelled.means.f1_tuned == labelled.means.f1_best >= labelled.means.f1
        assert {found.threshold for found in scores.values()} == {labelled.threshold}
        assert reports.metrics_of(validation)[schema.THRESHOLD] == labelled.threshold
    best = next(v for v in validations if v.batch == trainer.best.batch)
    expected = best.scores[brief.data.validation].threshold
    assert trainer.best.threshold == expected
    trainer.save(tmp_path / "checkpoint")
    assert load_trained(tmp_path / "checkpoint", "cpu").threshold == expected
    other = Trainer(brief, sets)
    other.load(tmp_path / "checkpoint")
    assert other.best.threshold == expected


def test_checkpoints_without_a_threshold_are_still_read(brief, sets, undisturbed, tmp_path):
    """As version 0.3.0 wrote them."""
    folder = tmp_path / "checkpoint"
    undisturbed[0].save(folder)
    for name in (BEST, checkpoint.PLAIN):
        path = folder / f"{name}.json"
        plain = json.loads(path.read_text())
        del plain["best_threshold"]
        path.write_text(json.dumps(plain))
    assert load_trained(folder, "cpu").threshold is None
    other = Trainer(brief, sets)
    other.load(folder)
    assert other.best.threshold is None
    assert other.best.f1 == undisturbed[0].best.f1


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


def test_a_checkpoint_runs_no_code(tmp_path):
    torch.save({"x": threading.Thread}, tmp_path / "state.pt")
    with pytest.raises(UserError, match="not a usable checkpoint"):
        checkpoint.load_tensors(tmp_path, "state")


def test_a_checkpoint_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(TypeError):
        checkpoint.save(tmp_path / "new", {"state": {}}, {"trial": {"not JSON": object()}})
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_finite_ends_the_trial(brief, sets):
    trainer = Trainer(brief, sets)
    run = trainer.run()
    next(run)
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match="before batch 4"):
        next(run)


def make_batch(config: TrialConfig, sets, index: int = 3):
    return BatchMaker(config, sets, HCQT(config.geometry), EVERYTHING, "cpu")(index)


def test_batches_are_the_same_for_labelled_excerpts_whatever_is_added(brief, sets, world):
    closed = brief.replace({"data.added": {}})
    few = make_batch(closed, load_sets(closed.data, 22050, Locations(world), cache_dir()))
    many = make_batch(brief, sets)
    n = brief.data.labelled_excerpts
    assert few.features.shape[0] == n
    assert many.features.shape[0] == n + 1
    assert torch.equal(few.target, many.target)
    # computed in batches of different sizes: equal but for rounding near the floor
    loud = few.features > 0.2
    torch.testing.assert_close(many.features[:n][loud], few.features[loud], atol=1e-4, rtol=0)
    loud = few.percussive > 0.2
    torch.testing.assert_close(many.percussive[:n][loud], few.percussive[loud], atol=1e-4, rtol=0)


def test_the_percussive_view_is_that_of_the_mixed_audio(brief, sets):
    """Adding complex transforms is adding audio."""
    batch = make_batch(brief, sets)
    assert batch.percussive is not None
    assert not torch.equal(batch.percussive, batch.features)
    assert batch.percussive.shape == batch.features.shape


def test_every_excerpt_is_named_by_its_set(brief, sets):
    assert make_batch(brief, sets).sets == ("URMP/train", "URMP/train", "NSynth/train")


def test_a_mixture_is_that_of_the_summed_audio(brief, sets):
    maker = BatchMaker(brief, sets, HCQT(brief.geometry), EVERYTHING, "cpu")
    drawn = [e for _, e in maker._sources[0].excerpts.batch(3, 2)]
    audio = torch.from_numpy(drawn[0].samples + drawn[1].samples)[None, None]
    mixture = make_batch(brief, sets).mixture
    expected = maker._features(maker.hcqt.distinct(audio))
    loud = expected > 0.2
    torch.testing.assert_close(mixture[:1][loud], expected[loud], atol=1e-3, rtol=0)


def teacher_of(trainer: Trainer) -> Autoencoder:
    assert trainer.teacher is not None
    return trainer.teacher.network


class TestTaught:
    """With a teacher, and an objective that fades away half-way through the trial."""

    @pytest.fixture(scope="class")
    def config(self, brief):
        return brief.replace({"objectives.teacher_decay": 0.5, "objectives.fade": {"timbre": 0.5}})

    @pytest.fixture(scope="class")
    def whole(self, config, sets):
        trainer = Trainer(config, sets)
        return trainer, list(trainer.run())

    def test_a_resumed_trial_is_the_same(self, config, sets, whole, tmp_path):
        first = Trainer(config, sets)
        head = [next(first.run())]
        first.save(tmp_path / "checkpoint")
        second = Trainer(config, sets)
        second.load(tmp_path / "checkpoint")
        assert same(numbers([*head, *second.run()]), numbers(whole[1]))
        for ended, reference in (
            (second.network, whole[0].network),
            (teacher_of(second), teacher_of(whole[0])),
        ):
            weights = reference.state_dict()
            assert all(torch.equal(w, weights[n]) for n, w in ended.state_dict().items())

    def test_the_teacher_follows_behind(self, config, sets):
        trainer = Trainer(config, sets)
        weight = trainer.network.encoder.input.weight
        average = weight.detach().clone()
        for index in range(3):
            trainer._step(index)
            average = 0.5 * average + 0.5 * weight.detach()
        ours = teacher_of(trainer).encoder.input.weight
        torch.testing.assert_close(ours, average)
        assert not torch.equal(ours, weight)
        assert ours.grad is None

    def test_what_has_faded_is_no_longer_reported(self, whole):
        """Batches 1 to 3 have the objective; validations are after 2, 4 and 6."""
        losses = [v.losses for v in whole[1]]
        assert ["timbre" in loss for loss in losses] == [True, True, False]
        assert 0.5 < losses[1]["timbre"] / losses[1]["percussion"] < 2


def test_targets_line_up_with_features(brief, sets):
    """Where the truth has a pitch, the first harmonic has more energy than elsewhere."""
    batch = make_batch(brief.replace({"data.labelled_excerpts": 8}), sets)
    first = batch.features[: batch.n_labelled, brief.geometry.harmonics.index(1.0)]
    on, off = first[batch.target > 0.9], first[batch.target == 0]
    assert len(on) > 300
    assert on.mean() > off.mean() + 0.2
    shifted = torch.roll(batch.target, 11, dims=2)
    assert on.mean() > first[shifted > 0.9].mean() + 0.02


def test_warmup_is_a_raised_cosine():
    scales = [lr_scale(i, 50) for i in range(1, 61)]
    assert scales == sorted(scales)
    assert scales[0] < 0.01
    assert scales[24] == pytest.approx(0.5, abs=0.05)
    assert scales[50:] == [1.0] * 10
