"""Searches with real Ray, Optuna and MLflow, run as a user runs them."""

import json
import os
import signal
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from ssmpe.cli import main
from ssmpe.experiments.search import Search, minimise
from ssmpe.tracking import schema
from sweeps.hyperparameters import SWEEP as SEARCH
from tests.support import sweeping
from tests.support.processes import titled, tree

SCRIPT = '''
"""Does a search go on where it was?"""
from ssmpe.cli import main
from ssmpe.experiments.deltas import self_supervised_scaled
from ssmpe.experiments.search import Search, maximise, minimise
from ssmpe.experiments.sweep import Delta

def space(trial, base):
    yield self_supervised_scaled(base, trial.suggest_float("self_supervised", 0.1, 2.0, log=True))
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
    yield Delta("rate", {"training.learning_rate": rate})
    if trial.number == 1:
        yield Delta("runaway", {"training.weight_decay": 1e30})

SEARCH = Search(
    name="brief_search",
    question=__doc__.strip(),
    common=lambda base: [Delta("", {"data.added": {"NSynth/train": 1}})],
    space=space,
    objectives=lambda c: (maximise("GuitarSet/00/mean_peak"), minimise("GuitarSet/00/blank_rate")),
    start={"self_supervised": 0.1, "learning_rate": 1e-2},
    n_trials=5,
)
if __name__ == "__main__":
    raise SystemExit(main(SEARCH))
'''
"""The first trial is the best, the second diverges, and those after them are pruned."""
BRIEF = (
    *("--set", "data.labelled_excerpts=1"),
    *("--set", "data.evaluation=[]"),
    *("--set", "data.validation=GuitarSet/00"),
    *("--set", "geometry.excerpt_seconds=0.4"),
    *("--set", "training.n_batches=20"),
    *("--set", "training.validate_every=2"),
    *("--set", "training.warmup_batches=2"),
    *("--concurrent", "1"),
)


def script_in(folder: Path) -> Path:
    path = folder / "brief_search.py"
    path.write_text(SCRIPT)
    return path


def study_in(folder: Path) -> optuna.Study:
    """Open the study as Optuna's dashboard does."""
    return optuna.load_study(
        study_name=sweeping.runs(folder, "sweep")[0].data.tags[schema.SWEEP],
        storage=f"sqlite:///{folder / 'results' / 'optuna.db'}",
    )


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    code, output = sweeping.run(folder, script_in(folder), *BRIEF)
    assert code == 1, output  # one trial diverges
    return folder, output


def test_optuna_opens_the_study_beside_the_store(undisturbed):
    folder, _ = undisturbed
    study = study_in(folder)
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    states = [t.state for t in study.trials]
    assert states[:2] == [TrialState.COMPLETE, TrialState.FAIL]
    assert set(states[2:]) <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert TrialState.PRUNED in states
    assert len(states) == 5
    assert study.trials[0].params == {"self_supervised": 0.1, "learning_rate": 1e-2}


def test_every_suggestion_is_a_run_of_its_own(undisturbed):
    folder, _ = undisturbed
    trials = {t.number: t for t in study_in(folder).trials}
    runs = sweeping.runs(folder, "trial")
    assert [r.data.tags[schema.ROW] for r in runs] == [f"#{n}" for n in range(5)]
    for run in runs:
        trial = trials[int(run.data.tags[schema.SUGGESTION])]
        assert run.data.tags[schema.END_REASON] == trial.user_attrs[schema.END_REASON]
        for name, value in trial.params.items():
            assert float(run.data.params[schema.SUGGESTED + name]) == value
        assert float(run.data.params["training.learning_rate"]) == trial.params["learning_rate"]
        if trial.values:
            assert trial.values[0] == run.data.metrics["GuitarSet/00/mean_peak"]


def test_the_parent_says_what_is_searched(undisturbed):
    folder, output = undisturbed
    (parent,) = sweeping.runs(folder, "sweep")
    assert f"sweep {parent.data.tags[schema.SWEEP]}: 5 trials" in output
    assert parent.data.tags[schema.PLANNED] == "5"
    assert json.loads(parent.data.tags[schema.SPACE]).keys() == {"self_supervised", "learning_rate"}
    assert json.loads(parent.data.tags[schema.OBJECTIVES])[0] == [
        *("GuitarSet/00/mean_peak", "maximize")
    ]
    assert "the loss became" in output


@pytest.mark.parametrize(
    "when",
    [
        pytest.param("#0 seed 0                   6/20", marks=pytest.mark.long),
        "#3 seed 0                   2/20",
    ],
)
def test_a_killed_search_resumes_to_the_same_result(undisturbed, tmp_path, when):
    """One at a time, a search is reproducible; the study is all that a resume needs."""
    process = sweeping.start(tmp_path, script_in(tmp_path), *BRIEF)
    output = sweeping.read_until(process, when)
    process.send_signal(signal.SIGKILL)
    process.wait()
    name = sweeping.sweep_name(output)
    code, resumed = sweeping.run(tmp_path, script_in(tmp_path), "--resume", name)
    assert code == 1, resumed
    assert sweeping.content(tmp_path) == sweeping.content(undisturbed[0])
    for one, other in zip(study_in(tmp_path).trials, study_in(undisturbed[0]).trials, strict=True):
        assert (one.state, one.values, one.params) == (other.state, other.values, other.params)


@pytest.mark.long  # in brief, with invented curves: tests/runner/test_retries.py
def test_a_trial_killed_again_and_again_before_it_has_begun_changes_nothing(undisturbed, tmp_path):
    process = sweeping.start(tmp_path, script_in(tmp_path), *BRIEF)
    output = sweeping.read_until(process, "#0 seed 0                   0/20")
    killed: set[int] = set()
    deadline = time.monotonic() + 240
    while len(killed) < 6 and time.monotonic() < deadline:
        for pid in titled(tree(process.pid) - killed, "ray::TrialTrainable"):
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.1)
    rest, _ = process.communicate(timeout=600)
    assert len(killed) >= 6, rest
    assert process.returncode == 1, rest
    assert "#0 seed 0" not in (output + rest).split("failed trial")[1]
    assert sweeping.content(tmp_path) == sweeping.content(undisturbed[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rows", "Ref."), "no rows"),
        (("--seeds", "0,1"), "one seed"),
        (("--trials", "0"), "--trials 0"),
        (("--set", "objectives.stop_gradient=true"), "that is what the search varies"),
        (("--set", "data.evaluation=[]"), "adds its first set, so name one"),
        (("--set", 'data.evaluation=["URMP/validation"]'), "or chooses weights"),
        (("--set", 'data.evaluation=["URMP/train"]'), "learnt from"),
        (("--folder", "mine=/tmp"), "data.evaluation="),
        (("--set", "training.seed=1"), "--seeds"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(SEARCH, None, arguments) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not list(tmp_path.glob("results/sweeps/*"))


@pytest.mark.parametrize("preset", ["tiny", "paper"])
def test_dry_run_shows_the_space(tmp_path, monkeypatch, capsys, preset):
    monkeypatch.chdir(tmp_path)
    assert main(SEARCH, None, ["--preset", preset, "--trials", "7", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "self_supervised" in said
    assert "0.1 to 2 (logarithmic)" in said
    assert "added: MusicNet/train" in said
    assert "minimize MusicNet/train/blank_rate" in said
    assert "7 trials (seeds 0)" in said
    assert not list(tmp_path.iterdir())


def test_nothing_is_chosen_by_a_test_set():
    assert isinstance(SEARCH, Search)
    from ssmpe.config.presets import tiny

    base = SEARCH.base(tiny(), [0], {})
    assert base.data.evaluated_sets == ("URMP/validation", "MusicNet/train")
    assert {o.set_name for o in SEARCH.objectives(base)} == set(base.data.evaluated_sets)
    first = SEARCH.samples(base)[0].config
    assert first.data.added == {"MusicNet/train": 8}
    assert first.objectives == tiny().objectives
    assert first.training == base.training


def test_the_set_that_is_evaluated_is_added_and_watched():
    from ssmpe.config.presets import tiny

    base = SEARCH.base(tiny(), [0], {"data.evaluation": ["FMA/train", "Bach10/all"]})
    assert minimise("FMA/train/blank_rate_tuned") in SEARCH.objectives(base)
    assert {tuple(s.config.data.added) for s in SEARCH.samples(base)} == {("FMA/train",)}
