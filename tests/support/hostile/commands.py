"""Options of sweeps and searches, and those of all other commands."""

import json
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

from ssmpe.config.presets import tiny
from ssmpe.errors import UserError
from tests.support.hostile.changes import anything, garbled
from tests.support.hostile.trying import Kind, commanded


def options(folder: Path) -> Kind:
    """Options of sweeps and searches; what is taken is planned as ``--dry-run``."""
    from ssmpe.cli import main
    from ssmpe.experiments import options as sweep_options
    from sweeps import hyperparameters, sample_count, two_stage

    sweeps = (sample_count.SWEEP, hyperparameters.SWEEP, two_stage.SWEEP)
    sane = {
        "--preset": "tiny",
        "--seeds": "0-2",
        "--rows": "+MN-*,Ref.",
        "--set": "training.n_batches=100",
        "--world": "tiny",
        "--folder": "mine=/tmp",
        "--max-hours": "FMA/train=20",
        "--max-gpu-hours": "3.5",
        "--address": "auto",
        "--tracking-uri": "sqlite:////no/such.db",
        "--storage": "checkpoints",
        "--concurrent": "2",
        "--gpus-per-trial": "0.25",
        "--diagnostics": "10",
        "--resume": "calm-otter-20260101-000000",
        "--trials": "20",
        "--objective": "pareto",
        "--data-root": "data",
    }
    settings = sorted(tiny().flat())

    def case(rng: Random, folder: Path) -> None:
        sweep = rng.choice(sweeps)
        given = []
        for option in rng.sample(list(sane), rng.choice((1, 1, 2, 3))):
            value = sane[option] if rng.random() < 0.3 else garbled(rng, sane[option])
            if option == "--set" and rng.random() < 0.6:
                try:
                    value = f"{rng.choice(settings)}={json.dumps(anything(rng))}"
                except ValueError:
                    value = f"{rng.choice(settings)}=x"
            given += [garbled(rng, option), value] if rng.random() < 0.05 else [option, value]
        given.append("--dry-run")

        def run() -> int:
            script = f"python sweeps/{sweep.name}.py"
            try:
                found = sweep_options.parse(sweep.question, script, given, sweep.add_options)
            except UserError:
                return main(sweep, None, given)
            if not found.dry_run or len(found.seeds) > 20:  # nothing is to be trained
                return 0
            return main(sweep, None, given)

        commanded(run)

    return case


def commands(folder: Path) -> Kind:
    """Options of all other commands: data, transcribe, evaluate, and those of ``analysis``."""
    from ssmpe.__main__ import main
    from tests.support.transcribing import untrained

    checkpoint = str(untrained(folder / "checkpoint", tiny()))
    (folder / "mine").mkdir()
    (folder / "mine" / "bad.wav").write_bytes(b"no audio")
    modules = ("results", "report", "curves", "degeneration", "border", "spending", "replay")

    def case(rng: Random, here: Path) -> None:
        def some(value: object) -> str:
            return str(value) if rng.random() < 0.4 else garbled(rng, str(value))

        which = rng.choice(("check", "where", "transcribe", "evaluate", "analysis"))
        if which == "analysis":
            given = ["--tracking-uri", some(f"sqlite:///{here}/mlflow.db"), "--sweep", some("calm")]
            given += ["--out", some("figures")] if rng.random() < 0.7 else ["--partial"]
            commanded(lambda: _script(f"analysis.{rng.choice(modules)}", given))
            return
        if which == "check":
            given = ["data", "check", some("mine/all"), "--folder", some(f"mine={folder / 'mine'}")]
            given += ["--data-root", some(here)] if rng.random() < 0.5 else []
        elif which == "where":
            given = ["data", "where", some("URMP")]
        else:
            given = [
                which,
                some(folder / "mine" / "bad.wav" if which == "transcribe" else "mine/all"),
            ]
            given += rng.choice((["--checkpoint", some(checkpoint)], ["--run", some("0123")]))
            given += ["--tracking-uri", some("sqlite:///x.db")] if rng.random() < 0.3 else []
            given += ["--device", some("cpu")] if rng.random() < 0.5 else []
            given += ["--out" if which == "transcribe" else "--csv", some("out")]
            given += ["--folder", some(f"mine={folder / 'mine'}")] if which == "evaluate" else []
        # of several recordings, each is refused by itself; after "--", all are such
        commanded(lambda: main(given), len(given) if which == "transcribe" else 1)

    return case


def _script(module: str, arguments: Sequence[str]) -> None:
    before = sys.argv
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.argv = before
