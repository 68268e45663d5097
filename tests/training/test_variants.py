"""Trials with a teacher, with pseudo-labels, and without a network."""

import pytest
import torch

from ssmpe.config.model import ESTIMATES
from ssmpe.errors import UserError
from ssmpe.network.model import Autoencoder
from ssmpe.training.trainer import InterruptedTrainingError, Trainer
from ssmpe.transcription.trained import load_trained
from tests.support.training import numbers, same


def teacher_of(trainer: Trainer) -> Autoencoder:
    assert trainer.teacher is not None
    return trainer.teacher.network


class TestTaught:
    """With a teacher, and an objective that fades away half-way through the trial."""

    @pytest.fixture(scope="class")
    def config(self, brief):
        return brief.replace({"objectives.teacher_decay": 0.7, "objectives.fade": {"timbre": 0.5}})

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
            average = 0.7 * average + 0.3 * weight.detach()
        ours = teacher_of(trainer).encoder.input.weight
        torch.testing.assert_close(ours, average)
        assert not torch.equal(ours, weight)
        assert ours.grad is None

    def test_what_has_faded_is_no_longer_reported(self, whole):
        """Batches 1 to 3 have the objective; validations are after 2, 4 and 6."""
        losses = [v.losses for v in whole[1]]
        assert ["timbre" in loss for loss in losses] == [True, True, False]
        assert 0.5 < losses[1]["timbre"] / losses[1]["percussion"] < 2


class TestScoredTeacher:
    """With a teacher whose weights are what the trial gives."""

    @pytest.fixture(scope="class")
    def ended(self, brief, sets):
        config = brief.replace({"objectives.teacher_decay": 0.7, "objectives.score_teacher": True})
        trainer = Trainer(config, sets)
        return trainer, list(trainer.run())

    def test_the_scores_are_the_teacher_s(self, ended):
        trainer, validations = ended
        trainer.network, network = teacher_of(trainer), trainer.network
        try:
            plain = trainer.config.replace({"objectives.score_teacher": False})
            trainer.config, config = plain, trainer.config
            assert same(trainer.evaluate(by_mir_eval=True), validations[-1].scores)
            trainer.network = network
            assert not same(trainer.evaluate(by_mir_eval=True), validations[-1].scores)
        finally:
            trainer.network, trainer.config = network, config

    def test_the_best_weights_are_the_teacher_s(self, ended):
        trainer, validations = ended
        assert trainer.best.weights
        if trainer.best.batch == validations[-1].batch:
            weights = teacher_of(trainer).state_dict()
            assert all(torch.equal(w, weights[n]) for n, w in trainer.best.weights.items())

    def test_training_is_the_same(self, ended, brief, sets):
        plain = Trainer(brief.replace({"objectives.teacher_decay": 0.7}), sets)
        losses = [v.losses for v in plain.run()]
        assert [v.losses for v in ended[1]] == losses
        weights = teacher_of(plain).state_dict()
        ours = teacher_of(ended[0]).state_dict()
        assert all(torch.equal(w, weights[n]) for n, w in ours.items())


class TestPseudoLabels:
    """With what is remembered of the labels from batch to batch."""

    @pytest.fixture(scope="class")
    def config(self, brief):
        return brief.replace(
            {
                "objectives.teacher_decay": 0.7,
                "objectives.labelled_targets": "truth",
                "objectives.pseudo_labels": {"ones": 0.7, "signal": 40.0, "memory": 0.8},
            }
        )

    def test_a_trial_resumed_between_validations_is_the_same(self, config, sets, tmp_path):
        whole = Trainer(config, sets)
        expected = list(whole.run())
        first = Trainer(config, sets)
        with pytest.raises(InterruptedTrainingError):
            list(first.run(lambda: first.batch > 0))
        assert first.batch == 1
        first.save(tmp_path / "checkpoint")
        second = Trainer(config, sets)
        second.load(tmp_path / "checkpoint")
        assert same(numbers(list(second.run())), numbers(expected))
        (ours,), (theirs,) = (t.loss.state_dict().values() for t in (second, whole))
        assert torch.equal(ours, theirs)
        assert float(ours[1]) == pytest.approx(1 - 0.8**6), "six batches"

    def test_a_checkpoint_without_it_is_refused(self, config, sets, tmp_path):
        trainer = Trainer(config, sets)
        trainer.loss = Trainer(config.replace({"objectives.pseudo_labels.ones": 0}), sets).loss
        trainer.save(tmp_path / "checkpoint")
        with pytest.raises(UserError, match="pitches_per_frame"):
            Trainer(config, sets).load(tmp_path / "checkpoint")

    def test_peaks_are_those_of_unrounded_logits(self, config, sets, monkeypatch):
        trainer = Trainer(config, sets)
        trainer.mixed = True
        steps = []

        def backward(step):
            steps.append(step)
            return {}

        monkeypatch.setattr(trainer.loss, "backward", backward)
        trainer._step(0)
        features, exact = steps[0].batch.features, teacher_of(trainer)
        assert torch.equal(steps[0].teacher(features), exact(features))
        assert not torch.equal(steps[0].network(features), trainer.network(features))

    def test_measuring_changes_nothing(self, config, sets):
        losses = []
        for every in (None, 1):
            trainer = Trainer(config, sets, diagnostics=every)
            losses.append([v.losses for v in trainer.run()])
        assert losses[0] == losses[1]


@pytest.mark.parametrize("name", ESTIMATES)
class TestNoNetwork:
    """The signal itself, validated like a network."""

    def test_nothing_is_trained(self, name, brief, sets):
        config = brief.replace({"model.network": name})
        trainer = Trainer(config, sets, diagnostics=1)
        validations = list(trainer.run())
        assert [v.batch for v in validations] == [2, 4, 6]
        assert all(v.losses == {} for v in validations)
        assert same(*(v.scores for v in validations[:2]))
        assert same(validations[0].scores, validations[2].scores), "scored anew, by mir_eval too"
        assert [v.is_best for v in validations] == [True, False, False]
        assert 0.3 < validations[0].scores["URMP/validation"].means.average_precision < 1

    def test_an_interrupted_validation_is_made_up_for(self, name, brief, sets, tmp_path):
        config = brief.replace({"model.network": name})
        expected = list(Trainer(config, sets).run())
        first = Trainer(config, sets)
        run = first.run(lambda: first.batch == 4)
        head = [next(run)]
        with pytest.raises(InterruptedTrainingError):
            next(run)
        first.save(tmp_path / "checkpoint")
        second = Trainer(config, sets)
        second.load(tmp_path / "checkpoint")
        assert same(numbers([*head, *second.run()]), numbers(expected))

    def test_there_are_no_weights_to_use(self, name, brief, sets, tmp_path):
        trainer = Trainer(brief.replace({"model.network": name}), sets)
        next(trainer.run())
        trainer.save(tmp_path / "checkpoint")
        with pytest.raises(UserError, match="no weights: the trial has no network"):
            load_trained(tmp_path / "checkpoint", "cpu")
