"""Settings are data: whatever they hold, they are taken as values or refused in one line."""

import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ssmpe.cli import main
from ssmpe.config.presets import tiny
from ssmpe.errors import UserError
from ssmpe.experiments import options as sweep_options
from ssmpe.experiments.options import WORLD_SIZES
from ssmpe.experiments.search import SearchPlan
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.cluster.resources import Share
from ssmpe.runner.plan import FOLDER, Plan
from ssmpe.runner.planning.make import describe_data
from ssmpe.runner.queue import study, suggestions
from ssmpe.runner.queue.retries import Retries
from sweeps import hyperparameters
from sweeps.sample_count import SWEEP

CODE = "__import__('pathlib').Path('was here').touch()"
YAML = "!!python/object/apply:os.system ['touch was here']"
DEEP = 100_000

MISTAKES: dict[str, tuple[str, str]] = {
    "an expression": (f"training.n_batches={CODE}", "a whole number"),
    "an expression for text": (f"data.labelled={CODE}", "__import__"),
    "a path of attributes": ("training.__class__=1", "no setting"),
    "a private path": ("__init__.__globals__=1", "no setting"),
    "a tag of YAML": (f"training.n_batches={YAML}", "a whole number"),
    "a substitution": ("training.n_batches=$(touch 'was here')", "a whole number"),
    "a template": ("training.n_batches={{7*7}}", "a whole number"),
    "lists in lists": (f"data.evaluation={'[' * DEEP}", "nested too deep"),
    "closed lists in lists": (f"data.evaluation={'[' * 400}{']' * 400}", "data.evaluation[0]"),
    "mappings in mappings": ("data.added=" + '{"a":' * DEEP, "nested too deep"),
    "a whole number beyond any": (f"training.n_batches={'9' * 400}", "a whole number"),
    "a million digits": (f"training.n_batches={'9' * 100_000}", "a whole number"),
    "a number beyond floats": (f"training.clip_norm={'9' * 400}", "a finite number"),
    "a count beyond floats": (f"data.added.MusicNet/train={'9' * 400}", "a finite number"),
    "a long text": (f"data.labelled={'x' * 100_000}", "x"),
    "a long key": (f"{'x' * 100_000}=1", "no setting"),
    "another kind of group": ("model=[1]", "a group of settings"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_setting_is_a_value(
    mistake: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    setting, said = MISTAKES[mistake]
    assert main(SWEEP, None, ("--dry-run", "--set", setting)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error
    assert len(error) < 5000
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seeds", ["0-9999999999999", f"0-{'9' * 5000}", f"0-{'9' * 30}"])
def test_seeds_are_not_counted_for_ever(
    seeds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(SWEEP, None, ("--dry-run", "--seeds", seeds)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --seeds ")
    assert len(error) < 200


def forged(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    def text(plan: str) -> str:
        values = json.loads(plan)
        changed = change(values)
        return json.dumps(changed if isinstance(changed, list) else values)

    return text


BASE = tiny().to_dict()
PLANS: dict[str, Callable[[str], str]] = {
    "lists in lists": lambda _: "[" * DEEP,
    "no object": lambda _: "[]",
    "no fields": forged(lambda p: p.clear()),
    "a name that leads elsewhere": forged(lambda p: p.update(name="../../elsewhere")),
    "a folder that is none": forged(lambda p: p.update(storage=["a"])),
    "an address that is none": forged(lambda p: p.update(tracking_uri=None)),
    "folders that are none": forged(lambda p: p.update(folders=["a"])),
    "threads that are none": forged(lambda p: p.update(threads="all")),
    "trials that are none": forged(lambda p: p.update(trials=[7])),
    "a trial without its row": forged(lambda p: p["trials"][0].pop("row")),
    "a setting beyond any": forged(
        lambda p: p["trials"][0]["config"]["training"].update(n_batches=10**400)
    ),
    "a setting that is none": forged(lambda p: p["trials"][0]["config"].update(__class__="os")),
    "a search that is none": forged(lambda p: p.update(search=["a"])),
    "a field that is none": forged(lambda p: p.update(__class__="os")),
    "places that are none": forged(lambda p: p.update(within=["storage"])),
    "a place that is none": forged(lambda p: p.update(within={"tracking_uri": 7})),
    "a row that is a number": forged(lambda p: p["trials"][0].update(row=7)),
    "a row that is a list": forged(lambda p: p["trials"][0].update(row=["Ref."])),
    "a share that is no number": forged(lambda p: p.update(gpus_per_trial=math.nan)),
    "a share below none": forged(lambda p: p.update(gpus_per_trial=-1.0)),
    "a share beyond any": forged(lambda p: p.update(gpus_per_trial=math.inf)),
    "no threads": forged(lambda p: p.update(threads=0)),
    "threads beyond any": forged(lambda p: p.update(threads=10**400)),
    "trials at a time below none": forged(lambda p: p.update(concurrent=-1)),
    "a measurement never": forged(lambda p: p.update(diagnostics=0)),
    "a flag for a count": forged(lambda p: p.update(threads=True)),
    "a folder that is a number": forged(lambda p: p.update(folders={"mine": 7})),
    "a run that is a list": forged(lambda p: p.update(taken={"a": []})),
    "a trial twice": forged(lambda p: p["trials"].append(p["trials"][0])),
    "neither trials nor a search": forged(lambda p: p.update(trials=[])),
    "a search of no trials": forged(
        lambda p: p.update(search={"base": BASE, "n_trials": 0, "objective": "pareto"})
    ),
    "a search of many trials": forged(
        lambda p: p.update(search={"base": BASE, "n_trials": 10**30, "objective": "pareto"})
    ),
    "a search with another aim": forged(
        lambda p: p.update(search={"base": BASE, "n_trials": 3, "objective": ["pareto"]})
    ),
    "a surrogate": lambda text: text.replace("Is it?", "\\udfff"),
}


@pytest.fixture
def plan() -> Plan:
    """Make a plan that is not yet written."""
    return Plan(
        name="mine",
        script="sample_count",
        question="Is it?",
        preset="tiny",
        data="embedded world (tiny)",
        data_root="/data",
        folders={},
        storage="/results/ray",
        tracking_uri="sqlite:////results/mlflow.db",
        early_stop=True,
        threads=1,
        gpus_per_trial=0.0,
        concurrent=None,
        trials=(Trial("Ref.", tiny()),),
    )


def test_a_plan_comes_back_as_it_was_written(tmp_path: Path, plan: Plan) -> None:
    plan.save(tmp_path)
    assert Plan.load(tmp_path, "mine", "sample_count") == plan


@pytest.mark.parametrize("size", WORLD_SIZES)
def test_a_plan_knows_which_embedded_world_it_was_begun_on(plan: Plan, size: str) -> None:
    given = sweep_options.parse("Is it?", "python sweeps/mine.py", ["--world", size])
    assert replace(plan, data=describe_data(given)).world == size
    assert replace(plan, data="own data").world is None


def moved(plan: Plan, tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Plan:
    """Return a plan that was written, changed and moved with its results, as it is read there."""
    before, now = tmp_path / "before" / "results", tmp_path / "now" / "results"
    kept = replace(
        plan, storage=str(before / "checkpoints"), tracking_uri=f"sqlite:///{before}/mlflow.db"
    )
    kept.save(before)
    (before / "checkpoints").mkdir()
    (before / "mlflow.db").touch()
    path = before / FOLDER / "mine" / "plan.json"
    path.write_text(forged(change)(path.read_text()))
    now.parent.mkdir()
    before.rename(now)
    return Plan.load(now, "mine", "sample_count")


@pytest.mark.parametrize("earlier", [False, True], ids=["of now", "of version 0.3.0"])
def test_places_below_the_results_move_with_them(tmp_path: Path, plan: Plan, earlier: bool) -> None:
    found = moved(plan, tmp_path, lambda p: p.pop("within") if earlier else None)
    now = tmp_path / "now" / "results"
    assert found.storage == f"{now}/checkpoints"
    assert found.tracking_uri == f"sqlite:///{now}/mlflow.db"


def test_places_elsewhere_stay_where_they_are(tmp_path: Path, plan: Plan) -> None:
    results = tmp_path / "results"
    kept = replace(plan, storage="s3://bucket/results/checkpoints", tracking_uri="http://host:5000")
    kept.save(results)
    (results / "checkpoints").mkdir()
    assert Plan.load(results, "mine", "sample_count") == kept


@pytest.mark.parametrize("name", PLANS)
def test_a_forged_plan_is_one_line(tmp_path: Path, plan: Plan, name: str) -> None:
    plan.save(tmp_path)
    path = tmp_path / FOLDER / "mine" / "plan.json"
    path.write_text(PLANS[name](path.read_text()))
    with pytest.raises(UserError) as error:
        Plan.load(tmp_path, "mine", "sample_count")
    message = str(error.value)
    assert message.startswith(f"{path}: not a usable plan of a sweep (")
    assert "\n" not in message
    assert len(message) < 600


@pytest.mark.parametrize("name", ["..", ".", "../mine", "/mine", "", "a\n", "a/b"])
def test_a_name_to_resume_leads_nowhere_else(tmp_path: Path, plan: Plan, name: str) -> None:
    plan.save(tmp_path)
    (tmp_path / "plan.json").write_text((tmp_path / FOLDER / "mine" / "plan.json").read_text())
    with pytest.raises(UserError, match="not a name of a sweep"):
        Plan.load(tmp_path, name, "sample_count")


def not_sqlite(path: Path) -> None:
    path.write_text("x" * 5000)


def another_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE studies (name TEXT)")
        database.commit()


def forged_trials(path: Path, content: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        changed = database.execute("UPDATE trial_user_attributes SET value_json = ?", (content,))
        assert changed.rowcount
        database.commit()


STUDIES: dict[str, Callable[[Path], object]] = {
    "not SQLite": not_sqlite,
    "another database": another_database,
    "trials of nothing": lambda path: forged_trials(path, '{"geometry": 1}'),
    "trials that are no JSON": lambda path: forged_trials(path, CODE),
    "lists in lists": lambda path: forged_trials(path, "[" * DEEP),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_forged_study_is_one_line(tmp_path: Path, plan: Plan, name: str) -> None:
    base = hyperparameters.SWEEP.base(tiny(), (0,), {})
    searched = replace(plan, search=SearchPlan(base, 3, "pareto"), trials=())
    path = tmp_path / study.FILE
    if "database" not in name and "SQLite" not in name:
        suggestions.Suggestions(hyperparameters.SWEEP, searched, tmp_path, Retries(Share(1))).next()
    STUDIES[name](path)
    with pytest.raises(UserError) as error:
        suggestions.Suggestions(hyperparameters.SWEEP, searched, tmp_path, Retries(Share(1)))
    message = str(error.value)
    assert message.startswith(f"{path}: not a usable study of searches (")
    assert "\n" not in message
