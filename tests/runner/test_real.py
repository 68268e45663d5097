"""The sweep of real recordings, in small: on MAPS and Bach10 of the embedded world."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from ssmpe.cli import main
from ssmpe.config.presets import tiny
from ssmpe.data.datasets.bach10 import PIECES
from ssmpe.tracking import schema
from ssmpe.world.build import build_world
from sweeps.real import SWEEP
from tests.support import sweeping
from tests.support.micro_world import NOTHING

LEARNT = {"MAPS/ENSTDkCl", "classical/all"}
"""sets that may join without labels"""
BRIEF = (
    *("--set", "data.labelled_excerpts=1"),
    *("--set", "data.max_tracks.Bach10/01-06=11"),
    *("--set", "training.n_batches=4"),
    *("--set", "training.validate_every=4"),
    *("--set", "training.warmup_batches=1"),
)


@pytest.fixture(scope="module")
def recordings(world, tmp_path_factory) -> Path:
    """Make a data root of the world tiny-maps, with its drums in the layout of MDB Drums."""
    root = tmp_path_factory.mktemp("real")
    (root / "Bach10").symlink_to(world / "Bach10")
    size = replace(NOTHING, maps=2, maps_seconds=4.0)
    (root / "MAPS").symlink_to(build_world(root / "world", size, jobs=2) / "MAPS")
    drums = root / "MDBDrums" / "MDB Drums" / "audio" / "drum_only"
    drums.mkdir(parents=True)
    for i, path in enumerate(sorted(world.glob("E-GMD/drummer1/**/*.wav"))):
        (drums / f"MusicDelta_{i}_Drum.wav").symlink_to(path)
    return root


def test_what_is_learnt_from_is_neither_validated_nor_tested_on():
    names = {r.name for r in SWEEP.select(tiny())}
    assert {"no network", "supervised", "+aug", "Ref.", "+MAPS-4", "ceiling"} <= names
    assert {"+MAPS-8+stop", "+MAPS-4+teacher", "+MAPS-8+truth+signal"} <= names
    assert not any(name.endswith("+truth+decomposition") for name in names), "only if asked"
    splits = [PIECES[split] for split in ("01-06", "07-08", "09-10")]
    assert len({number for numbers in splits for number in numbers}) == sum(map(len, splits)) == 10
    for row in SWEEP.rows(tiny()):
        data = row.apply(tiny()).data
        assert (data.labelled, data.options) == ("Bach10/01-06", {"Bach10/submixes": True})
        assert data.evaluated_sets == ("Bach10/07-08", "Bach10/09-10", "MAPS/ENSTDkAm-only")
        assert set(data.added) <= LEARNT
        assert data.percussion == "MDBDrums/all"
        assert "E-GMD/train" not in data.names


def test_it_runs_from_a_data_root_alone(recordings, tmp_path):
    rows = ("--rows", "Ref.,+MAPS-1+stop")
    root = ("--data-root", str(recordings))
    code, output = sweeping.run(tmp_path, "real.py", *root, *rows, *BRIEF)
    assert code == 0, output
    trials = sweeping.runs(tmp_path, "trial")
    assert [t.data.tags[schema.ROW] for t in trials] == ["+MAPS-1+stop", "Ref."]
    for trial in trials:
        assert trial.data.metrics["Bach10/09-10/blank_rate"] >= 0
        assert trial.data.metrics["MAPS/ENSTDkAm-only/blank_rate"] >= 0
    found = next((tmp_path / "results" / "figures").glob("*/results.csv"))
    with found.open(newline="") as file:
        scored = {line["set"] for line in csv.DictReader(file)}
    assert scored == {"Bach10/07-08", "Bach10/09-10", "MAPS/ENSTDkAm-only"}


def test_all_sets_that_are_missing_are_told_in_one_line(recordings, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "Bach10").symlink_to(recordings / "Bach10")
    missing = "error: MDBDrums/all, MAPS/ENSTDkAm-only, MAPS/ENSTDkCl cannot be used: they are not "
    for given, place in (
        (("--data-root", str(tmp_path / "data")), f"below {tmp_path / 'data'};"),
        ((), "in the embedded world; give --data-root DIR;"),
    ):
        assert main(SWEEP, None, given) == 2
        error = capsys.readouterr().err
        assert error.startswith(missing + place)
        assert error.count("\n") == 1
    assert not sweeping.runs(tmp_path, "trial")
