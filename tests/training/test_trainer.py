"""Trials of a few batches on the embedded world."""

import dataclasses
import itertools
import json
import math
import threading

import numpy as np
import pytest
import torch

from ssmpe.config import TrialConfig
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.evaluation.notes import tuned_rule
from ssmpe.network.model import Autoencoder
from ssmpe.objectives import Step
from ssmpe.runner.trial import reports
from ssmpe.seeding import numpy_generator, torch_generator
from ssmpe.signal.features import frame_rms
from ssmpe.signal.hcqt import HCQT
from ssmpe.signal.notes import NoteRule, Semitones
from ssmpe.tracking import schema
from ssmpe.training import checkpoint
from ssmpe.training.batches import BatchMaker, excerpt_target
from ssmpe.training.checkpoint import BEST, Best
from ssmpe.training.optimizer import lr_scale
from ssmpe.training.trainer import DivergedError, InterruptedTrainingError, Trainer
from ssmpe.transcription.trained import load_trained
from ssmpe.units import frame_times
from tests.support.checkpoints import as_0_3_0_wrote

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


def test_drums_are_as_loud_as_the_batch_and_the_excerpt_have_drawn(brief, sets):
    """The transform is linear: bins over those of the same drums at full volume."""
    maker = BatchMaker(brief, sets, HCQT(brief.geometry), EVERYTHING, "cpu")
    volumes = []
    for index in range(4):
        drums = [excerpt for s in maker._sources for _, excerpt in s.drums.batch(index, s.count)]
        full = maker.hcqt.distinct(maker._stack(drums)).abs()
        drawn = maker._drum_bins(index, [0, 1, 2]).abs()
        loud = full > 1e-3 * full.amax()
        for own, whole, there in zip(drawn, full, loud, strict=True):
            ratio = (own[there] / whole[there]).double()
            assert float(ratio.std()) < 1e-3
            volumes.append(round(float(ratio.mean()), 3))
    told = [
        numpy_generator("volume", ("excerpts", 0, "E-GMD/train", name), index).random(
            (n, 1, 1), dtype=np.float32
        )
        for index in range(4)
        for name, n in (("URMP/train", 2), ("NSynth/train", 1))
    ]
    assert volumes == pytest.approx(np.concatenate(told).ravel().tolist(), abs=2e-3)
    assert all(0 <= volume < 1 for volume in volumes)
    assert len(set(volumes)) == 12  # of every batch, set and excerpt another
    assert max(volumes) - min(volumes) > 0.5


def test_drums_are_drawn_for_every_set_by_itself(brief, sets):
    maker = BatchMaker(brief, sets, HCQT(brief.geometry), EVERYTHING, "cpu")
    own, added = (source.drums for source in maker._sources)
    assert own.identity != added.identity
    drawn = [
        [(track, e.start) for index in range(8) for track, e in drums.batch(index, 2)]
        for drums in (own, added)
    ]
    assert drawn[0] != drawn[1]


def test_only_what_is_needed_is_made(brief, sets):
    hcqt = HCQT(brief.geometry)
    bare = BatchMaker(brief, sets, hcqt, frozenset(), "cpu")(3)
    assert (bare.percussive, bare.mixture, bare.rms) == (None, None, None)
    maker = BatchMaker(brief, sets, hcqt, EVERYTHING, "cpu")
    batch = maker(3)
    drawn = [e for s in maker._sources for _, e in s.excerpts.batch(3, s.count)]
    assert batch.rms is not None
    assert torch.equal(batch.rms, frame_rms(maker._stack(drawn), brief.geometry.hop_length))
    assert batch.rms.max() > 0
    assert torch.equal(batch.features, bare.features)


def test_what_excerpts_are_drawn_by(brief, sets):
    """Every stored number depends on it. Labelled sets begin each epoch with a fresh batch."""
    maker = BatchMaker(brief, sets, HCQT(brief.geometry), EVERYTHING, "cpu")
    drawn = [s.excerpts for s in maker._sources]
    assert [e.identity for e in drawn] == [
        ("excerpts", 0, "URMP/train", ""),
        ("excerpts", 0, "NSynth/train", ""),
    ]
    assert [e.drop_incomplete for e in drawn] == [True, False]
    assert not any(s.drums.drop_incomplete for s in maker._sources)


def test_nothing_sounds_in_the_zeros_around_a_short_track(brief):
    """A track of half a second, in an excerpt that begins a quarter of a second before it."""
    g = brief.geometry
    note = NoteAnnotation(np.array([0.0]), np.array([9.0]), g.bin_frequencies[[50]])
    times = frame_times(g.excerpt_frames, g.hop_length, g.sample_rate)
    start, length = -g.sample_rate // 4, g.sample_rate // 2
    target = excerpt_target(note, start, times, length, brief)
    assert target.shape == (g.n_bins, g.excerpt_frames)
    expected = (times >= 0.25) & (times <= 0.75)
    assert expected.any()
    assert (target[50] == expected).all()


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


@pytest.mark.parametrize("name", ["energy", "harmonic_sum"])
class TestNoNetwork:
    """The signal itself, validated like a network."""

    def test_nothing_is_trained(self, name, brief, sets):
        config = brief.replace({"model.network": name})
        trainer = Trainer(config, sets, diagnostics=1)
        validations = list(trainer.run())
        assert [v.batch for v in validations] == [2, 4, 6]
        assert all(v.losses == {} for v in validations)
        assert same(*(v.scores for v in validations[:2]))
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
