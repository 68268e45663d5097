"""What version 0.3.0 has begun: this one reads it, and brings it to its end.

The sweep in the archive was interrupted in its first trial, behind the first validation; a second
one was to follow. Its network and its grid are as small as can be. (Of the files that a resume does
not need, Ray's own are left out.)
"""

import csv
import json
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import sweeping

ARCHIVE = Path(__file__).parent / "begun-with-0.3.0.tar.xz"
BEGUN_IN = "/begun/in"
"""Folder that all paths in it begin with."""


@pytest.fixture
def begun(world, tmp_path) -> str:
    """Unpack the sweep as if it had been begun here; return its name."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    (path,) = (tmp_path / "results" / "sweeps").glob("*/plan.json")
    plan = json.loads(path.read_text().replace(BEGUN_IN, str(tmp_path)))
    assert plan["format"] == 3
    path.write_text(json.dumps({**plan, "data_root": str(world), "threads": 1}))
    with closing(sqlite3.connect(tmp_path / "results" / "mlflow.db")) as database:
        for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (BEGUN_IN, str(tmp_path))
            )
        database.commit()
    return str(plan["name"])


def results(folder: Path, name: str) -> set[str]:
    """Return the rows in the table of results, as its command writes it."""
    given = ["--sweep", name, "--out", str(folder / "out")]
    command = [sys.executable, "-m", "analysis.results", *given]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    with (folder / "out" / "results.csv").open(newline="") as file:
        return {line["row"] for line in csv.DictReader(file)}


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the F1 of every trial by row."""
    found = sweeping.content(folder).values()
    return {t["tags"]["ssmpe.row"]: t["curves"]["GuitarSet/00/f1"] for t in found}


def test_a_sweep_that_version_0_3_0_began_is_read_and_resumed_to_its_end(begun, tmp_path):
    before = curves(tmp_path)
    assert [step for step, _ in before["supervised"]] == [50]
    assert before.keys() == {"supervised"}
    code, output = sweeping.run(tmp_path, "sample_count.py", "--resume", begun)
    assert code == 0, output
    after = curves(tmp_path)
    assert {row: [step for step, _ in points] for row, points in after.items()} == {
        "supervised": [50, 100],
        "Ref.": [50, 100],
    }
    assert after["supervised"][0] == before["supervised"][0], "what it had stays"
    assert {t["tags"]["ssmpe.end_reason"] for t in sweeping.content(tmp_path).values()} == {
        "completed"
    }
    assert results(tmp_path, begun) == {"supervised", "Ref."}
