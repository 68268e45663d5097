"""How a file becomes a sweep: a user's own, too, wherever it lies and from wherever it is run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import sweeping

OWN = """{docstring}
from ssmpe.experiments.sweep import row
from ssmpe.cli import sweep
from ssmpe.experiments.deltas import REFERENCE

def rows(base):
    return [row(REFERENCE)]

SWEEP = sweep(rows, scientific=("data.added",))
"""
ASKS = '"""Does it work outside?\n\nIt should."""'


def written(folder: Path, name: str, docstring: str = ASKS) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(OWN.format(docstring=docstring))
    return path


def run(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    given = [sys.executable, *map(str, command)]
    return subprocess.run(given, cwd=folder, capture_output=True, text=True)


def test_a_file_of_one_s_own_is_named_after_itself_and_asks_its_question(tmp_path):
    path = written(tmp_path / "elsewhere", "own.py")
    done = run(tmp_path, path, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "Does it work outside?"
    assert "varied: data.added" in done.stdout
    helped = run(tmp_path, path, "--help")
    assert (helped.returncode, helped.stdout.splitlines()[0]) == (0, "Does it work outside?")
    program = "import own; print(own.SWEEP.name, own.SWEEP.question)"
    assert run(path.parent, "-c", program).stdout.strip() == "own Does it work outside?"


def test_rows_of_another_file_make_a_sweep_of_this_one(tmp_path):
    path = tmp_path / "again.py"
    path.write_text(
        '"""Once more?"""\nfrom ssmpe.cli import sweep\nfrom sweeps.objectives import rows\n'
        "SWEEP = sweep(rows)\n"
    )
    done = run(tmp_path, path, "--dry-run")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "Once more?"), done.stderr


def test_a_sweep_runs_from_any_folder(tmp_path):
    script = sweeping.ROOT / "sweeps" / "sample_count.py"
    done = run(tmp_path, script, "--rows", "Ref.", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Does the output on unlabelled data" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "docstring", "said"),
    [
        ("own.py", "", "has to begin with a question"),
        ("own.py", '"""Tries something."""', "has to begin with a question"),
        ("my own.py", ASKS, "named after its file"),
    ],
)
def test_what_is_no_sweep_is_one_line(tmp_path, name, docstring, said):
    path = written(tmp_path, name, docstring)
    done = run(tmp_path, path, "--dry-run")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {path}: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
