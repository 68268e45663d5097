import fnmatch
import json
import shlex
from functools import partial

import pytest

from ssmpe.config.presets import paper, tiny
from ssmpe.errors import UserError
from ssmpe.experiments import options
from ssmpe.experiments.deltas import (
    FROZEN,
    REFERENCE,
    added,
    fine_tuning,
    going_on,
    self_supervised_scaled,
    supervised_only,
    teacher,
)
from ssmpe.experiments.estimate import macs_per_frame, n_weights, sweep_cost, trial_seconds
from ssmpe.experiments.search import Search, maximise
from ssmpe.experiments.sweep import Delta, Sweep, differences, row
from ssmpe.network.model import Autoencoder
from ssmpe.runner.plan import Plan
from sweeps.sample_count import SWEEP


def parse(*arguments: str) -> options.Options:
    return options.parse("A question?", "python sweeps/x.py", arguments)


@pytest.mark.parametrize(
    ("make", "counts"), [(tiny, (1, 2, 4, 8)), (paper, (2, 4, 8, 16))], ids=["tiny", "paper"]
)
def test_sample_counts_keep_the_paper_s_ratios(make, counts):
    rows = [r.name for r in SWEEP.select(make())]
    first = ["no network", "decomposition", "supervised", "Ref."]
    assert rows == [*first, *(f"+MN-{n}" for n in counts)]
    everything = [r.name for r in SWEEP.select(make(), ["*"])]
    assert set(everything) - set(rows) == {f"+{x}-{n}" for x in ("NS", "FMA") for n in counts}


def test_rows_change_what_they_say_and_nothing_else():
    base = tiny()
    rows = {r.name: differences(r.apply(base), base) for r in SWEEP.rows(base)}
    assert rows["Ref."] == {}
    assert rows["+MN-4"] == {"data.added.MusicNet/train": 4}
    off = ("timbre", "percussion", "geometric")
    assert rows["supervised"] == {f"objectives.weights.{name}": None for name in off}


def test_a_dry_run_tells_once_what_all_rows_share():
    batches = {"training.n_batches": 3}
    overview = SWEEP.overview(
        SWEEP.trials(tiny(), [0, 1], ["Ref.", "+MN-4"], batches), tiny(), None
    )
    assert overview.rows == (("Ref.", "nothing"), ("+MN-4", "data.added.MusicNet/train = 4"))
    assert overview.lines == ("all of them: training.n_batches = 3",)
    one = SWEEP.overview(SWEEP.trials(tiny(), [0], ["Ref."], batches), tiny(), None)
    assert (one.rows, one.lines) == ((("Ref.", "training.n_batches = 3"),), ())


def test_deltas_compose():
    energy = Delta("+EG", {"objectives.weights.energy": 1.0})
    both = row(added(tiny(), "MusicNet/train", 2.0), energy)
    assert both.name == "+MN-8+EG"
    config = both.apply(tiny())
    assert config.data.added == {"MusicNet/train": 8}
    assert config.objectives.weights["energy"] == 1.0
    assert config.objectives.weights["timbre"] == tiny().objectives.weights["timbre"]


def test_the_question_is_one_line_that_asks():
    assert SWEEP.question.endswith("?")
    assert "\n" not in SWEEP.question


def test_one_trial_per_row_and_seed():
    trials = SWEEP.trials(tiny(), [0, 1, 2])
    assert len(trials) == 24
    assert len({t.identity for t in trials}) == 24
    assert [t.seed for t in trials[:8]] == [0] * 8
    assert trials[0].name == "no network seed 0"


def test_overrides_win():
    trials = SWEEP.trials(tiny(), [0], ["Ref.", "+MN-*"], {"training.n_batches": 3})
    assert {t.config.training.n_batches for t in trials} == {3}


class TestWhatRowsMakeOfWhatIsSet:
    """Rows that are defined by their base take what is set into account, and are not undone."""

    def configs(self, overrides, *deltas):
        sweep = Sweep("x", "Why?", lambda base: [row(*(d(base) for d in deltas)), row(REFERENCE)])
        return [t.config for t in sweep.trials(tiny(), [0], overrides=overrides)]

    def test_a_teacher_remembers_a_share_of_the_batches(self):
        config, _ = self.configs({"training.n_batches": 10_000}, teacher)
        assert config.objectives.teacher_decay == 1 - 1 / 500
        assert config.training.n_batches == 10_000
        brief, _ = self.configs({"training.n_batches": 10}, teacher)
        assert brief.objectives.teacher_decay == 0.5

    def test_going_on_takes_half_of_the_batches_and_fine_tuning_a_fifth_of_the_rate(self):
        overrides = {"training.n_batches": 100, "training.learning_rate": 0.01}
        config, reference = self.configs(overrides, partial(going_on, name="-on"), fine_tuning)
        assert (config.training.n_batches, config.training.learning_rate) == (50, 0.002)
        assert (reference.training.n_batches, reference.training.learning_rate) == (100, 0.01)

    def test_added_excerpts_are_so_many_times_the_labelled_ones(self):
        more = partial(added, set_name="MusicNet/train", ratio=2.0)
        config, _ = self.configs({"data.labelled_excerpts": 8}, more)
        assert config.data.added == {"MusicNet/train": 16}

    @pytest.mark.parametrize("path", ["objectives.weights.timbre", "objectives.weights"])
    def test_scaled_weights_are_those_that_are_set(self, path):
        given = {**tiny().objectives.weights, "timbre": 0.5}
        overrides = {path: given if path.endswith("weights") else 0.5}
        scaled = partial(self_supervised_scaled, factor=0.1)
        config, reference = self.configs(overrides, scaled)
        assert config.objectives.weights["timbre"] == pytest.approx(0.05)
        assert reference.objectives.weights["timbre"] == 0.5
        alone, _ = self.configs(overrides, supervised_only)
        assert set(alone.objectives.weights) == {"supervised"}

    def test_an_objective_may_be_set_to_nothing(self):
        scaled = partial(self_supervised_scaled, factor=0.1)
        config, _ = self.configs({"objectives.weights.timbre": 0}, scaled)
        assert set(config.objectives.weights) == {"supervised", "percussion", "geometric"}


@pytest.mark.parametrize(
    ("patterns", "overrides", "said"),
    [
        (["+MN-3"], {}, "no row '+MN-3'; did you mean '+MN-"),
        (["Ref.", "+XY-*"], {}, r"no row '\+XY-\*'"),
        ([], {"data.added": {}}, "are the same trial"),
        ([], {"training.batches": 1}, "training.batches"),
    ],
)
def test_mistakes_are_one_clear_line(patterns, overrides, said):
    with pytest.raises(UserError, match=said.replace("+MN", r"\+MN")) as error:
        SWEEP.trials(tiny(), [0], patterns, overrides)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "its table has no rows"),
        ([REFERENCE], "which is no Row"),
        (
            [row(Delta("A", {"training.n_batches": n})) for n in (1, 2)],
            "2 trials are called 'A seed 0': give each row a name of its own",
        ),
    ],
)
def test_tables_that_cannot_be_run(rows, said):
    sweep = Sweep("x", "Why?", lambda base: rows)
    with pytest.raises(UserError, match=said):
        sweep.trials(tiny(), [0])


def test_a_teacher_that_stays_as_it_is_needs_something_to_continue():
    rows = [row(REFERENCE), row(FROZEN, continues=row(REFERENCE))]
    sweep = Sweep("x", "Why?", lambda base: rows)
    frozen = sweep.trials(tiny(), [0])[1].config
    assert frozen.objectives.teacher_decay == 1
    assert frozen.training.parent
    with pytest.raises(UserError, match=r"row 'Ref\.': objectives\.teacher_decay = 1") as error:
        sweep.trials(tiny(), [0], overrides={"objectives.teacher_decay": 1})
    assert "\n" not in str(error.value)


def test_nor_is_there_anything_to_continue_for_a_search():
    decays = Search(
        "x",
        "Which?",
        common=lambda base: (),
        space=lambda trial, base: [
            Delta("", {"objectives.teacher_decay": trial.suggest_categorical("decay", [0.9, 1.0])})
        ],
        objectives=lambda c: [maximise(f"{c.data.validation}/f1_tuned")],
        start={"decay": 0.9},
        n_trials=2,
    )
    with pytest.raises(UserError, match=r"row 'of a search': objectives\.teacher_decay = 1"):
        decays.trials(tiny(), [0])


def test_patterns_are_those_of_a_shell():
    assert fnmatch.fnmatchcase("+MN-16", "+MN-*")
    sweep = Sweep("x", "Why?", lambda base: [row(REFERENCE), row(supervised_only(base))])
    assert [r.name for r in sweep.select(tiny(), ["sup*", "R*"])] == ["Ref.", "supervised"]


class TestOptions:
    """The options of every sweep."""

    def test_defaults(self):
        given = parse()
        assert given.preset == "tiny"
        assert given.seeds == (0,)
        assert given.early_stop
        assert given.diagnostics is None
        assert given.rows == ()
        assert given.overrides == {}

    @pytest.mark.parametrize(
        ("text", "seeds"),
        [("3", (3,)), ("0,2", (0, 2)), ("0-3", (0, 1, 2, 3)), ("7,0-1", (7, 0, 1))],
    )
    def test_seeds(self, text, seeds):
        assert parse("--seeds", text).seeds == seeds

    @pytest.mark.parametrize(
        ("text", "path", "value"),
        [
            ("training.n_batches=5", "training.n_batches", 5),
            ("objectives.stop_gradient=true", "objectives.stop_gradient", True),
            ("data.validation=URMP/T2", "data.validation", "URMP/T2"),
            ("data.evaluation=[]", "data.evaluation", []),
            ("training.learning_rate = 1e-3", "training.learning_rate", 1e-3),
        ],
    )
    def test_overrides(self, text, path, value):
        assert parse("--set", text).overrides == {path: value}

    def test_data(self, tmp_path):
        given = parse("--folder", f"mine={tmp_path}", "--max-hours", "FMA/train=20")
        assert given.folders == {"mine": tmp_path}
        assert given.max_hours == {"FMA/train": 20.0}
        assert parse("--world", "full").world == "full"

    def test_rows_by_commas_or_repetition(self):
        assert parse("--rows", "a, b", "--rows", "c").rows == ("a", "b", "c")

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--set", "training.n_batches"),
            ("--set", "=5"),
            ("--set", "training.n_batches="),
            ("--set", "training.learning_rate=NaN"),
            ("--seeds", "a"),
            ("--seeds", "1,1"),
            ("--seeds", "3-1"),
            ("--concurrent", "0"),
            ("--diagnostics", "0"),
            ("--gpus-per-trial", "-1"),
            ("--gpus-per-trial", "1.5"),
            ("--gpus-per-trial", "nan"),
            ("--folder", "mine"),
            ("--folder", "mine=/a", "--folder", "mine=/b"),
            ("--max-hours", "FMA/train"),
            ("--max-hours", "FMA/train=0"),
            ("--max-hours", "FMA/train=inf"),
            ("--world", "full", "--data-root", "/data"),
        ],
    )
    def test_mistakes_name_the_option_and_the_value(self, arguments):
        with pytest.raises(UserError) as error:
            parse(*arguments)
        assert arguments[0] in str(error.value)
        assert "\n" not in str(error.value)

    def test_command_can_be_typed_again(self):
        typed = ["--rows", "+MN-*,Ref.", "--set", "training.n_batches=3"]
        assert shlex.split(parse(*typed).command)[2:] == typed

    def test_help_begins_with_the_question(self, capsys):
        with pytest.raises(SystemExit) as ended:
            parse("--help")
        assert ended.value.code == 0
        assert capsys.readouterr().out.splitlines()[0] == "A question?"


class TestPlan:
    """Plans, written and read."""

    def plan(self, **changes) -> Plan:
        trials = tuple(SWEEP.trials(tiny(), [0]))
        values = {
            "name": "sample_count-tiny-1", "script": "sample_count", "question": "Why?",
            "preset": "tiny", "data": "embedded world (tiny)", "data_root": "/data",
            "folders": {"mine": "/music"},
            "storage": "/storage", "tracking_uri": "sqlite:///x.db", "early_stop": True,
            "threads": 1, "gpus_per_trial": 0.0, "concurrent": None, "trials": trials,
        }  # fmt: skip
        return Plan(**{**values, **changes})

    def test_there_and_back_again(self, tmp_path):
        self.plan().save(tmp_path)
        assert Plan.load(tmp_path, "sample_count-tiny-1", "sample_count") == self.plan()

    def test_nothing_is_written_over(self, tmp_path):
        self.plan().save(tmp_path)
        with pytest.raises(UserError, match="exists already"):
            self.plan(early_stop=False).save(tmp_path)

    @pytest.mark.parametrize("name", ["sample_count-tiny-2", "../x", "a/b", ""])
    def test_unknown_names(self, tmp_path, name):
        self.plan().save(tmp_path)
        with pytest.raises(UserError, match="--resume") as error:
            Plan.load(tmp_path, name, "sample_count")
        assert "\n" not in str(error.value)

    def test_another_script_s_sweep(self, tmp_path):
        self.plan().save(tmp_path)
        with pytest.raises(UserError, match="of sweeps/sample_count"):
            Plan.load(tmp_path, "sample_count-tiny-1", "objectives")

    @pytest.mark.parametrize("content", ["", "{}", "[]", json.dumps({"format": 99})])
    def test_damaged(self, tmp_path, content):
        self.plan().save(tmp_path)
        (tmp_path / "sweeps" / "sample_count-tiny-1" / "plan.json").write_text(content)
        with pytest.raises(UserError, match="not a usable plan"):
            Plan.load(tmp_path, "sample_count-tiny-1", "sample_count")


def test_the_estimate_counts_what_the_network_does():
    """Multiply-accumulates by hand for the convolutions of a built network."""
    g, m = tiny().geometry, tiny().model
    network = Autoencoder(g, m)
    assert n_weights(g, m) == sum(p.numel() for p in network.parameters())
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    n_frames = 64
    # on no CPU, where some products more, with zeros, take less time
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.to("meta")(torch.empty(1, 6, g.n_bins, n_frames, device="meta"))
    assert macs_per_frame(g, m) == pytest.approx(counter.get_total_flops() / 2 / n_frames, rel=0.1)


def test_cost_grows_with_what_is_asked():
    few, many = SWEEP.trials(tiny(), [0]), SWEEP.trials(tiny(), [0, 1])
    assert sweep_cost(many, "cpu", 2)[0] == pytest.approx(2 * sweep_cost(few, "cpu", 2)[0])
    assert sweep_cost(few, "cpu", 1)[0] == pytest.approx(2 * sweep_cost(few, "cpu", 2)[0])
    by_row = {t.row: trial_seconds(t.config, "cpu") for t in few}
    assert by_row["supervised"] < by_row["Ref."] < by_row["+MN-8"]
    assert trial_seconds(tiny().replace({"model.network": "energy"}), "cpu") == 0
