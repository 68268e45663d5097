"""Sweeps whose trials report invented curves, without data and training; all else is real."""

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ssmpe.config.presets import tiny
from ssmpe.experiments.search import Search, SearchPlan, maximise, minimise
from ssmpe.experiments.sweep import Delta, Sweep, Trial, row
from ssmpe.runner.plan import FOLDER, Plan
from ssmpe.runner.planning.make import trials_of
from ssmpe.runner.planning.presentation import Presentation
from ssmpe.runner.planning.provision import Prepared
from ssmpe.runner.run import drive
from ssmpe.runner.trial.trainable import TrialTrainable
from ssmpe.tracking.tracker import local_uri
from tests.support.shared import lay_store


def planned(n_trials: int, folder: Path, gpus: float = 0.0) -> Plan:
    """Return a sweep of one row with so many seeds, to be kept in a folder."""
    base = tiny().replace({"data.evaluation": ()})
    trials = [Trial("Ref.", base.replace({"training.seed": seed})) for seed in range(n_trials)]
    return Plan(
        name="invented",
        script="invented",
        question="What do many trials cost?",
        preset="tiny",
        data="none",
        data_root=str(folder),
        folders={},
        storage=str(folder / "checkpoints"),
        tracking_uri=local_uri(folder),
        early_stop=True,
        threads=1,
        gpus_per_trial=gpus,
        concurrent=None,
        trials=tuple(trials),
    )


SWEEP = Sweep("invented", "What do many trials cost?", lambda base: [row(Delta("Ref."))])
SEARCH = Search(
    name="invented",
    question="What do lost trials do to a search?",
    common=lambda base: [],
    space=lambda trial, base: [
        Delta("", {"training.learning_rate": trial.suggest_float("rate", 1e-4, 1e-2, log=True)})
    ],
    objectives=lambda c: (maximise("URMP/validation/f1"), minimise("URMP/validation/blank_rate")),
    start={"rate": 1e-3},
    n_trials=3,
)


def planned_search(folder: Path) -> Plan:
    """Return ``SEARCH``, one trial at a time, to be kept in a folder."""
    plan = planned(1, folder)
    searched = SearchPlan(plan.trials[0].config, SEARCH.n_trials, "pareto")
    return replace(plan, trials=(), search=searched, concurrent=1)


def run(plan: Plan, folder: Path, trainable: type[TrialTrainable]) -> tuple[int, str]:
    """Run a plan, or what is left of it, on the cluster that has been joined.

    Returns:
        Exit code and output.
    """
    if not (folder / FOLDER).exists():
        plan.save(folder)
        lay_store(folder)
    data, console = Prepared(folder, {}, {}), Console(file=io.StringIO(), width=200)
    sweep = SEARCH if plan.search else SWEEP
    shown = Presentation(plan, tuple(trials_of(sweep, plan)), data.facts)
    code = drive(sweep, plan, shown, folder, data, None, console, trainable=trainable)
    return code, console.file.getvalue()  # type: ignore[attr-defined]
