"""What a dry run says of time, of cost and of data that are missing."""

import shutil

import pytest

from ssmpe.cli import main
from ssmpe.runner import messages
from sweeps.sample_count import SWEEP


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (30, "1 min"),
        (5000, "83 min"),
        (2 * 3600, "2.0 h"),
        (47 * 3600, "47.0 h"),
        (49 * 3600, "2.0 days"),
        (1000 * 3600, "41.7 days"),
    ],
)
def test_long_times_are_days(seconds, told):
    assert messages._duration(seconds) == told


@pytest.fixture
def said(monkeypatch, tmp_path, capsys):
    """Return what a dry run prints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        assert main(SWEEP, None, ["--dry-run", "--rows", "Ref.", *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_what_data_are_missing_is_told(world, tmp_path, said):
    root = tmp_path / "data"
    root.mkdir()
    for name in ("URMP", "E-GMD", "Bach10"):
        (root / name).symlink_to(world / name)
    shutil.copytree(world / "GuitarSet", root / "GuitarSet")
    for path in (root / "GuitarSet").rglob("05*.jams"):
        path.unlink()
    chosen = 'data.evaluation=["Bach10/all","Su/all","GuitarSet/05"]'
    output = said("--data-root", str(root), "--set", chosen)
    missing = [line.split(": ")[1] for line in output.splitlines() if line.startswith("missing: ")]
    assert missing == ["Su/all", "GuitarSet/05"]
    assert "missing" not in said()  # all of it is in the embedded world
    away = said("--data-root", "s3://bucket/data")
    assert "s3://bucket/data was not looked at" in away


def test_what_it_costs_is_told_for_cores_and_for_cards(world, said):
    lines = said().splitlines()
    (line,) = [line for line in lines if line.startswith("that is ")]
    assert " h of a CPU core, or, by a guess, " in line
    assert line.endswith(" h of a large GPU")
