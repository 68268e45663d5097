"""Figures and tables of invented sweeps in a real MLflow store."""

import csv
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread
from mlflow import MlflowClient
from scipy.stats import rankdata

from analysis import curves, degeneration, report
from analysis.figure import Drawn
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored import store
from tests.support.analysis_store import (
    N_BATCHES,
    SETS,
    Invented,
    drawn,
    sample_count_trials,
    store_in,
    write_sweep,
)

MANY_SETS = ("MusicNet/train", "NSynth/train", "FMA/all")


@pytest.fixture(scope="session")
def uri(empty_store, tmp_path_factory) -> str:
    """Fill a store with finished sweeps, one that is running and one that adds nothing."""
    uri = store_in(tmp_path_factory.mktemp("store"), empty_store)
    many = sample_count_trials(1, MANY_SETS)
    many[3].end_reason = "failed"
    for trial in many:
        trial.unannotated = ("FMA/eval",)
    write_sweep(uri, "many-sets", many, (*SETS, "FMA/eval"), state="failed", data="/data/real")
    write_sweep(uri, "one-seed", sample_count_trials(1), sets=SETS[:1])
    running = [Invented("Ref.", 0), Invented("+MN-2", 1, "MusicNet/train", 2, None, 200)]
    write_sweep(uri, "running", running, state="running")
    write_sweep(uri, "closed", [Invented("Ref.", 0)])
    write_sweep(uri, "unstarted", [], state="running")
    write_sweep(uri, "three-seeds", sample_count_trials(3))
    return uri


@pytest.fixture(scope="session")
def rendered(uri, tmp_path_factory) -> Drawn:
    return drawn(degeneration.FIGURE, uri, "three-seeds", tmp_path_factory.mktemp("rendered"))


def file_of(made: Drawn, suffix: str) -> Path:
    """Return the only file of a kind."""
    (file,) = [f for f in made.files if f.suffix == suffix]
    return file


def final_values(uri: str, sweep: str, row: str, metric: str) -> list[float]:
    """Return the values of the latest steps, by SQL, in the order of the seeds."""
    query = """
        SELECT m.value FROM metrics m
        JOIN tags s ON s.run_uuid = m.run_uuid AND s.key = ? AND s.value = ?
        JOIN tags r ON r.run_uuid = m.run_uuid AND r.key = ? AND r.value = ?
        JOIN tags n ON n.run_uuid = m.run_uuid AND n.key = ?
        WHERE m.key = ? AND m.step =
            (SELECT MAX(step) FROM metrics l WHERE l.run_uuid = m.run_uuid AND l.key = m.key)
        ORDER BY n.value"""
    keys = (schema.SWEEP, sweep, schema.ROW, row, schema.SEED, metric)
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"))
    values = [value for (value,) in connection.execute(query, keys)]
    connection.close()
    return values


def test_curves_equal_the_store(uri):
    trials = store.read_sweep(uri, "three-seeds").of_row("+MN-8")
    invented = [t for t in sample_count_trials(3) if t.row == "+MN-8"]
    for trial, source in zip(trials, invented, strict=True):
        read = {m: dict(zip(c.steps, c.values, strict=True)) for m, c in trial.curves.items()}
        assert read == source.curves(SETS)
        assert trial.last_step == 300


def test_a_report_reads_its_sweep_once(uri, tmp_path, monkeypatch):
    """Its figures show one state of it, though more may arrive meanwhile."""
    read, names = store.read_sweep, []

    def counted(uri, name, partial=False):
        names.append(name)
        return read(uri, name, partial)

    monkeypatch.setattr(store, "read_sweep", counted)
    assert report.of_ended(uri, "one-seed", tmp_path)[-1].startswith("report: ")
    assert names == ["one-seed"]
    with pytest.raises(UserError, match="has not finished"):
        store.read_sweep(uri, "running")


def test_table_equals_the_store(uri, rendered):
    lines = list(csv.DictReader(file_of(rendered, ".csv").open(encoding="utf-8")))
    assert len(lines) == 6 * len(SETS)
    for line in lines:
        for measure in degeneration.SCORES:
            metric = f"{line['set']}/{measure}"
            values = final_values(uri, "three-seeds", line["row"], metric)
            assert len(values) == int(line[f"{measure}_n"]) == 3
            assert float(line[f"{measure}_mean"]) == pytest.approx(sum(values) / 3)
            assert float(line[f"{measure}_std"]) == pytest.approx(np.std(values, ddof=1))
            assert float(line[f"{measure}_low"]) == min(values)
            assert float(line[f"{measure}_high"]) == max(values)


def test_markdown_shows_the_numbers_and_the_ends(uri, rendered):
    text = file_of(rendered, ".md").read_text(encoding="utf-8")
    values = final_values(uri, "three-seeds", "+MN-8", "MusicNet/test/blank_rate")
    score = f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
    (line,) = [x for x in text.split("\n") if x.startswith("| +MN-8 | MusicNet/test")]
    assert score in line
    assert "3 collapsed" in line
    assert "200, 200, 200" in line
    assert "not comparable with published scores" in text
    assert "last validation, not at its best checkpoint" in text


def test_summary_gives_correlation_gain_and_savings(uri, rendered):
    counts, blank = [], []
    for row, count in (("Ref.", 0), ("+MN-1", 1), ("+MN-2", 2), ("+MN-4", 4), ("+MN-8", 8)):
        values = final_values(uri, "three-seeds", row, "MusicNet/test/blank_rate")
        counts += [count] * len(values)
        blank += values
    said = "\n".join(rendered.findings)
    ends = {
        m: [
            np.mean(final_values(uri, "three-seeds", row, f"MusicNet/test/{m}"))
            for row in ("Ref.", "+MN-8")
        ]
        for m in ("f1", "f1_tuned")
    }
    half, tuned = (ends[m][0] - ends[m][1] for m in ("f1", "f1_tuned"))
    assert f"of F1's loss at ½, a tuned threshold leaves {tuned / half:.0%}" in said
    assert re.search(r"Collapse with 8 added: content lost 2/3\.", said)
    rho = np.corrcoef(rankdata(counts), rankdata(blank))[0, 1]
    assert f"(ρ = {rho:+.2f})" in said
    assert "added, over 15 trials" in said
    gains = np.subtract(
        final_values(uri, "three-seeds", "Ref.", "URMP/validation/f1_tuned"),
        final_values(uri, "three-seeds", "supervised", "URMP/validation/f1_tuned"),
    )
    assert f"{gains.mean():+.3f} ± {gains.std(ddof=1):.3f}" in said
    assert f"seed 2: {gains[2]:+.3f} at batch {N_BATCHES}" in said
    assert "saved 25% of their batches (300 of 1200; runs stopped: 3)" in said


@pytest.mark.parametrize("figure", [degeneration.FIGURE, curves.FIGURE])
def test_files_are_images_of_some_size(uri, tmp_path, figure):
    made = drawn(figure, uri, "one-seed", tmp_path / "new" / "folder")
    image = imread(file_of(made, ".png"))
    assert min(image.shape[:2]) >= 6 * 150
    assert 0.005 < (image[..., :3].min(axis=-1) < 0.5).mean() < 0.5
    root = ElementTree.parse(file_of(made, ".svg")).getroot()
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 50


def test_unfinished_sweep_needs_to_be_asked_for(uri, tmp_path):
    with pytest.raises(UserError, match=r"running.* not ended: 3\).*--partial"):
        drawn(degeneration.FIGURE, uri, "running", tmp_path)
    with pytest.raises(UserError, match="no finished row adds"):
        drawn(degeneration.FIGURE, uri, "running", tmp_path, partial=True)
    (said,) = drawn(curves.FIGURE, uri, "running", tmp_path, partial=True).findings
    assert said.startswith("2 runs of 2 rows")
    texts = [t.get_text() for t in curves.draw(store.read_sweep(uri, "running", True)).texts]
    assert any("NOT FINISHED: running; trials that have not ended: 3" in t for t in texts)


@pytest.mark.parametrize(
    ("sweep", "complaint"),
    [
        ("nonesuch", "no sweep 'nonesuch' .*three-seeds, unstarted, closed"),
        ("unstarted", "no trial has finished"),
        ("closed", "no finished row adds"),
    ],
)
def test_sweeps_that_cannot_be_drawn(uri, tmp_path, sweep, complaint):
    with pytest.raises(UserError, match=complaint):
        drawn(degeneration.FIGURE, uri, sweep, tmp_path)


def test_missing_store_is_refused_and_not_created(tmp_path):
    missing = tmp_path / "none" / "mlflow.db"
    for uri in (f"sqlite:///{missing}", str(missing.parent), missing.parent.as_uri()):
        with pytest.raises(UserError, match="no MLflow store there"):
            store.sweep_names(uri)
    assert not missing.parent.exists()


def test_foreign_files_are_refused_and_left_alone(tmp_path):
    text, database = tmp_path / "text.db", tmp_path / "other.db"
    text.write_text("not a database, but long enough to be looked at as one" * 20)
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE experiments (id)")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(UserError, match="not a SQLite database"):
        store.sweep_names(f"sqlite:///{text}")
    with pytest.raises(UserError, match="not an MLflow store"):
        store.sweep_names(f"sqlite:///{database}")
    assert database.read_bytes() == before


def test_store_of_something_else(empty_store, tmp_path):
    uri = store_in(tmp_path, empty_store)
    with pytest.raises(UserError, match="no sweep of ssmpe in it"):
        store.sweep_names(uri)
    MlflowClient(uri).create_run("0", tags={"kind": "sweep"})
    with pytest.raises(UserError, match="no sweep of ssmpe in it"):
        store.sweep_names(uri)


def test_trial_that_something_else_wrote(empty_store, tmp_path):
    uri = store_in(tmp_path, empty_store)
    parent = write_sweep(uri, "mixed", [])
    tags = {schema.KIND: schema.KIND_TRIAL, schema.PARENT_RUN: parent, schema.ROW: "Ref."}
    experiment = MlflowClient(uri).get_run(parent).info.experiment_id
    MlflowClient(uri).create_run(experiment, tags=tags)
    with pytest.raises(UserError, match=r"tagged as a trial, but without ssmpe\.seed, .*n_batches"):
        store.read_sweep(uri, "mixed")


def test_a_trial_that_is_just_being_begun_is_not_there_yet(empty_store, tmp_path):
    uri = store_in(tmp_path, empty_store)
    parent = write_sweep(uri, "going", [Invented("Ref.", 0)], state="running")
    client = MlflowClient(uri)
    (trial,) = store.read_any(uri, "going").trials
    tags = {
        k: v for k, v in client.get_run(trial.run_id).data.tags.items() if k.startswith("ssmpe")
    }
    experiment = client.get_run(parent).info.experiment_id
    client.create_run(experiment, tags={**tags, schema.PARENT_RUN: parent})
    assert [t.run_id for t in store.read_any(uri, "going").trials] == [trial.run_id]


def test_server_that_is_down_is_refused_at_once():
    with pytest.raises(UserError, match="no tracking server answers"):
        store.sweep_names("http://127.0.0.1:9")


def test_command_draws_the_latest_sweep_and_logs_it(uri, tmp_path, capsys):
    arguments = ["--tracking-uri", uri, "--out", str(tmp_path), "--log"]
    assert degeneration.main(arguments) == 0
    printed = capsys.readouterr().out
    assert all(str(tmp_path / f"degeneration.{x}") in printed for x in ("png", "svg", "md", "csv"))
    assert "+MN-8" in printed
    run = store.read_sweep(uri, "three-seeds").run_id
    logged = MlflowClient(uri).list_artifacts(run, schema.FIGURES_ARTIFACTS)
    assert {Path(a.path).name for a in logged} == {p.name for p in tmp_path.iterdir()}


@pytest.mark.parametrize("main", [degeneration.main, curves.main])
def test_mistakes_give_one_line_and_code_2(uri, tmp_path, capsys, main):
    (tmp_path / "file").write_text("")
    for arguments in (["--sweep", "x"], ["--sweep", "one-seed", "--out", str(tmp_path / "file")]):
        assert main(["--tracking-uri", uri, *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert captured.out == ""


def test_module_runs_without_torch(tmp_path):
    code = (
        "import sys; from analysis import curves, degeneration; "
        "code = degeneration.main([]); assert 'torch' not in sys.modules; sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "results/mlflow.db: no MLflow store there" in done.stderr.replace("\\", "/")
    assert not list(tmp_path.iterdir())


def test_unannotated_set_has_a_blank_rate_alone(uri, tmp_path):
    made = drawn(degeneration.FIGURE, uri, "many-sets", tmp_path)
    text = file_of(made, ".md").read_text(encoding="utf-8")
    (line,) = [x for x in text.split("\n") if x.startswith("| Ref. | FMA/eval")]
    blank = final_values(uri, "many-sets", "Ref.", "FMA/eval/blank_rate")[0]
    missing, tuned = " – |" * 7, f"{0.1 * blank:.3f}"
    assert line == f"| Ref. | FMA/eval |{missing} {tuned} | {blank:.3f} | 1 completed | – | – |"
