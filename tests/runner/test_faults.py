"""Whatever dies in the midst of a sweep, its result is the same (real Ray, real processes)."""

import contextlib
import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest

from ssmpe.cli import main
from ssmpe.data.store.cache import cache_dir
from ssmpe.runner import run
from ssmpe.runner.planning.provision import Prepared
from ssmpe.runner.trial.checkpoints import Checkpoints, Stage, require_begun
from ssmpe.runner.trial.training import run_trial
from ssmpe.runner.tuner import worker_of
from ssmpe.tracking import schema
from ssmpe.training.trainer import InterruptedTrainingError
from sweeps.sample_count import SWEEP
from tests.support import invented, raylets, sweeping
from tests.support.object_storage import bucket, s3  # noqa: F401
from tests.support.processes import running, titled, tree

RESUME = (sweeping.UNREPORTED, "sample_count", "--resume")


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    return sweeping.undisturbed(tmp_path_factory)


@pytest.fixture
def refused(monkeypatch, capsys):
    """Return a function that resumes a sweep in a folder, and returns what that is refused with."""

    def resume(folder: Path, name: str) -> str:
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(run, "require_begun", partial(require_begun, patience=1.0))
            assert main(SWEEP, None, ("--resume", name)) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1, said.err
        return said.err

    return resume


@pytest.mark.long  # in brief: the last of the ends in the test that ends a sweep again and again
def test_trials_whose_processes_are_killed_go_on(undisturbed, tmp_path):
    process = sweeping.start(tmp_path, *sweeping.BOTH)
    sweeping.read_until(process, "6/24")
    victims = titled(tree(process.pid), "ray::TrialTrainable")
    assert len(victims) == 2
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    rest, _ = process.communicate(timeout=600)
    assert process.returncode == 0, rest
    assert sweeping.content(tmp_path) == undisturbed


@pytest.mark.long
def test_a_trial_may_die_more_often_than_it_is_restarted_if_it_gets_on(undisturbed, tmp_path):
    process = sweeping.start(tmp_path, *sweeping.BOTH)
    for batch in (3, 6, 9, 12, 15):
        sweeping.read_until(process, f" {batch}/24")
        for pid in titled(tree(process.pid), "ray::TrialTrainable"):
            os.kill(pid, signal.SIGKILL)
    rest, _ = process.communicate(timeout=600)
    assert process.returncode == 0, rest
    assert sweeping.content(tmp_path) == undisturbed


@pytest.mark.long
def test_a_driver_asked_to_end_does_so_in_order_and_the_sweep_resumes(undisturbed, tmp_path):
    process = sweeping.start(tmp_path, *sweeping.BOTH)
    output = sweeping.read_until(process, "6/24")
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130, rest
    name = sweeping.sweep_name(output)
    assert f"interrupted; continue with --resume {name}" in rest
    code, resumed = sweeping.run(tmp_path, *RESUME, name)
    assert code == 0, resumed
    assert sweeping.content(tmp_path) == undisturbed


def test_a_trial_asked_to_end_between_validations_stores_a_checkpoint(world, brief, tmp_path):
    plan = replace(invented.planned(1, tmp_path), data_root=str(world))
    checkpoints = Checkpoints(plan.storage, plan.name)
    checkpoints.begin()
    worker = asdict(worker_of(plan, Prepared(cache_dir(), {}, {}), 0.0))
    parameters = {"worker": worker, "trial": {"row": "Ref.", "config": brief.to_dict()}}
    questions = itertools.count()
    with pytest.raises(InterruptedTrainingError):
        list(run_trial(parameters, lambda: next(questions) >= 1))
    assert checkpoints.stages(brief.identity) == [Stage(1, validated=False)]
    assert [r["batch"] for r in run_trial(parameters) if "metrics" in r] == [2, 4, 6]


@pytest.mark.long  # in brief: tests/runner/test_checkpoints.py
def test_a_storage_server_that_does_not_answer_for_a_while_changes_nothing(
    undisturbed,
    s3,  # noqa: F811
    tmp_path,
):
    given = ("--storage", f"{bucket('outage')}/ssmpe")
    process = sweeping.start(tmp_path, *sweeping.BOTH, *given)
    output = sweeping.read_until(process, "6/24")
    os.kill(s3.pid, signal.SIGSTOP)
    try:
        time.sleep(12.0)
    finally:
        os.kill(s3.pid, signal.SIGCONT)
    rest, _ = process.communicate(timeout=600)
    assert process.returncode == 0, rest
    assert output.count("24/24") == 0, "it was away in the midst"
    assert sweeping.content(tmp_path) == undisturbed


def signalled(folder: Path, whom: str) -> tuple[int, str, str]:
    """End a sweep by SIGTERM as a batch system does; return its code, name and last words."""
    process = subprocess.Popen(
        sweeping.command(*sweeping.BOTH),
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    output = sweeping.read_until(process, "6/24")
    if whom == "group":
        os.killpg(process.pid, signal.SIGTERM)
    else:
        for pid in tree(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    rest, _ = process.communicate(timeout=120)
    return process.returncode, sweeping.sweep_name(output), rest


def interrupted(folder: Path) -> None:
    """Check that the store says so of a sweep both of whose trials were at work."""
    (parent,) = sweeping.runs(folder, "sweep")
    assert (parent.data.tags[schema.STATE], parent.info.status) == ("interrupted", "KILLED")
    assert {trial.info.status for trial in sweeping.runs(folder, "trial")} == {"KILLED"}


@pytest.mark.long  # in brief: the test below
def test_a_signal_to_every_process_of_a_sweep_is_an_interruption(undisturbed, tmp_path):
    code, name, rest = signalled(tmp_path, "all")
    assert code == 130, rest
    assert f"interrupted; continue with --resume {name}" in rest
    assert "Traceback" not in rest
    interrupted(tmp_path)
    code, resumed = sweeping.run(tmp_path, *RESUME, name)
    assert code == 0, resumed
    assert sweeping.content(tmp_path) == undisturbed


def test_a_sweep_that_is_ended_again_and_again_comes_to_the_same(undisturbed, refused, tmp_path):
    """By a signal to its process group, its budget, Ctrl-C, and no warning at all.

    Then its results are moved; and when it goes on, its trials' processes are asked to end.
    """
    before, now = tmp_path / "before", tmp_path / "now"
    before.mkdir()
    code, name, rest = signalled(before, "group")
    assert code == 130, rest
    assert f"interrupted; continue with --resume {name}" in rest
    assert "Traceback" not in rest
    interrupted(before)

    started = time.monotonic()
    code, output = sweeping.run(before, *RESUME, name, "--max-hours", "0.001")
    assert code == 124, output
    assert time.monotonic() - started > 3.6
    assert f"0.001 hours (--max-hours) are spent; continue with --resume {name}" in output

    process = sweeping.start(before, *RESUME, name, "--max-hours", "1")
    output = sweeping.read_until(process, sweeping.AT_WORK)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output + rest
    assert f"interrupted; continue with --resume {name}" in rest
    interrupted(before)

    process = sweeping.start(before, *RESUME, name)
    sweeping.read_until(process, sweeping.AT_WORK)
    kill_without_warning(process)
    nothing_is_made_of_what_is_gone(refused, before, name)
    now.mkdir()
    (before / "results").rename(now / "results")
    before.rmdir()

    process = sweeping.start(now, *RESUME, name, "--max-hours", "1")
    output = reported_by_both(process)
    assert "still running in another process" in refused(now, name)
    victims = titled(tree(process.pid), "ray::TrialTrainable")
    assert len(victims) == 2
    for pid in victims:
        os.kill(pid, signal.SIGTERM)
    rest, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output + rest
    assert not re.search(r" 3/24  running", output), "it begins where it was"
    assert sweeping.content(now) == undisturbed
    (parent,) = sweeping.runs(now, "sweep")
    assert parent.data.tags[schema.STATE] == "finished"
    assert not before.exists()
    places = {Path(trial.info.artifact_uri) for trial in sweeping.runs(now, "trial")}
    assert all(place.is_relative_to(now) and place.is_dir() for place in places)


def reported_by_both(process: subprocess.Popen[str]) -> str:
    """Return what a driver has said until each of its two trials is behind its first batches."""
    output = ""
    while len(set(re.findall(r"(\S+) seed 0 +(?:[3-9]|[12]\d)/24", output))) < 2:
        output += sweeping.read_until(process, "/24 ")
    return output


def kill_without_warning(process: subprocess.Popen[str]) -> None:
    """Kill a driver; its trials end by themselves, until when its folder goes on changing."""
    others = tree(process.pid) - {process.pid}
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while titled(others, "ray::TrialTrainable"):
        assert time.monotonic() < deadline, "trials outlive their driver"
        time.sleep(0.1)


def nothing_is_made_of_what_is_gone(
    refused: Callable[[Path, str], str], folder: Path, name: str
) -> None:
    """Check that a resume in a folder refuses to go on without the store, or the checkpoints."""
    for missing in ("results/mlflow.db", "results/checkpoints"):
        away = folder.with_name("away")
        (folder / missing).rename(away)
        there = sorted(folder.parent.rglob("*"))
        assert refused(folder, name).startswith(f"error: {folder / missing}")
        assert sorted(folder.parent.rglob("*")) == there, "nothing is made"
        away.rename(folder / missing)


def test_a_sweep_whose_ray_dies_says_so_and_resumes(undisturbed, tmp_path, monkeypatch):
    """Once the head of a cluster; without one, once its raylet and once its control service."""
    with monkeypatch.context() as patch, raylets.Cluster() as cluster:
        for variable, value in raylets.ENVIRONMENT.items():
            patch.setenv(variable, value)
        cluster.add()
        process = sweeping.start(tmp_path, *sweeping.BOTH, "--address", cluster.address)
        name = sweeping.sweep_name(reported_by_both(process))
        cluster.end(cluster.nodes[0])
        rest, _ = process.communicate(timeout=120)
    assert process.returncode == 1, rest
    assert f"the head of the Ray cluster at {cluster.address} is gone" in rest
    assert f"continue with --resume {name}" in rest.strip().splitlines()[-1]
    assert "Traceback" not in rest

    for program, told in (("raylet", "Ray's raylet"), ("gcs_server", "Ray's control service")):
        process = sweeping.start(tmp_path, *RESUME, name)
        output = sweeping.read_until(process, sweeping.AT_WORK)
        (victim,) = running(tree(process.pid), program)
        os.kill(victim, signal.SIGKILL)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 1, output + rest
        last = rest.strip().splitlines()[-1]
        assert last.startswith(f"{told} on this machine is gone; all that was reported is stored; ")
        assert last.endswith(f"; continue with --resume {name}")
        assert "start a cluster" not in rest
        assert "Traceback" not in rest
    before = sweeping.content(tmp_path)
    assert all(trial["curves"] for trial in before.values()), "what was reported is there"

    code, resumed = sweeping.run(tmp_path, *RESUME, name)
    assert code == 0, resumed
    assert sweeping.content(tmp_path) == undisturbed


def not_started(code: int, said: str) -> None:
    """Check that a driver says of its Ray that it does not start, and nothing else."""
    assert code == 2, said
    assert said.startswith("error: Ray does not start on this machine ("), said
    assert said.count("\n") == 1, said


def test_a_ray_that_does_not_start_is_one_line(world, tmp_path, monkeypatch):
    folder = tmp_path / ("x" * 120)  # too long for the path of a socket
    folder.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    not_started(*sweeping.run_here(tmp_path, *sweeping.BOTH))


@pytest.mark.long  # Ray gives itself half a minute; in brief: the test before
def test_a_ray_whose_raylet_dies_as_it_starts_is_one_line(tmp_path):
    process = sweeping.start(tmp_path, *sweeping.BOTH)
    deadline = time.monotonic() + 60
    while not (victims := running(tree(process.pid), "raylet")) and time.monotonic() < deadline:
        pass
    os.kill(victims[0], signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    not_started(process.returncode, said)
