"""The ways that GPUs take, with the CPU's numbers: a device apart from the host's memory."""

from dataclasses import astuple

import numpy as np
import pytest
import soundfile
import torch

from ssmpe.config import ObjectivesConfig
from ssmpe.config.model import ESTIMATES
from ssmpe.config.objectives import PSEUDO_LABELS, PseudoLabelsConfig
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.objectives import REGISTRY, Batch
from ssmpe.objectives.targets import Targets
from ssmpe.runner.trial.device import make_repeatable
from ssmpe.training.trainer import Trainer
from ssmpe.transcription.streaming import Recording
from tests.objectives.test_targets import invented
from tests.support import elsewhere
from tests.support.elsewhere import watched


@pytest.fixture(scope="module")
def device():
    torch.backends.cudnn.allow_tf32 = False  # which has three digits
    yield elsewhere.device()
    torch.backends.cudnn.allow_tf32 = True


@pytest.fixture(scope="module")
def brief(brief):
    """Return one with short excerpts and small sets: what runs on a stand-in takes longer."""
    small = {"data.validation": "GuitarSet/00", "data.evaluation": ["NSynth/valid"]}
    return brief.replace({**small, "geometry.excerpt_seconds": 0.5})


@pytest.fixture(scope="module")
def sets(world, brief):
    return load_sets(brief.data, brief.geometry.sample_rate, Locations(world), cache_dir())


@pytest.fixture(scope="module")
def everything(brief):
    """Return a trial with all objectives and targets from a teacher."""
    return brief.replace(
        {
            "objectives.weights": dict.fromkeys(REGISTRY, 0.1) | {"supervised": 1.0},
            "objectives.teacher_decay": 0.9,
            "training.mixed_precision": False,
        }
    )


def test_what_a_gpu_refuses_is_refused(device):
    x = torch.ones(2, 3, device=device)
    with pytest.raises(RuntimeError, match="device"):
        x + torch.ones(2, 3)
    assert (x + torch.tensor(1.0)).device.type == device
    with watched() as waits:
        x.sum().item(), x.cpu(), x[x > 0]
    assert len(waits) == 3


def test_training_gives_the_same_numbers_without_waiting(everything, sets, device):
    own, other = Trainer(everything, sets), Trainer(everything, sets, device)
    for batch in range(3):
        losses = own._step(batch)
        with watched() as waits:
            found = other._step(batch)
        assert not waits
        assert {name: float(x) for name, x in found.items()} == pytest.approx(
            {name: float(x) for name, x in losses.items()}, rel=1e-4
        )
    for theirs, ours in zip(other.network.parameters(), own.network.parameters(), strict=True):
        torch.testing.assert_close(theirs.cpu(), ours, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("rule", "estimate"),
    [*((rule, "energy") for rule in PSEUDO_LABELS), *(("rank", name) for name in ESTIMATES[1:])],
)
def test_pseudo_labels_are_the_same_without_waiting(geometry, device, rule, estimate):
    pseudo = PseudoLabelsConfig(ones=0.7, signal=40.0, rule=rule, estimate=estimate)
    config = ObjectivesConfig(pseudo_labels=pseudo)
    own, other = Targets(config, geometry), Targets(config, geometry)
    for seed in range(2):
        batch = invented(geometry, seed)
        logits = 8.0 * batch.features.mean(dim=1) - 4.0
        taught = own.taught(batch, logits, None)
        there = Batch(batch.features.to(device), batch.target.to(device))
        given = logits.to(device)
        with watched() as waits:
            found = other.taught(there, given, None)
        assert seed == 0 or not waits  # what is remembered begins in the host's memory
        for name in ("unlabelled", "ignored"):
            theirs, ours = getattr(found, name), getattr(taught, name)
            torch.testing.assert_close(theirs.cpu(), ours, rtol=1e-4, atol=1e-5)
        for targets in (own, other):
            targets.follow()


def test_projected_gradients_are_the_same_without_waiting(brief, sets, device):
    config = brief.replace(
        {"objectives.project_conflicts": True, "training.mixed_precision": False}
    )
    own, other = Trainer(config, sets), Trainer(config, sets, device)
    for index in range(2):
        own._step(index)
        with watched() as waits:
            other._step(index)
        assert not waits
    for theirs, ours in zip(other.network.parameters(), own.network.parameters(), strict=True):
        torch.testing.assert_close(theirs.cpu(), ours, rtol=1e-3, atol=1e-4)


def test_repeatable_arithmetic_gives_these_numbers_too(everything, sets, device, recwarn):
    """Which a GPU's trials use; that its bits are then the same every time, only a GPU can show."""
    plain = Trainer(everything, sets, device)._step(0)
    try:
        torch.backends.cudnn.allow_tf32 = True
        make_repeatable()
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.allow_tf32
        repeatable = Trainer(everything, sets, device)
        assert float(repeatable._step(0)["total"]) == pytest.approx(float(plain["total"]), rel=1e-5)
        repeatable.evaluate()
    finally:
        make_repeatable(False)
    assert not [w for w in recwarn if "deterministic" in str(w.message)]


def test_in_bf16_the_numbers_are_near_and_objectives_get_float32(everything, sets, device):
    mixed = everything.replace({"training.mixed_precision": True})
    own, other = Trainer(everything, sets), Trainer(mixed, sets, device)
    assert (own.mixed, other.mixed) == (False, True)
    features = own.batches(0).features
    exact = own._passes(own.network)(features)
    rounded = other._passes(other.network)(features.to(device)).cpu()
    assert rounded.dtype == torch.float32
    difference = (rounded - exact).abs().max()
    assert 1e-4 < difference < 0.1  # of bf16's three digits
    with watched() as waits:
        losses = other._step(0)
    assert not waits
    assert float(losses["total"]) == pytest.approx(float(own._step(0)["total"]), rel=1e-2)


@pytest.mark.parametrize("by_mir_eval", [False, True])
def test_scores_are_the_same_after_one_wait_for_a_set(brief, sets, device, by_mir_eval):
    loud = brief.replace({"model.output_bias": 0.0})
    own, other = Trainer(loud, sets), Trainer(loud, sets, device)
    scores = own.evaluate(by_mir_eval=by_mir_eval)
    with watched() as waits:
        found = other.evaluate(by_mir_eval=by_mir_eval)
    if not by_mir_eval:
        assert len(waits) == len(scores)
    for name, of_set in scores.items():
        assert of_set.means.pitches_per_frame > 1
        close = pytest.approx(astuple(of_set.means), rel=1e-3, nan_ok=True)
        assert astuple(found[name].means) == close


def test_a_trial_begun_there_goes_on_here(brief, sets, device, tmp_path):
    own, other = Trainer(brief, sets), Trainer(brief, sets, device)
    next(own.run())
    at_first = next(other.run())
    other.save(tmp_path / "there")
    resumed = Trainer(brief, sets)
    assert resumed.load(tmp_path / "there")["batch"] == at_first.batch
    for theirs, ours in zip(resumed.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(theirs, ours.cpu())
    last, undisturbed = list(resumed.run())[-1], list(own.run())[-1]
    assert last.losses == pytest.approx(undisturbed.losses, rel=0.05)  # its beginning was in bf16


def test_diagnostics_change_nothing_there_either(everything, sets, device):
    plain, watching = Trainer(everything, sets, device), Trainer(everything, sets, device, None, 1)
    assert plain._step(0)["total"].cpu() == watching._step(0)["total"].cpu()
    assert watching.diagnostics is not None
    measured = watching.diagnostics.collect()
    assert measured is not None
    assert measured.gradients


def test_recordings_are_transcribed_the_same(brief, sets, device, tmp_path):
    path = tmp_path / "tone.wav"
    seconds = np.arange(12 * 22_050) / 22_050
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440.0 * seconds), 22_050)
    loud = brief.replace({"model.output_bias": 0.0})
    found = {}
    for name in ("cpu", device):
        trainer = Trainer(loud, sets, name)
        recording = Recording(path, trainer.hcqt, name, lambda *_: None)
        found[name] = [piece.salience for piece in recording.pieces(trainer.network.eval())]
    for theirs, ours in zip(found[device], found["cpu"], strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-5)
