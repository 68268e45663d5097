"""One direction of dependencies: a module may import what stands before it."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (
    ("errors", "own", "units", "seeding", "bundled"),
    ("config", "storage", "console"),
    ("data", "world"),
    ("signal",),
    ("network",),
    ("objectives", "evaluation"),
    ("training",),
    ("transcription",),
    ("pyfunc",),
    ("experiments", "tracking"),
    ("runner",),
    ("cli",),
    ("commands",),
    ("api",),
    ("__main__",),
)
"""modules and folders of ``ssmpe``"""
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
MODULES = sorted(
    p for p in (ROOT / "ssmpe").rglob("*.py") if p.parent.name != "ssmpe" or p.stem != "__init__"
)


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(module: str) -> str:
    return module.split(".")[1]


def own_part(path: Path) -> str:
    return path.relative_to(ROOT / "ssmpe").with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_import_what_stands_before_them(path):
    part = own_part(path)
    assert part in RANK, f"give {part} a layer"
    parts = {part_of(n) for n in imported(path) if n.startswith("ssmpe.")} & RANK.keys()
    above = {other for other in parts if RANK[other] > RANK[part]}
    assert not above


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_runner_knows_ray_and_only_tracking_knows_mlflow(path):
    tops = {name.split(".")[0] for name in imported(path)}
    assert "ray" not in tops or own_part(path) == "runner"
    assert "mlflow" not in tops or own_part(path) == "tracking"
    assert not tops & {"analysis", "sweeps", "tests"}


@pytest.mark.parametrize(
    ("modules", "later"),
    [
        ("ssmpe.cli, analysis.report, ssmpe.runner.run", ("torch", "mlflow", "music21")),
        ("ssmpe.runner.trial.training", ("mir_eval", "scipy.signal", "matplotlib.pyplot")),
    ],
)
def test_what_takes_a_second_is_imported_when_it_is_needed(modules, later):
    program = f"import sys, {modules}; print([m for m in {later} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


def test_analysis_reads_the_store_alone():
    for path in (ROOT / "analysis").rglob("*.py"):
        names = imported(path)
        own = {n for n in names if n.startswith("ssmpe.")}
        # the definition of a collapse, pure functions of recorded curves, is no second one
        allowed = ("ssmpe.console", "ssmpe.errors", "ssmpe.tracking", "ssmpe.evaluation.collapse")
        own -= {"ssmpe.evaluation"}
        assert all(n.startswith(allowed) for n in own), path
        assert not {n.split(".")[0] for n in names} & {"torch", "ray", "sweeps"}, path


RUNNER = ("cluster", "trial", "planning", "queue", "session", "callback", "tuner", "run")
"""Folders and modules of the runner in the same order; of its others each is for several."""


@pytest.mark.parametrize("number", range(len(RUNNER)))
def test_folders_of_the_runner_import_what_stands_before_them(number):
    place, later = ROOT / "ssmpe" / "runner" / RUNNER[number], set(RUNNER[number + 1 :])
    files = [*place.glob("*.py")] or [place.with_suffix(".py")]
    for path in files:
        names = [name.split(".") for name in imported(path) if name.startswith("ssmpe.runner.")]
        assert not {name[2] for name in names} & later, path


def sweep_files() -> list[Path]:
    return [*(ROOT / "sweeps").glob("[!_]*.py")]


def test_every_sweep_is_a_short_file_with_a_question():
    assert sweep_files()
    for path in sweep_files():
        text = path.read_text()
        assert len(text.splitlines()) <= 50, path
        question = ast.get_docstring(ast.parse(text))
        assert question, path
        assert question.splitlines()[0].endswith("?"), path
        last = ast.parse(text).body[-1]
        assert isinstance(last, ast.Assign), path
        assert ast.unparse(last).startswith(("SWEEP = sweep(", "SWEEP = search(")), path
        found = importlib.import_module(f"sweeps.{path.stem}").SWEEP
        assert (found.name, found.question) == (path.stem, question.splitlines()[0])
