"""The table of a sweep's trials on a terminal: with ten thousand of them, too."""

import io
import itertools

import pytest
from rich.console import Console

from ssmpe.config.presets import tiny
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.progress import MARGIN, Progress
from ssmpe.runner.trial import reports

HEIGHT, N_TRIALS = 24, 300
SCORED = {"f1": 0.5, "f1_tuned": 0.75, "blank_rate": 0.25, "blank_rate_tuned": 0.1}
SCORED = {f"URMP/validation/{measure}": value for measure, value in SCORED.items()}


@pytest.fixture(scope="module")
def trials():
    base = tiny().replace({"data.evaluation": ()})
    return [Trial("Ref.", base.replace({"training.seed": seed})) for seed in range(N_TRIALS)]


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), width=120, height=HEIGHT, force_terminal=True)


def drawn(progress):
    """Return names of the trials in the table that the terminal shows, and all of its text."""
    console = Console(file=io.StringIO(), width=120)
    console.print(progress._view())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.split("  ")[0] for line in text.splitlines() if line.startswith("Ref.")], text


def test_a_terminal_shows_those_at_work_and_what_has_just_ended(trials, terminal):
    with Progress(terminal, trials, {trials[0].identity: "completed"}) as progress:
        for trial in trials[1:30]:
            progress.started(trial)
        for trial in trials[1:26]:
            progress.ended(trial, {reports.BATCH: 630}, "completed")
        progress.reported(
            trials[28],
            {reports.BATCH: 70, reports.METRICS: SCORED},
        )
        shown, text = drawn(progress)
        assert len(shown) == HEIGHT - MARGIN
        at_work = [f"Ref. seed {n}" for n in (26, 27, 28, 29)]
        assert shown == [f"Ref. seed {n}" for n in range(10, 26)] + at_work
        assert "URMP" in text
        assert "URMP/validation" not in text
        (line,) = (line for line in text.splitlines() if line.startswith("Ref. seed 28 "))
        assert line.split()[3:] == ["70/630", "–", "0.75", "0.25", "running"]
        told = " ".join(text.split())
        assert "val. F1: at the best threshold there; sets: share of blank frames at 0.5" in told
        assert "300 trials: 26 completed, 270 waiting, 4 running" in told
    last = terminal.file.getvalue()
    assert all(f"Ref. seed {n} " in last for n in range(N_TRIALS)), "at the end all are listed"


def test_sets_of_one_dataset_are_told_apart(trials, terminal):
    names = ["Bach10/all", "URMP/T2"]
    trial = Trial("Ref.", trials[0].config.replace({"data.evaluation": names}))
    progress = Progress(terminal, [trial], {})
    rates = {f"{name}/blank_rate": 0.5 for name in trial.config.data.evaluated_sets}
    progress.reported(trial, {reports.BATCH: 70, reports.METRICS: rates})
    assert "URMP/validation  Bach10  URMP/T2" in drawn(progress)[1]


def test_what_is_drawn_does_not_grow_with_the_trials(trials, terminal):
    rows = []
    for n in (30, N_TRIALS):
        progress = Progress(terminal, trials[:n], {})
        for trial in itertools.islice(trials, 25):
            progress.started(trial)
        rows.append(drawn(progress)[0])
    assert rows[0] == rows[1]
    assert len(rows[0]) == HEIGHT - MARGIN


def test_few_trials_are_all_shown(trials, terminal):
    progress = Progress(terminal, trials[:6], {})
    assert drawn(progress)[0] == [f"Ref. seed {n}" for n in range(6)]


def test_of_trials_that_ended_before_no_batch_is_known(trials, terminal):
    progress = Progress(terminal, trials[:2], {trials[0].identity: "completed"})
    first, second = (line.split()[3:] for line in drawn(progress)[1].splitlines()[-4:-2])
    assert (first[0], first[-1], second[0], second[-1]) == ("–", "completed", "0/630", "waiting")
