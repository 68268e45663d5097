"""Rows that continue others: which trials follow from them, and real sweeps of them."""

import os
import re
import shutil
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from ssmpe.cli import main
from ssmpe.config.presets import tiny
from ssmpe.errors import UserError
from ssmpe.experiments.deltas import REFERENCE, fine_tuning
from ssmpe.experiments.sweep import Delta, Sweep, row
from ssmpe.runner.cluster.release import code_here
from ssmpe.runner.cluster.resources import Share
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning import from_store, make
from ssmpe.runner.planning.from_store import Origin, Terms
from ssmpe.runner.planning.presentation import Presentation
from ssmpe.runner.queue.retries import Outcome, Retries
from ssmpe.runner.queue.table import Table
from ssmpe.runner.trial.checkpoints import Checkpoints, Stage
from ssmpe.tracking import schema
from ssmpe.tracking.reading import EndedRun
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.stored.store import read_sweep
from ssmpe.tracking.tracker import Tracker
from sweeps.two_stage import SWEEP
from tests.support import sweeping
from tests.support.invented import planned

RETRIES = Retries(Share(1))
SWEPT = (sweeping.UNREPORTED, "two_stage")
ROWS = ("--rows", "Ref.-FT")
BRIEF = (
    *("--set", "data.labelled_excerpts=1"),
    *("--set", "data.evaluation=[]"),
    *("--set", "training.n_batches=12"),
    *("--set", "training.validate_every=3"),
)

# a parent whose weights run away, one that the store has, and what continues either
ORPHAN = '''
"""Does a row fail alone whose parent has failed?"""
from ssmpe.experiments.sweep import Delta, Sweep, row
from ssmpe.cli import main
from ssmpe.experiments.deltas import REFERENCE, fine_tuning

def rows(base):
    runaway, known = row(Delta("runaway", {"training.weight_decay": 1e30})), row(REFERENCE)
    child = row(Delta("child"), fine_tuning(base), continues=runaway)
    return [runaway, child, row(REFERENCE, fine_tuning(base), continues=known)]

SWEEP = Sweep("orphan", __doc__.strip(), rows)
if __name__ == "__main__":
    raise SystemExit(main(SWEEP))
'''


class TestTrials:
    """The trials of rows that continue others."""

    def test_a_row_s_parents_come_along(self):
        trials = SWEEP.trials(tiny(), [0, 1], ["+MN-8-FT"])
        assert [t.name for t in trials] == [
            *("Ref. seed 0", "+MN-8-FT seed 0", "Ref. seed 1", "+MN-8-FT seed 1")
        ]
        assert [t.config.training.parent for t in trials] == [
            *("", trials[0].identity, "", trials[2].identity)
        ]
        assert from_store.parents(trials) == [trials[0], trials[2]]

    def test_overrides_hold_for_parents_too(self):
        parent, child = SWEEP.trials(tiny(), [3], ["Ref.-FT"], {"training.n_batches": 12})
        assert parent.config == tiny().replace({"training.n_batches": 12, "training.seed": 3})
        assert child.config.training.parent == parent.identity

    def test_another_parent_is_another_trial(self):
        one, other = (
            SWEEP.trials(tiny(), [0], ["Ref.-FT"], {"training.warmup_batches": n})[1].config
            for n in (5, 6)
        )
        same_warmup = other.replace({"training.warmup_batches": 5})
        assert one.identity != same_warmup.identity

    def test_a_third_stage_follows_the_second(self):
        first = row(REFERENCE)
        second = row(fine_tuning(tiny()), continues=first)
        third = row(Delta("third", {"training.learning_rate": 1e-5}), continues=second)
        sweep = Sweep("x", "Why?", lambda base: [third, second, first])
        waiting = sweep.trials(tiny(), [0], ["third"])
        assert [t.row for t in waiting] == ["Ref.", "-FT", "third"]
        queue = Table(replace(planned(1, Path("unused")), trials=tuple(waiting)), RETRIES, bool)
        for expected in ("Ref.", "-FT", "third"):
            now = queue.next()
            assert now
            assert now.trial.row == expected
            assert queue.next() is None
            queue.end(now.trial, Outcome(EndReason.COMPLETED))
        assert queue.next() is None
        assert queue.is_over

    @pytest.mark.parametrize("path", ["model.complexity", "geometry.hop_length"])
    def test_weights_must_fit(self, path):
        larger = row(
            Delta("larger", {path: 2048 if "hop" in path else 2}), continues=row(REFERENCE)
        )
        sweep = Sweep("x", "Why?", lambda base: [larger])
        with pytest.raises(UserError, match=r"'larger' cannot continue 'Ref\.'") as error:
            sweep.trials(tiny(), [0])
        assert "\n" not in str(error.value)

    def test_the_parent_is_no_setting_of_the_user_s(self):
        with pytest.raises(UserError, match=r"training\.parent cannot be --set"):
            SWEEP.trials(tiny(), [0], [], {"training.parent": "0123456789ab"})


def of_sweep(folder: Path, name: str) -> dict:
    """Return runs of a sweep's trials by row."""
    found = [r for r in sweeping.runs(folder, "trial") if r.data.tags[schema.SWEEP] == name]
    return {run.data.tags[schema.ROW]: run for run in found}


def curves(folder: Path, run) -> dict:
    """Return everything that a run's metrics say, times aside."""
    store = sweeping.client(folder)
    return {
        metric: [(p.step, p.value) for p in store.get_metric_history(run.info.run_id, metric)]
        for metric in run.data.metrics
        if not metric.startswith("time/")
    }


def artifacts(folder: Path, run) -> dict[str, bytes]:
    root = Path(run.info.artifact_uri.removeprefix("file://"))
    return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory):
    """Return a folder with a sweep that trained a parent and its child, and its name."""
    folder = tmp_path_factory.mktemp("trained")
    code, output = sweeping.run(folder, *SWEPT, *ROWS, *BRIEF)
    assert code == 0, output
    assert "Ref. seed 0: trained first" in output
    return folder, sweeping.sweep_name(output)


def test_a_child_starts_where_its_parent_was_best(trained):
    folder, name = trained
    runs = of_sweep(folder, name)
    parent, child = curves(folder, runs["Ref."]), curves(folder, runs["Ref.-FT"])
    f1s = parent["URMP/validation/f1_tuned"]
    best = next(step for step, f1 in f1s if f1 == max(value for _, value in f1s))
    for metric in ("f1_tuned", "f1", "blank_rate", "mean_peak"):
        points = dict(child[f"URMP/validation/{metric}"])
        assert list(points) == [0, 3, 6, 9, 12]
        assert points[0] == dict(parent[f"URMP/validation/{metric}"])[best]
    assert [step for step, _ in child["loss/total"]] == [3, 6, 9, 12]


def test_a_child_says_what_it_continues(trained):
    tags = of_sweep(*trained)["Ref.-FT"].data.tags
    assert tags[schema.CONTINUES] == "Ref. seed 0"
    assert tags[schema.END_REASON] == "completed"
    assert schema.CONTINUED_RUN not in tags


def taken_from(run, earlier: str) -> str:
    return f"Ref. seed 0: taken from run {run.info.run_id} of sweep {earlier}"


def test_a_dry_run_tells_of_a_parent_in_the_store(trained, monkeypatch, capsys):
    folder, name = trained
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        code = main(SWEEP, None, (*ROWS, *BRIEF, "--dry-run"))
    dry = capsys.readouterr().out
    assert code == 0, dry
    assert taken_from(of_sweep(folder, name)["Ref."], name) in dry


@pytest.fixture(scope="module")
def later(trained):
    """Run a sweep in that store that continues its parent, and one whose weights run away.

    Returns:
        Its output and its runs by row.
    """
    folder, _ = trained
    script = folder / "orphan.py"
    script.write_text(ORPHAN)
    code, output = sweeping.run(folder, script, *BRIEF)
    assert code == 1, output
    return output, of_sweep(folder, sweeping.sweep_name(output))


def test_a_parent_is_taken_from_the_store(trained, later):
    folder, earlier = trained
    output, runs = later
    before = of_sweep(folder, earlier)
    source = before["Ref."]
    assert taken_from(source, earlier) in output
    assert not re.search(r"Ref\. seed 0 .* running", output)
    assert runs["Ref."].data.tags[schema.COPIED_FROM] == source.info.run_id
    assert runs["Ref.-FT"].data.tags[schema.CONTINUED_RUN] == source.info.run_id
    for row_name in ("Ref.", "Ref.-FT"):
        assert curves(folder, runs[row_name]) == curves(folder, before[row_name])
        assert runs[row_name].data.params == before[row_name].data.params
        assert runs[row_name].info.status == "FINISHED"
    assert artifacts(folder, runs["Ref."]) == artifacts(folder, source)


def test_seeds_are_added_to_what_the_store_has(trained, world):
    folder, earlier = trained
    before = of_sweep(folder, earlier)
    more = (*SWEPT, *ROWS, *BRIEF, "--seeds", "0,1", "--from-store")
    code, output = sweeping.run(folder, *more)
    assert code == 0, output
    for name in before:
        assert f"{name} seed 0: taken from run " in output
        assert not re.search(rf"{re.escape(name)} seed 0 .* running", output)
        assert re.search(rf"{re.escape(name)} seed 1 .* running", output)
    sweep = read_sweep(f"sqlite:///{folder}/results/mlflow.db", sweeping.sweep_name(output))
    here = {(t.row, t.seed): t.copied for t in sweep.trials}
    assert here == {(row, seed): not seed for row in before for seed in (0, 1)}
    for trial in sweep.trials:
        if trial.copied:
            there = sweeping.client(folder).get_run(trial.run_id)
            assert curves(folder, there) == curves(folder, before[trial.row])
            assert there.inputs == before[trial.row].inputs
            assert there.data.tags.get(schema.CONTINUES, "Ref. seed 0") == "Ref. seed 0"
            assert (schema.CONTINUES in there.data.tags) == (trial.row == "Ref.-FT")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "trained first, for run {run} in the store has no checkpoint"),
        ({"version.ssmpe": "9.9"}, r"trained first, for run {run} .* ssmpe .* \(here 9\.9\)"),
        ({"code.ssmpe": "0"}, r"trained first, for run {run} .* made with other code of ssmpe"),
        ({"version.torch": "9.9"}, r"taken from run {run} .*, made with torch 2.* \(here 9\.9\)"),
    ],
    ids=["without its checkpoint", "of another version", "of other code", "of another torch"],
)
def test_what_is_not_the_same_is_told(trained, monkeypatch, changes, said):
    folder, name = trained
    run = of_sweep(folder, name)["Ref."]
    here = {**make.versions(), **changes}
    monkeypatch.setattr(from_store, "versions", lambda: here)
    code = {**code_here(), **({"ssmpe": "0"} if "code.ssmpe" in changes else {})}
    monkeypatch.setattr(from_store, "code_here", lambda: code)
    best = Path(run.info.artifact_uri.removeprefix("file://")) / "checkpoint" / "best"
    aside = best.with_name("aside")
    if not changes:
        shutil.move(best, aside)
    try:
        plan = Plan.load(folder / "results", name, "two_stage")
        found = from_store.origins(plan.trials, plan.tracking_uri, plan.data, Terms())
    finally:
        if not changes:
            shutil.move(aside, best)
    (origin,) = found.values()
    assert re.fullmatch(said.format(run=run.info.run_id), origin.text), origin.text
    assert (origin.run is None) == origin.text.startswith("trained first")


HERE = {**make.versions(), "code.ssmpe": "1"}
TRIAL = SWEEP.trials(tiny(), [0], ["Ref.-FT"])[0]
RUN = EndedRun("run", "sweep", {**HERE, "early_stop": "True"}, has_best=True)
TAKEN = "taken from run run of sweep sweep"


def origin(*runs: EndedRun, parent: bool = False, **terms) -> Origin:
    """Return where a trial comes from that runs in the store are of."""
    return from_store._origin(runs, HERE, TRIAL, Terms(**terms), parent=parent)


def made(run: EndedRun, **changes: str) -> EndedRun:
    return replace(run, made_with={**run.made_with, **changes})


def test_what_has_ended_is_taken():
    assert origin(RUN) == origin(RUN, parent=True) == Origin("run", TAKEN)
    assert origin() == Origin(None, "")
    assert origin(parent=True) == Origin(None, "trained first")
    assert origin(replace(RUN, has_best=False)).run == "run"  # nobody goes on from it
    assert origin(replace(RUN, has_best=False), parent=True).run is None


@pytest.mark.parametrize(
    ("tag", "name", "said"),
    [
        ("code.ssmpe", "0", "made with other code of ssmpe"),
        (f"{schema.ACCEPTED_CODE}0", "ssmpe", "made in part with other code"),
    ],
)
@pytest.mark.parametrize("parent", [False, True])
def test_other_code_is_taken_only_if_that_is_accepted(tag, name, said, parent):
    other = made(RUN, **{tag: name})
    refused = origin(other, parent=parent)
    assert refused.run is None
    assert refused.text.startswith("trained first" if parent else "trained, for run run in")
    assert refused.text.endswith(said)
    accepted = {f"{schema.ACCEPTED_CODE}0": "ssmpe"}
    assert origin(other, parent=parent, accept=True) == Origin("run", f"{TAKEN}, {said}", accepted)
    older = replace(RUN, run="same")
    assert origin(other, older, parent=parent, accept=True).run == "same"


@pytest.mark.parametrize(
    ("run", "terms", "said"),
    [
        (replace(RUN, stopped=True), {"early_stop": False}, "was stopped early"),
        (
            replace(made(RUN, early_stop="False"), collapsed=True),
            {},
            "went on though it had collapsed",
        ),
        (
            replace(RUN, digests=frozenset({("URMP/train", "a"), ("E-GMD/train", "b")})),
            {"digests": lambda trial: {("URMP/train", "c"), ("FMA/train", "d")}},
            "was trained on other data of URMP/train",
        ),
        (RUN, {"on_gpus": True}, "was trained on CPUs"),
        (made(RUN, **{"hardware.gpus_per_trial": "0.25"}), {"on_gpus": False}, "on GPUs"),
    ],
)
def test_what_would_come_out_otherwise_is_trained(run, terms, said):
    found = origin(run, **terms)
    assert found.run is None
    assert found.text.startswith("trained, for run run in the store ")
    assert found.text.endswith(said)


def test_what_was_stopped_is_taken_where_it_would_be_stopped_again():
    assert origin(replace(RUN, stopped=True, collapsed=True)) == Origin("run", TAKEN)
    assert origin(replace(RUN, stopped=True), parent=True).run is None
    assert origin(replace(made(RUN, early_stop="False"), collapsed=True), parent=True).run == "run"


def test_other_data_are_another_parent(trained):
    folder, name = trained
    plan = Plan.load(folder / "results", name, "two_stage")
    (origin,) = from_store.origins(
        plan.trials, plan.tracking_uri, "folder /elsewhere", Terms()
    ).values()
    assert origin.run is None


def provided(folder: Path, plan: Plan, ended: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return what ``provide`` leaves to do for a plan in a store of its own, and what it says."""
    tracker = Tracker(plan.tracking_uri, folder / "spool")
    tracker.start_sweep(plan.script, plan.name, {}, {})
    console = Console(file=(folder / "said").open("w"), width=200)
    shown = Presentation(plan, plan.trials, {})
    Checkpoints(plan.storage, plan.name).begin()
    ended, _ = from_store.provide(plan, ended, tracker, shown, console)
    assert tracker.close(60)
    console.file.close()
    return ended, (folder / "said").read_text()


def test_a_damaged_checkpoint_is_told_and_its_trial_trained(trained, tmp_path):
    folder, name = trained
    run = of_sweep(folder, name)["Ref."].info
    best = Path(run.artifact_uri.removeprefix("file://")) / "checkpoint" / "best" / "best.pt"
    whole = best.read_bytes()
    plan = Plan.load(folder / "results", name, "two_stage")
    parent = plan.trials[0].identity
    plan = replace(plan, name="damaged", storage=str(tmp_path), taken={parent: run.run_id})
    best.write_bytes(whole[:1000])
    try:
        ended, said = provided(tmp_path, plan, {})
    finally:
        best.write_bytes(whole)
    assert ended == {}
    assert re.fullmatch(r"Ref\. seed 0: not to be had from the store: .*usable.*\n", said)
    assert not Checkpoints(plan.storage, plan.name).trials()


def test_what_was_begun_here_goes_on_here(trained, tmp_path):
    """A store that gave nothing once, and does now, would mix two trainings."""
    folder, name = trained
    run = of_sweep(folder, name)["Ref."].info
    plan = Plan.load(folder / "results", name, "two_stage")
    parent = plan.trials[0].identity
    plan = replace(plan, name="begun", storage=str(tmp_path), taken={parent: run.run_id})
    best = Path(run.artifact_uri.removeprefix("file://")) / "checkpoint" / "best"
    Checkpoints(plan.storage, plan.name).begin()
    Checkpoints(plan.storage, plan.name).put(parent, Stage(3), best)
    assert provided(tmp_path, plan, {}) == ({}, "")
    assert Checkpoints(plan.storage, plan.name).stages(parent) == [Stage(3)]


def test_checkpoints_that_are_gone_from_the_storage_come_from_the_store(trained, tmp_path):
    folder, name = trained
    plan = replace(Plan.load(folder / "results", name, "two_stage"), storage=str(tmp_path))
    parent, child = plan.trials
    Checkpoints(plan.storage, plan.name).begin()
    ended = {parent.identity: "completed"}
    queue = Table(plan, RETRIES, partial(from_store.has_checkpoint, plan))
    queue.begin(ended)
    assert queue.next() is None
    why = "no checkpoint of Ref. seed 0, which it continues, is left"
    assert queue.refused == [(child, why)]
    assert provided(tmp_path, plan, ended) == (ended, "")
    queue.begin(ended)
    now = queue.next()
    assert now
    assert now.trial == child


@pytest.mark.long
def test_a_driver_killed_in_the_second_stage_resumes_to_the_same_result(trained, tmp_path):
    process = sweeping.start(tmp_path, *SWEPT, *ROWS, *BRIEF)
    output = sweeping.read_until(process, "Ref.-FT seed 0              3/12")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    name = sweeping.sweep_name(output)
    code, resumed = sweeping.run(tmp_path, *SWEPT, "--resume", name)
    assert code == 0, resumed
    assert not re.search(r"Ref\. seed 0 .* running", resumed)
    runs, undisturbed = of_sweep(tmp_path, name), of_sweep(*trained)
    assert runs.keys() == undisturbed.keys()
    for row_name, run in runs.items():
        assert curves(tmp_path, run) == curves(trained[0], undisturbed[row_name])
        assert run.data.tags[schema.END_REASON] == "completed"


def test_a_trial_that_diverges_fails_with_what_continues_it_and_nothing_else(trained, later):
    output, runs = later
    why = "runaway seed 0, which it continues, was not trained to its end"
    assert output.count(f"child-FT seed 0  {why}") == 1, output
    assert "the loss became" in output
    assert runs["child-FT"].data.tags[schema.FAILURE] == why
    ends = {name: run.data.tags[schema.END_REASON] for name, run in runs.items()}
    completed = dict.fromkeys(("Ref.", "Ref.-FT"), "completed")
    assert ends == {"runaway": "failed", "child-FT": "failed", **completed}
    assert runs["child-FT"].info.status == runs["runaway"].info.status == "FAILED"
    states = {r.data.tags[schema.SWEEP]: r.data.tags for r in sweeping.runs(trained[0], "sweep")}
    assert states[sweeping.sweep_name(output)][schema.STATE] == "failed"
