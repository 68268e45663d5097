"""Trials of a few batches on the embedded world."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from ssmpe.evaluation.notes import tuned_rule
from ssmpe.evaluation.scoring import evaluate
from ssmpe.network.model import Autoencoder
from ssmpe.objectives import Step
from ssmpe.runner.trial import reports
from ssmpe.seeding import torch_generator
from ssmpe.signal.notes import NoteRule, Semitones
from ssmpe.tracking import schema
from ssmpe.training import checkpoint, trainer
from ssmpe.training.checkpoint import BEST, Best
from ssmpe.training.optimizer import lr_scale
from ssmpe.training.trainer import DivergedError, InterruptedTrainingError, Trainer
from ssmpe.transcription.trained import load_trained
from tests.support.training import numbers, same, undisturbed

__all__ = ["undisturbed"]


def test_validations_at_their_batches(brief, undisturbed):
    _, validations = undisturbed
    assert [v.batch for v in validations] == [2, 4, 6]
    for validation in validations:
        assert set(validation.losses) == {"total", *brief.objectives.weights}
        assert all(math.isfinite(loss) for loss in validation.losses.values())
        assert set(validation.scores) == {"URMP/validation", "NSynth/valid"}
        assert len(validation.scores["URMP/validation"].tracks) == 2


def test_training_is_timed_from_one_validation_to_the_next(brief, sets, tmp_path, monkeypatch):
    """Resumed in between, it is what this process has trained for."""
    now = 0.0  # on a clock on which a batch takes a second
    monkeypatch.setattr("ssmpe.training.trainer.time.perf_counter", lambda: now)

    def ticking(trial: Trainer) -> Trainer:
        step = trial._step

        def timed(index: int) -> dict[str, Tensor]:
            nonlocal now
            now += 1.0
            return step(index)

        monkeypatch.setattr(trial, "_step", timed)
        return trial

    first = ticking(Trainer(brief, sets))
    run = first.run(lambda: first.batch == 5)
    assert [(v.train_seconds, v.evaluation_seconds) for v in itertools.islice(run, 2)] == [
        (2.0, 0.0)
    ] * 2
    with pytest.raises(InterruptedTrainingError):
        next(run)
    first.save(tmp_path / "checkpoint")
    second = ticking(Trainer(brief, sets))
    second.load(tmp_path / "checkpoint")
    assert [v.train_seconds for v in second.run()] == [1.0]


def test_scores_are_confirmed_at_the_threshold_of_the_labelled_set(undisturbed, monkeypatch):
    trial, validations = undisturbed
    asked = []

    def seen(network, one, threshold, *, by_mir_eval):
        assert network is trial.scored
        assert by_mir_eval
        found = evaluate(network, one, threshold, by_mir_eval=by_mir_eval)
        asked.append((one.name, threshold, found))
        return found

    monkeypatch.setattr(trainer, "evaluate", seen)
    trial.confirm()
    last = validations[-1].scores
    assert [name for name, _, _ in asked] == list(last)
    assert [threshold for _, threshold, _ in asked] == [None, last["URMP/validation"].threshold]
    assert all(found.tracks == last[name].tracks for name, _, found in asked)


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
    f1s = [v.scores[brief.data.validation].means.f1_tuned for v in validations]
    assert trainer.best.score == max(f1s)
    assert trainer.best.batch == validations[f1s.index(max(f1s))].batch
    assert [v.is_best for v in validations].count(True) >= 1
    trainer.save(tmp_path / "checkpoint")
    best = checkpoint.load_tensors(tmp_path / "checkpoint", BEST)
    assert best.keys() == trainer.network.state_dict().keys()


def test_another_measure_can_select_the_weights(brief, sets, undisturbed):
    """Selecting changes what is kept, and nothing of the training."""
    trainer = Trainer(brief, sets)
    trainer.best.measure = "average_precision"
    validations = list(trainer.run())
    found = [v.scores[brief.data.validation].means.average_precision for v in validations]
    assert trainer.best.score == max(found)
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


def test_the_rule_of_notes_is_tuned_at_the_end_for_the_best_weights(
    brief, sets, undisturbed, tmp_path
):
    trainer, _ = undisturbed
    folder, g, labelled = tmp_path / "checkpoint", brief.geometry, trainer.evaluated[0]
    trainer.save(folder)
    kept = load_trained(folder, "cpu")
    semitones = Semitones(g)
    tracks = labelled.noted(kept.network, semitones)
    assert len(tracks) == len(labelled)
    expected = tuned_rule(tracks, semitones, g.frame_rate, kept.least_salience)
    assert kept.note_rule == kept.notes == trainer.best.notes == expected
    other = Trainer(brief, sets)
    other.load(folder)
    assert other.best.notes == expected
    # before the end there is none, and those of 0.3.0 have none
    other = Trainer(brief, sets)
    next(other.run())
    other.save(folder)
    assert other.best.notes is None
    assert load_trained(folder, "cpu").note_rule == NoteRule()
    # they are not those of other weights
    best = Best(notes=expected)
    scores = next(iter(undisturbed[1][0].scores.values()))
    assert best.take_if_better(scores, 2, other.network)
    assert best.notes is None


def test_a_loss_that_is_not_finite_ends_the_trial(brief, sets):
    trainer = Trainer(brief, sets)
    run = trainer.run()
    next(run)
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match="before batch 4"):
        next(run)


def test_gradients_are_clipped_to_the_norm_of_the_configuration(brief, sets):
    for clip in (0.01, 1e6):
        trainer = Trainer(brief.replace({"training.clip_norm": clip}), sets)
        before = float(trainer._step(0)["gradient norm"])
        assert 0.01 < before < 1e6
        left = [p.grad.norm() for p in trainer.network.parameters() if p.grad is not None]
        assert float(torch.stack(left).norm()) == pytest.approx(min(clip, before), rel=1e-4)


def test_rates_rise_from_the_first_batch_to_the_last_of_the_warm_up(brief, sets):
    """By hand: after 1 of 2 batches a quarter of the cosine, of the decoder half of that."""
    training = brief.training
    assert (training.warmup_batches, training.decoder_lr_factor) == (2, 0.5)
    trainer = Trainer(brief, sets)
    for index, share in enumerate((0.25, 0.75, 1.0, 1.0)):
        trainer._step(index)
        rates = [group["lr"] for group in trainer.optimizer.param_groups]
        full = training.learning_rate
        assert rates == pytest.approx([share * full, share * full / 2])


def test_the_decoder_learns_at_its_own_rate(brief, sets):
    groups = Trainer(brief, sets).optimizer.param_groups
    network = Autoencoder(brief.geometry, brief.model)
    encoder, decoder = (len(list(p.parameters())) for p in (network.encoder, network.decoder))
    joined = 1  # what scales the joined levels learns with the encoder
    assert [len(group["params"]) for group in groups] == [encoder + joined, decoder]
    assert [group["full_lr"] for group in groups] == [4e-3, 2e-3]


def test_warmup_is_a_raised_cosine():
    scales = [lr_scale(i, 50) for i in range(1, 61)]
    assert scales == sorted(scales)
    assert scales[0] < 0.01
    assert scales[24] == pytest.approx(0.5, abs=0.05)
    assert scales[50:] == [1.0] * 10
