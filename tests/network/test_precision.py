"""Training in bf16 where the processor has it."""

import math

import pytest
import torch

from ssmpe.config import TrainingConfig, TrialConfig
from ssmpe.network import precision
from ssmpe.network.precision import PrecisionError
from ssmpe.training.trainer import Trainer

needs_bf16 = pytest.mark.skipif(not precision.cpu_has_bf16(), reason="a processor without bf16")


@pytest.fixture
def mixed(brief) -> TrialConfig:
    return brief.replace({"training.mixed_precision_on_cpus": True})


def losses(config, sets):
    return [v.losses for v in Trainer(config, sets).run()]


def test_it_is_another_trial_only_if_asked_for(brief, mixed):
    assert brief.replace({"training.mixed_precision_on_cpus": False}).identity == brief.identity
    assert mixed.identity != brief.identity


@pytest.mark.parametrize("on_gpus", [True, False])
def test_of_cpus_and_gpus_each_has_its_own_setting(monkeypatch, on_gpus):
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    training = TrainingConfig(mixed_precision=on_gpus, mixed_precision_on_cpus=not on_gpus)
    assert precision.mixed(training, "cuda") is on_gpus
    assert precision.mixed(training, "cpu") is not on_gpus


def test_a_processor_without_it_is_told_from_one_with_it(monkeypatch, mixed, sets):
    for capabilities in ({"avx512_f": True}, {"avx512_bf16": False}, {}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found)
        with pytest.raises(PrecisionError, match="no instructions for bf16") as error:
            Trainer(mixed, sets)
        assert "\n" not in str(error.value)
    for name in ("avx512_bf16", "amx_bf16", "bf16"):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda name=name: {name: True})
        Trainer(mixed, sets)


OLDER = "import torch; torch.cpu.get_capabilities = lambda: {'avx512_f': True}"


@pytest.mark.long  # in brief: the test before
def test_a_sweep_where_no_processor_has_it_says_so_in_a_line(world, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(OLDER)  # of every process of the sweep
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    asked = ("--set", "training.mixed_precision_on_cpus=true")
    from tests.support import sweeping  # takes a second, with MLflow

    code, output = sweeping.run(
        tmp_path, "sample_count.py", "--rows", "Ref.", *sweeping.BRIEF, *asked
    )
    assert code == 1, output
    (told,) = [line for line in output.split("failed trial")[1].splitlines() if "bf16" in line]
    assert "no instructions for bf16" in told
    assert "Traceback" not in output


@needs_bf16
def test_losses_are_those_in_full_precision_but_for_its_rounding(brief, mixed, sets):
    rounded, exact = losses(mixed, sets), losses(brief, sets)
    for ours, theirs in zip(rounded, exact, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert math.isclose(value, theirs[name], rel_tol=0.03, abs_tol=1e-3), name
    assert rounded != exact


@needs_bf16
def test_a_rerun_is_the_same(mixed, sets):
    assert losses(mixed, sets) == losses(mixed, sets)


@needs_bf16
def test_a_resumed_trial_is_the_same(mixed, sets, tmp_path):
    whole = losses(mixed, sets)
    begun = Trainer(mixed, sets)
    next(begun.run())
    begun.save(tmp_path / "checkpoint")
    resumed = Trainer(mixed, sets)
    resumed.load(tmp_path / "checkpoint")
    assert [v.losses for v in resumed.run()] == whole[1:]


@needs_bf16
def test_weights_stay_in_full_precision_and_so_do_validations(brief, mixed, sets):
    trainer = Trainer(mixed, sets)
    validation = list(trainer.run())[-1]
    assert {p.dtype for p in trainer.network.parameters()} == {torch.float32}
    scores = trainer.evaluate()
    plain = Trainer(brief, sets)
    plain.network.load_state_dict(trainer.network.state_dict())
    assert repr(plain.evaluate()) == repr(scores) == repr(validation.scores)
