"""Objectives and datasets of a user's own, as the page on extending tells: real Ray."""

import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from ssmpe.config import objectives as config_objectives
from ssmpe.data.datasets.registry import DATASETS, Locations, dataset, resolve
from ssmpe.data.store.annotations import annotations_key
from ssmpe.errors import DataError, UserError, raised_at
from ssmpe.objectives import REGISTRY, objective
from ssmpe.own import digest_of
from ssmpe.runner.cluster.release import CODE, code_here, decisive
from ssmpe.runner.trial import brought
from ssmpe.tracking import schema
from ssmpe.transcription.trained import load_trained
from tests.layouts.midi import write_midi
from tests.support import sweeping

PAGE = sweeping.ROOT / "sweeps" / "EXTEND.md"
OBJECTIVE, READER = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
BRIEF = (
    *("--set", "data.labelled_excerpts=1"),
    *("--set", "data.evaluation=[]"),
    *("--set", "training.n_batches=4"),
    *("--set", "training.validate_every=2"),
)
FAULTY = '''"""What becomes of mistakes?"""
import torch
from ssmpe.experiments.sweep import Delta, row
from ssmpe.objectives import objective
from ssmpe.cli import sweep


def raises(batch, out, geometry):
    return torch.ones(3) @ torch.ones(4)


def unsummed(batch, out, geometry):
    return out.salience


objective("raises", raises)
objective("unsummed", unsummed)


def rows(base):
    names = ("raises", "unsummed")
    return [row(Delta(name, {f"objectives.weights.{name}": 1.0})) for name in names]


SWEEP = sweep(rows)
'''


@pytest.fixture(autouse=True)
def forgotten():
    """Forget what a test has added."""
    objectives, datasets = dict(REGISTRY), dict(DATASETS)
    yield
    REGISTRY.clear()
    REGISTRY.update(objectives)
    DATASETS.clear()
    DATASETS.update(datasets)
    config_objectives._own.clear()


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory) -> SimpleNamespace:
    """Run the example of the page as it stands, for a few batches."""
    folder = tmp_path_factory.mktemp("extend")
    script = folder / "elsewhere" / "huber.py"
    script.parent.mkdir()
    script.write_text(OBJECTIVE)
    code, output = sweeping.run(folder, script, "--rows", "Ref.+huber", *BRIEF)
    return SimpleNamespace(folder=folder, script=script, code=code, output=output)


def test_the_example_of_the_page_trains_as_it_stands(trained):
    assert trained.code == 0, trained.output
    (trial,) = sweeping.runs(trained.folder, "trial")
    assert trial.data.metrics["loss/huber"] > 0
    assert trial.data.params["objectives.weights.huber"] == "10.0"
    assert trial.data.tags[schema.ORDER] == "00000"


def test_what_the_code_was_is_in_the_record(trained):
    (parent,) = sweeping.runs(trained.folder, "sweep")
    params, tags = parent.data.params, parent.data.tags
    assert params[f"{schema.CODE}ssmpe"] == code_here()[CODE]
    assert {f"{schema.CODE}huber.py", f"{schema.CODE}objective huber"} <= params.keys()
    assert params["command"].startswith(f"python {trained.script} --rows")
    assert tags[schema.SOURCE] == params["command"]
    commit = re.fullmatch(r"[0-9a-f]{40}(-dirty)?", params.get("code.commit", ""))
    assert bool(commit) == (sweeping.ROOT / ".git").exists()
    store = sweeping.client(trained.folder)
    note = store.get_experiment(parent.info.experiment_id).tags[schema.NOTE]
    assert note.startswith("**Does output that must not change with loudness stay alive")
    assert f"[{parent.info.run_name}](http" in note


def test_the_network_is_loaded_without_the_file(trained):
    (best,) = trained.folder.glob("results/artifacts/**/checkpoint/best") or [None]
    assert load_trained(best, "cpu").config.objectives.weights["huber"] == 10.0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("delta=0.1", "delta=0.2"), "the code of objective huber and huber.py has changed"),
        (('"huber", huber', '"hubert", huber'), "of objective huber and huber.py has changed"),
    ],
)
def test_another_loss_is_another_code_to_a_resume(trained, changed, said):
    name = sweeping.sweep_name(trained.output)
    try:
        trained.script.write_text(OBJECTIVE.replace(*changed).replace(".hubert", ".huber"))
        code, output = sweeping.run_here(trained.folder, trained.script, "--resume", name)
    finally:
        trained.script.write_text(OBJECTIVE)
    assert code == 2, output
    assert said in output
    assert len(output.splitlines()) == 1


def test_mistakes_in_a_loss_are_told_once_and_end_the_trial(world, tmp_path):
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY)
    code, output = sweeping.run(tmp_path, script, *BRIEF)
    assert code == 1, output
    line = FAULTY[: FAULTY.index("    return torch.ones")].count("\n") + 1
    place = rf"RuntimeError: .* \({re.escape(str(script))}, line {line}\)"
    once = re.findall(rf"^raises seed 0: {place}; once more, from its last", output, re.M)
    assert len(once) == 1, output
    told = " ".join(output.split("failed trial")[1].split())  # its lines are wrapped
    assert re.search(rf"raises seed 0 RuntimeError: .*faulty\.py, line {line}\) \(in full: ", told)
    shape = r"objective 'unsummed' returned \(1, \d+, \d+\), expected \(1, \d+\): sum over freq"
    assert re.search(f"unsummed seed 0 {shape}", told), output


@pytest.mark.parametrize(
    ("run", "changed", "said"),
    [
        (
            sweeping.run,
            ('objective("huber"', 'objective("timbre"'),
            "an objective's name = 'timbre': expected",
        ),
        (
            sweeping.run_here,
            ("weights.huber", "weights.hubert"),
            "objectives.weights = 'hubert': expected one of",
        ),
        (
            sweeping.run_here,
            ("make_view=softer", "needs=('x',)"),
            "objective 'huber': needs 'x': expected one of",
        ),
    ],
)
def test_mistakes_in_the_file_are_one_line(tmp_path, run, changed, said):
    script = tmp_path / "huber.py"
    script.write_text(OBJECTIVE.replace(*changed))
    code, output = run(tmp_path, script, "--dry-run")
    assert code == 2, output
    assert output.startswith(f"error: {said}")
    assert len(output.splitlines()) == 1


@pytest.fixture(autouse=True)
def no_dataset_is_left():
    yield
    DATASETS.pop("Choir", None)


def executed(code: str, path: Path) -> dict:
    path.write_text(code)
    found: dict = {"__name__": "__main__", "__file__": str(path)}
    exec(compile(code, str(path), "exec"), found)
    return found


def test_the_reader_of_the_page_reads_as_it_stands(tmp_path):
    executed(READER, tmp_path / "choir.py")
    notes = [(0.1, "note_on", 60, 64), (0.4, "note_off", 60, 0)]
    write_midi(tmp_path / "Choir" / "train" / "a.mid", notes)
    soundfile.write(tmp_path / "Choir" / "train" / "a.wav", np.zeros(22050), 22050)
    found = resolve("Choir/train", Locations(tmp_path))
    assert [track.name for track in found.tracks] == ["a"]
    annotation = found.dataset.annotation(found.tracks[0])
    assert annotation is not None
    with pytest.raises(UserError, match="unknown split of Choir 'tests'"):
        resolve("Choir/tests", Locations(tmp_path))
    # another process has it by value, and other code of it reads annotations anew
    key = annotations_key(found.dataset, found.tracks, {})
    packed = brought.packed()
    del DATASETS["Choir"]
    brought.unpack(packed)
    again = resolve("Choir/train", Locations(tmp_path))
    assert annotations_key(again.dataset, again.tracks, {}) == key
    DATASETS["Choir"].code = "other"
    assert annotations_key(again.dataset, again.tracks, {}) != key
    (tmp_path / "Choir" / "train" / "a.mid").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.mid"):
        again.dataset.annotation(again.tracks[0])


def test_what_a_reader_raises_is_told_with_its_place(tmp_path):
    code = READER.replace("return read_notes", "return 1 / 0, read_notes")
    executed(code, tmp_path / "choir.py")
    (tmp_path / "Choir" / "train").mkdir(parents=True)
    (tmp_path / "Choir" / "train" / "a.wav").touch()
    found = resolve("Choir/train", Locations(tmp_path))
    line = code[: code.index("return 1 / 0")].count("\n") + 1
    said = rf"dataset Choir: ZeroDivisionError: division by zero \(.*choir\.py, line {line}\)"
    with pytest.raises(DataError, match=said):
        found.dataset.annotation(found.tracks[0])


def test_what_is_no_annotation_is_told(tmp_path):
    executed(READER.replace("return read_notes(", "return str("), tmp_path / "choir.py")
    (tmp_path / "Choir" / "train").mkdir(parents=True)
    (tmp_path / "Choir" / "train" / "a.wav").touch()
    found = resolve("Choir/train", Locations(tmp_path))
    with pytest.raises(
        DataError, match="dataset Choir: _annotation returned str, not an Annotation"
    ):
        found.dataset.annotation(found.tracks[0])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (('"Choir"', '"URMP"'), "dataset 'URMP': expected a name of letters"),
        (("splits =", "split ="), "dataset Choir: it needs a class attribute 'splits'"),
        (("def _tracks", "def tracks"), "dataset Choir: it needs _tracks"),
    ],
)
def test_what_is_no_reader_is_one_line(tmp_path, changed, said):
    with pytest.raises(UserError, match=said):
        executed(READER.replace(*changed), tmp_path / "choir.py")
    with pytest.raises(UserError, match="expected a subclass"):
        dataset(3)  # type: ignore[arg-type]


def test_what_lies_beside_the_file_travels_with_it(tmp_path, monkeypatch):
    (tmp_path / "helping_losses.py").write_text("def doubled(x):\n    return 2 * x\n")
    (tmp_path / "own_losses.py").write_text(
        "from helping_losses import doubled\ndef loss(batch, out, geometry):\n"
        "    return doubled(batch)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    objective("own", importlib.import_module("own_losses").loss)
    packed = brought.packed()
    for name in ("own_losses", "helping_losses"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(tmp_path)])
    del REGISTRY["own"]
    brought.unpack(packed)
    assert REGISTRY["own"].loss(3, None, None) == 6  # type: ignore[arg-type]


def test_what_cannot_travel_is_one_line(tmp_path):
    with (tmp_path / "open").open("w") as file:

        def loss(batch, out, geometry):
            print(batch, file=file)

        objective("own", loss)
        with pytest.raises(UserError, match="own: cannot be sent to the trials' processes"):
            brought.packed()


def test_the_code_that_decides_is_the_package_s_and_that_of_what_a_trial_uses(brief):
    objective("huber", test_what_cannot_travel_is_one_line)  # type: ignore[arg-type]
    assert decisive(brief) == [CODE]
    own = brief.replace({"objectives.weights.huber": 1.0})
    assert decisive(own) == [CODE, "objective huber"]
    assert code_here()["objective huber"] == digest_of(forgotten) == digest_of(brought_here)


def brought_here() -> None:
    """Stand in this file."""


def test_the_place_of_an_exception_is_the_innermost_of_the_user_s_own():
    frames = ["/home/me/huber.py", "/venv/site-packages/torch/x.py", "/home/me/losses.py"]
    trace = "".join(f'  File "{file}", line {n}, in f\n    x\n' for n, file in enumerate(frames))
    assert raised_at(trace + '  File "/venv/site-packages/torch/y.py", line 9, in g\n') == (
        "/home/me/losses.py, line 2"
    )
    assert raised_at(trace.split('\n  File "/home/me/l')[0]) == "/home/me/huber.py, line 0"
    assert raised_at("The actor died") == ""
