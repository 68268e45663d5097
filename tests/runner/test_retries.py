"""Trials that run out of memory, or whose processes die: real Ray, invented curves."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import ray
import torch
from optuna.trial import FrozenTrial, TrialState

from ssmpe.runner.cluster import resources
from ssmpe.runner.cluster.cluster import LOOPBACK, only_loopback
from ssmpe.runner.cluster.resources import Share
from ssmpe.runner.trial import training
from ssmpe.tracking.schema import END_REASON
from tests.support import sweeping
from tests.support.actors import Doubtful, Greedy, Mortal, Unwelcome
from tests.support.invented import planned, planned_search, run


@pytest.fixture(scope="module", autouse=True)
def two_cores_and_a_card():
    """Start Ray, which takes the user's word for it that there is a GPU."""
    # with tokens, Ray would make one for all of the user's clusters
    with pytest.MonkeyPatch.context() as patch, only_loopback():
        patch.setenv("RAY_AUTH_MODE", "disabled")
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=1,
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address=LOOPBACK,
        )
        yield
        ray.shutdown()


def refused_by_torch() -> None:
    torch.empty(2**50, dtype=torch.uint8)


def refused_by_numpy() -> None:
    np.zeros(2**50, dtype=np.uint8)


def refused_by_a_card() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")  # without one, only its name is to be had


@pytest.mark.parametrize("ask", [refused_by_torch, refused_by_numpy, refused_by_a_card])
def test_a_device_that_refuses_memory_is_told_from_other_errors(ask):
    with pytest.raises((RuntimeError, MemoryError)) as error:
        ask()
    assert training.is_out_of_memory(error.value)
    assert not training.is_out_of_memory(RuntimeError("shape mismatch"))


def reasons(folder: Path) -> list[str]:
    if not (folder / "results").exists():
        (folder / "results").mkdir()
        (folder / "results" / "mlflow.db").symlink_to(folder / "mlflow.db")
    return [trial.data.tags[END_REASON] for trial in sweeping.runs(folder, "trial")]


def test_what_runs_out_of_memory_is_run_once_more_with_a_larger_share(tmp_path):
    code, output = run(planned(2, tmp_path, gpus=0.25), tmp_path, Greedy)
    assert code == 0, output
    for seed in (0, 1):
        again = f"out of memory: Ref. seed {seed}: once more, with 0.5 of a GPU"
        assert output.count(again) == 1
    assert output.count("once more") == 2
    assert "to use its best network: ssmpe transcribe song.wav" in output
    assert reasons(tmp_path) == ["completed", "completed"]


def test_what_runs_out_of_memory_again_fails(tmp_path):
    code, output = run(planned(1, tmp_path, gpus=0.1), tmp_path, Greedy)
    assert code == 1, output
    assert output.count("once more, with 0.2 of a GPU") == 1
    assert "Ref. seed 0" in output.split("failed trial")[1]
    assert "its best network" not in output  # it has none
    assert reasons(tmp_path) == ["failed"]


@pytest.mark.long  # in brief: TestSearch in tests/runner/test_queue.py, and the two tests before
def test_a_trial_of_a_search_that_runs_out_of_memory_is_run_once_more(tmp_path):
    plan = replace(planned_search(tmp_path), gpus_per_trial=0.25)
    code, output = run(plan, tmp_path, Greedy)
    assert code == 0, output
    for number in range(3):
        told = f"out of memory: #{number} seed 0: once more, with 0.5 of a GPU"
        assert output.count(told) == 1
    states = [t.state for t in trials_of_the_study(tmp_path)]
    assert len(states) == 3
    assert set(states) <= {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.long
def test_a_trial_of_a_search_that_runs_out_of_memory_again_fails(tmp_path):
    plan = replace(planned_search(tmp_path), gpus_per_trial=0.1)
    code, output = run(plan, tmp_path, Greedy)
    assert code == 1, output
    assert output.count("once more, with 0.2 of a GPU") == 3
    assert output.split("failed trial")[1].count("more than its share") == 3
    assert reasons(tmp_path) == ["failed"] * 3


def test_what_is_live_outlasts_tune_s_pickling(tmp_path):
    """Tune writes searcher and callback to its snapshots; what they hold stays as it is."""
    (tmp_path / "deaths").write_text("5")  # more than Tune restarts a trial
    plan = planned(2, tmp_path)
    code, output = run(plan, tmp_path, Mortal)
    assert code == 0, output
    assert (tmp_path / "deaths").read_text() == "0"
    assert reasons(tmp_path) == ["completed", "completed"]
    snapshots = list(plan.scratch(tmp_path).glob("*/tuner.pkl"))
    assert len(snapshots) == 1, "one Tuner for a command"
    callback = pickle.loads(snapshots[0].read_bytes())["_run_config"].callbacks[0]
    assert vars(callback._session) == {}


@pytest.mark.long  # in brief: that of a search, below
def test_a_process_may_die_before_its_trial_has_begun(tmp_path):
    (tmp_path / "deaths").write_text("6")
    code, output = run(planned(1, tmp_path), tmp_path, Mortal)
    assert code == 0, output
    assert reasons(tmp_path) == ["completed"]


@pytest.mark.long
def test_a_trial_that_kills_every_process_fails_at_last(tmp_path):
    (tmp_path / "deaths").write_text("1000")
    code, output = run(planned(1, tmp_path), tmp_path, Mortal)
    assert code == 1, output
    assert "Ref. seed 0" in output.split("failed trial")[1]
    assert reasons(tmp_path) == ["failed"]
    # neither too early nor for ever
    assert 4 <= 1000 - int((tmp_path / "deaths").read_text()) <= 20


@pytest.mark.parametrize("make", [lambda folder: planned(2, folder), planned_search])
def test_what_no_node_can_run_fails_with_the_reason(tmp_path, make):
    code, output = run(make(tmp_path), tmp_path, Unwelcome)
    assert code == 1, output
    told = output.split("failed trial")[1]
    assert "node here: has no storage" in told
    assert set(reasons(tmp_path)) == {"failed"}


def trials_of_the_study(folder: Path) -> list[FrozenTrial]:
    study = optuna.load_study(study_name="invented", storage=f"sqlite:///{folder}/optuna.db")
    return study.trials


def test_a_trial_of_a_search_goes_on_when_its_process_died_before_it_had_begun(tmp_path):
    expected, disturbed = tmp_path / "expected", tmp_path / "disturbed"
    for folder, deaths in ((expected, 0), (disturbed, 6)):
        folder.mkdir()
        (folder / "deaths").write_text(str(deaths))
        code, output = run(planned_search(folder), folder, Mortal)
        assert code == 0, output
        # by tuned F1, which is above 0 from the start, the last one is behind
        assert reasons(folder) == ["completed", "completed", "pruned"]
    told, found = trials_of_the_study(expected), trials_of_the_study(disturbed)
    assert [t.params for t in found] == [t.params for t in told], "what came after hangs on it"
    assert [(t.state, t.values) for t in found] == [(t.state, t.values) for t in told]
    assert len(found) == 3


@pytest.mark.long
def test_a_failed_trial_of_a_search_is_run_again_by_a_resume(tmp_path):
    (tmp_path / "deaths").write_text("1000")
    plan = planned_search(tmp_path)
    code, output = run(plan, tmp_path, Mortal)
    assert code == 1, output
    assert all(f"#{n} seed 0" in output.split("failed trial")[1] for n in range(3))
    assert reasons(tmp_path) == ["failed"] * 3
    (tmp_path / "deaths").write_text("0")
    code, output = run(plan, tmp_path, Mortal)
    assert code == 0, output
    assert "failed trial" not in output
    # one may be pruned, as in any search
    assert len(reasons(tmp_path)) == 3
    assert set(reasons(tmp_path)) <= {"completed", "pruned"}
    states = [t.state for t in trials_of_the_study(tmp_path)]
    assert len(states) == 3
    assert set(states) <= {TrialState.COMPLETE, TrialState.PRUNED}


def test_a_resume_of_a_search_runs_again_what_failed_by_no_fault_of_its_own(tmp_path):
    plan, amiss, begun = planned_search(tmp_path), tmp_path / "amiss", tmp_path / "begun"
    amiss.touch()
    code, output = run(plan, tmp_path, Doubtful)
    assert code == 1, output
    assert output.split("failed trial")[1].count("this node's data") == 2
    assert reasons(tmp_path) == ["failed"] * 3
    amiss.unlink()
    begun.unlink()
    code, output = run(plan, tmp_path, Doubtful)
    assert code == 1, output
    assert "ran away" in output.split("failed trial")[1]
    assert "this node's data" not in output.split("failed trial")[1]
    assert reasons(tmp_path) == ["failed", "completed", "completed"]
    assert "#0" not in begun.read_text().split(), "what diverged would do so again"
    states = [t.state for t in trials_of_the_study(tmp_path)]
    assert states == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]


@pytest.mark.parametrize(
    ("share", "larger"),
    [
        (Share(2, 0.25), Share(2, 0.5)),
        (Share(2, 0.6), Share(2, 1.0)),
        (Share(2, 1.0), None),
        (Share(2), Share(2, memory=8000)),
        (Share(2, memory=8000), Share(2, memory=16000)),
        (Share(2, memory=16000), None),
    ],
)
def test_larger_shares_keep_the_threads(share, larger):
    assert share.larger(node_memory=16000, at_once=4) == larger


def test_the_largest_node_is_asked_for_its_memory():
    room, at_once = resources.memory(Share(1), None)
    assert room > 2**28
    assert at_once == 2
