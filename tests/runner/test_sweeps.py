"""The experiments under sweeps/: their rows at every scale, and all of them really run."""

import csv
import importlib
import re
from pathlib import Path

import pytest
from mlflow.artifacts import download_artifacts

from ssmpe.cli import main
from ssmpe.config import TrialConfig
from ssmpe.config.objectives import PSEUDO_LABELS
from ssmpe.config.presets import PRESETS, paper, tiny
from ssmpe.experiments.sweep import Sweep, differences
from ssmpe.runner.planning.make import new_name
from ssmpe.tracking import schema
from tests.support import sweeping

NAMES = (
    *("objectives", "additional_data", "energy", "distribution", "loss_weights"),
    *("supervision", "two_stage", "content", "monophonic", "explanation", "regeneration"),
    "remedies",
)
SWEEPS: dict[str, Sweep] = {name: importlib.import_module(f"sweeps.{name}").SWEEP for name in NAMES}
FACTORS = {"supervised": 1.0, "timbre": 1.0, "percussion": 1.0, "geometric": 1.0}
"""weights of the preset tiny relative to the paper's, which are 1"""

# all rows of all sweeps as one sweep, of batches small enough for one core
EVERYTHING = f'''
"""Does every row run?"""
import importlib
from analysis import report
from ssmpe.cli import main
from ssmpe.experiments.sweep import Row, Sweep

def rows(base):
    small = base.replace({{"data.labelled_excerpts": 2}})
    sweeps = [importlib.import_module("sweeps." + name).SWEEP for name in {NAMES}]
    return list({{r.name: r for sweep in sweeps for r in sweep.rows(small)}}.values())

SWEEP = Sweep("everything", __doc__.strip(), rows)
if __name__ == "__main__":
    raise SystemExit(main(SWEEP, report.of_ended))
'''
SCORED = "GuitarSet/00"
"""a set of two tracks"""
BRIEF = (
    *("--set", "data.labelled_excerpts=2"),
    *("--set", "data.evaluation=[]"),
    *("--set", f"data.validation={SCORED}"),
    *("--set", "geometry.excerpt_seconds=0.4"),
    *("--set", "training.n_batches=10"),
    *("--set", "training.validate_every=10"),
    *("--set", "training.warmup_batches=5"),
)
TELLING = (
    *("+timbre+geometric", "Ref.", "+NS-4", "+FMA-4", "+MN-4+energy", "+MN-4+sparsity"),
    *("T1", "T1/T2", "T1/T2+EG", "SSx0.3+MN-2", "+MN-4+teacher", "+MN-4+EGx0.3fade"),
    *("2-tracks", "URMP+GS+MN-4", "+MN-4-20%"),
    *("+MN-4+additivity", "+entropy", "+categorical", "PESTO+MN-4"),
    *("+MN-4", "+MN-4+MSE", "+MN-4+stop+H", "+MN-4+adversarial-regen"),
    *("no network", "decomposition", "+MN-4+truth+signal", "ceiling"),
    *("+MN-4+truth+soft", "+MN-4+truth+signal+VAT", "+MN-4+truth+signal+pcgrad"),
    "+MN-4+truth+decomposition",
    *("+MN-4+teacher+EMA", "+MN-4+truth+signal+weak", "+MN-4+truth+frozen-on"),
)
"""rows that differ in more than a number"""


def test_no_two_sweeps_have_one_name():
    """They would be one in a store that both report to."""
    names = {new_name("sample_count", "tiny") for _ in range(2)}
    assert len(names) == 2
    assert all(re.fullmatch(r"sample_count-tiny-\d{8}-\d{6}-[a-z0-9]{4}", name) for name in names)


def configs(name: str, base: TrialConfig) -> dict[str, TrialConfig]:
    return {r.name: r.trial(base, {}) for r in SWEEPS[name].select(base, ["*"])}


@pytest.mark.parametrize("preset", ["tiny", "paper"])
@pytest.mark.parametrize("name", NAMES)
def test_dry_run(name, preset, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(SWEEPS[name], None, ["--preset", preset, "--rows", "*", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert SWEEPS[name].question.split()[0] in said
    rows = configs(name, PRESETS[preset]())
    assert f"{len(rows)} trials (seeds 0)" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_rows_vary_what_the_sweep_calls_scientific(name):
    sweep = SWEEPS[name]
    assert sweep.name == name
    assert sweep.select(tiny())
    varied = {path for c in configs(name, tiny()).values() for path in differences(c, tiny())}
    assert all(path.startswith(sweep.scientific) for path in varied)
    for scientific in sweep.scientific:
        assert any(path.startswith(scientific) for path in varied), scientific


def test_a_row_s_name_means_the_same_trial_in_every_sweep():
    known = configs("objectives", tiny())
    for name in NAMES[1:]:
        for row, config in configs(name, tiny()).items():
            assert known.setdefault(row, config) == config
    sample_count = importlib.import_module("sweeps.sample_count").SWEEP
    shared = {r.name: r.apply(tiny()) for r in sample_count.select(tiny(), ["*"])}
    assert known.keys() & shared.keys() >= {"supervised", "Ref.", "+MN-8", "+NS-8", "+FMA-8"}
    assert all(known[row] == shared[row] for row in known.keys() & shared.keys())


def test_objectives_are_all_subsets_of_the_three():
    rows = configs("objectives", tiny())
    assert len(rows) == 8
    assert set(rows) >= {"supervised", "+timbre", "+timbre+geometric", "Ref."}
    for row, config in rows.items():
        wanted = {"Ref.": "timbre+percussion+geometric", "supervised": ""}.get(row, row)
        names = ["supervised", *filter(None, wanted.split("+"))]
        assert config.objectives.weights == {n: FACTORS[n] for n in names}


def test_additional_data_adds_twice_the_labelled_excerpts():
    rows = configs("additional_data", paper())
    assert rows["+MN-16"].data.added == {"MusicNet/train": 16}
    assert rows["+NS-16"].data.added == {"NSynth/train": 16}
    assert rows["+FMA-16"].data.added == {"FMA/train": 16}
    assert [r.name for r in SWEEPS["additional_data"].select(tiny())] == [
        *("Ref.", "+MN-8", "+NS-8", "+FMA-8")
    ]


@pytest.mark.parametrize(("base", "unit"), [(paper(), 1.0), (tiny(), 1.0)], ids=["paper", "tiny"])
def test_energy_is_weighted_like_the_self_supervised_objectives(base, unit):
    rows = configs("energy", base)
    plain = f"+MN-{2 * base.data.labelled_excerpts}"
    for suffix, energy, sparsity in (
        *(("", 0, 0), ("+EG", 1, 1), ("+energy", 1, 0), ("+sparsity", 0, 1)),
        *(("+EGx0.1", 0.1, 0.1), ("+EGx3", 3, 3), ("+energy+sparsityx0.3", 1, 0.3)),
    ):
        config = rows[plain + suffix]
        assert config.data.added == {"MusicNet/train": 2 * base.data.labelled_excerpts}
        assert config.objectives.content_on == "unlabelled"
        weights = config.objectives.weights
        assert weights.get("energy", 0.0) == pytest.approx(energy * unit)
        assert weights.get("sparsity", 0.0) == pytest.approx(sparsity * unit)
        assert weights["timbre"] == unit


@pytest.mark.parametrize(("base", "count"), [(paper(), 10), (tiny(), 5)], ids=["paper", "tiny"])
def test_distribution_divides_the_training_pieces(base, count):
    rows = configs("distribution", base)
    assert list(rows) == ["T1", "T1/T2", "T1/T2+EG"]
    assert {c.data.labelled for c in rows.values()} == {"URMP/T1"}
    assert [c.data.added for c in rows.values()] == [{}, *[{"URMP/T2": count}] * 2]
    assert "energy" in rows["T1/T2+EG"].objectives.weights


def test_supervision_holds_unlabelled_data_and_labelled_excerpts_and_varies_labels():
    base = tiny()
    rows = configs("supervision", base)
    default = [r.name for r in SWEEPS["supervision"].select(base)]
    assert len(default) == 12
    for name in default[1:]:
        data = rows[name].data
        assert data.added["MusicNet/train"] == 8
        labelled = {k: n for k, n in data.added.items() if k != "MusicNet/train"}
        assert data.labelled_excerpts + sum(labelled.values()) == base.data.labelled_excerpts
        assert all(data.labelled_share[k] == 1.0 for k in labelled)
        assert not {data.labelled, *data.added} & set(data.evaluated_sets)
    assert rows["5-tracks+MN-8"].data.max_tracks == {"URMP/train": 5}
    assert rows["5-strings+MN-8"].data.labelled == "URMP/train-strings"
    assert rows["URMP+GS+MAE+MN-8"].data.unlabelled == {"MusicNet/train": 8}
    shares = [rows[f"+MN-8{s}"].data.labelled_share for s in ("", "-5%", "-20%", "-100%")]
    assert [s.get("MusicNet/train", 0) for s in shares] == [0, 0.05, 0.2, 1]


def test_loss_weights_are_a_grid():
    rows = configs("loss_weights", paper())
    grid = {
        (c.objectives.weights["timbre"], sum(c.data.added.values())): row for row, c in rows.items()
    }
    assert sorted(grid) == [(w, n) for w in (0.1, 0.3, 1.0, 2.0) for n in (0, 4, 8, 16)]
    assert (grid[0.3, 16], grid[1.0, 0], grid[1.0, 4]) == ("SSx0.3+MN-16", "Ref.", "+MN-4")
    for c in rows.values():
        weights = c.objectives.weights
        assert weights["supervised"] == 1.0
        assert weights["timbre"] == weights["percussion"] == weights["geometric"]


@pytest.mark.parametrize("make", [tiny, paper])
def test_two_stages_continue_the_reference_at_a_fifth_of_its_rate(make):
    base = make()
    count = 2 * base.data.labelled_excerpts
    rows = configs("two_stage", base)
    later = {"Ref.-FT", f"+MN-{count}-FT", f"+FMA-{count}-FT"}
    for row in later:
        scratch = rows[row.removesuffix("-FT")]
        assert differences(rows[row], scratch) == {
            "training.learning_rate": base.training.learning_rate / 5,
            "training.parent": rows["Ref."].identity,
        }
    assert rows.keys() - later == {"Ref.", f"+MN-{count}", f"+FMA-{count}"}
    assert paper().training.learning_rate / 5 == 1e-4


@pytest.mark.parametrize(("base", "unit"), [(paper(), 1.0), (tiny(), 1.0)], ids=["paper", "tiny"])
def test_content_tries_every_remedy_with_added_excerpts_and_alone(base, unit):
    rows = configs("content", base)
    n = base.data.labelled_excerpts
    more = f"+MN-{2 * n}"
    remedies = {row.removeprefix(more) for row in rows if row.startswith(more)} - {""}
    assert len(remedies) == 9
    without = ("no network", "Ref.", more)
    assert set(rows) == {*without, *remedies, *(more + remedy for remedy in remedies)}
    assert {r.name for r in SWEEPS["content"].select(base)} == {
        *(*without, *(more + remedy for remedy in remedies))
    }
    for remedy in remedies:
        alone, both = rows[remedy], rows[more + remedy]
        assert (alone.data.added, both.data.added) == ({}, {"MusicNet/train": 2 * n})
        assert alone.objectives.weights == both.objectives.weights
    for name in ("content", "contrastive", "entropy"):
        assert rows[f"+{name}"].objectives.weights[name] == unit
        assert rows[f"+{name}"].objectives.content_on == "all", "else it would be Ref."
        assert rows[f"{more}+{name}"].objectives.content_on == "unlabelled"
    memory = 1 / (1 - (rows["+teacher"].objectives.teacher_decay or 0))
    assert memory == pytest.approx(base.training.n_batches / 20, rel=0.01)
    assert rows["+EGx0.3fade"].objectives.fade == {"energy": 0.5, "sparsity": 0.5}
    assert rows[f"{more}+labelled-{2 * n}"].data.labelled_excerpts == 2 * n


def test_explanation_compares_in_every_way_from_the_start_and_from_an_alive_network():
    rows = configs("explanation", tiny())
    ways = {
        "": ("BCE", False),
        "+KL": ("KL", False),
        "+MSE": ("MSE", False),
        "+stop": ("BCE", True),
        "+stop+H": ("stop+H", False),
    }
    assert set(rows) == {
        name + later for later in ("", "-on") for name in ("Ref.", *(f"+MN-8{way}" for way in ways))
    }
    for way, (consistency, stops) in ways.items():
        objectives = rows[f"+MN-8{way}"].objectives
        assert (objectives.consistency, objectives.stop_gradient) == (consistency, stops)
    for name in ("Ref.", *(f"+MN-8{way}" for way in ways)):
        changes = differences(rows[f"{name}-on"], rows[name])
        assert changes == {"training.parent": rows["Ref."].identity, "training.n_batches": 315}


@pytest.mark.parametrize("make", [tiny, paper])
def test_regeneration_continues_the_collapsed_row_with_every_remedy(make):
    base = make()
    rows, remedies = configs("regeneration", base), configs("content", base)
    more = f"+MN-{2 * base.data.labelled_excerpts}"
    recipe = f"supervised{more}+contrastive+adversarial"
    continued = {row for row in rows if row.endswith("-regen")}
    assert rows.keys() - continued == {"Ref.", more}
    assert continued == {
        f"{row}-regen"
        for row in ("Ref.", f"{more}+KL", f"{more}+adversarial", recipe, *remedies)
        if row.startswith(("Ref.", more, recipe))
    }
    for row in continued:
        assert rows[row].training.parent == rows[more].identity
        assert rows[row].training.learning_rate == base.training.learning_rate
    weights = rows[f"{more}+adversarial-regen"].objectives.weights
    assert weights["adversarial"] == 15 * weights["timbre"]
    alone = rows[f"{recipe}-regen"].objectives.weights
    assert set(alone) == {"supervised", "contrastive", "adversarial"}
    assert alone["adversarial"] == 15 * alone["contrastive"]


def test_monophonic_has_pesto_beside_and_instead_of_the_paper_s_objectives():
    rows = configs("monophonic", tiny())
    pesto = {"categorical_invariance", "shift_cross_entropy", "transposition"}
    reference = set(tiny().objectives.weights)
    assert set(rows["PESTO"].objectives.weights) == {"supervised", *pesto}
    assert set(rows["+PESTO"].objectives.weights) == reference | pesto
    assert set(rows["+categorical"].objectives.weights) == {"categorical", *reference}
    for row in ("PESTO", "+PESTO", "+categorical"):
        with_more = "PESTO+MN-8" if row == "PESTO" else f"+MN-8{row}"
        assert rows[with_more].objectives == rows[row].objectives
        assert rows[with_more].data.added == {"MusicNet/train": 8}


def test_remedies_climb_from_the_signal_to_all_labels():
    rows = configs("remedies", tiny())
    names = list(rows)
    assert [names[0], names[-1]] == ["no network", "ceiling"]
    more = {"data.added.MusicNet/train": 8}
    assert differences(rows["+MN-8"], tiny()) == more
    assert differences(rows["+aug"], tiny()) == {"objectives.labelled_targets": "truth"}
    assert differences(rows["ceiling"], rows["+aug"]) == {
        **more, "data.labelled_share.MusicNet/train": 1.0
    }  # fmt: skip
    taught, ranked = rows["+MN-8+teacher"], rows["+MN-8+truth+rank"]
    assert differences(ranked, taught) == {
        "objectives.labelled_targets": "truth",
        "objectives.pseudo_labels.ones": 0.7,
    }
    assert differences(rows["+MN-8+truth+signal"], ranked) == {
        "objectives.pseudo_labels.signal": 40.0
    }


@pytest.mark.parametrize(("base", "n"), [(tiny(), 8), (paper(), 16)], ids=["tiny", "paper"])
def test_remedies_that_others_have_tried_run_if_asked(base, n):
    default = [r.name for r in SWEEPS["remedies"].select(base)]
    more = f"+MN-{n}"
    known = ("", "+stop", "+teacher", "+truth+rank", "+truth+signal")
    foot = ["no network", "harmonic sum", "decomposition", "supervised", "+aug", "Ref."]
    assert default == [*foot, *(more + way for way in known), "ceiling"]
    rows = configs("remedies", base)
    for rule in PSEUDO_LABELS[1:]:
        assert rows[f"{more}+truth+{rule}"].objectives.pseudo_labels.rule == rule
    own = {"objectives.pseudo_labels.ones": 0.7, "objectives.pseudo_labels.signal": 40.0}
    assert differences(rows[f"{more}+own-signal"], rows[more]) == own
    signal = rows[f"{more}+truth+signal"]
    assert differences(rows[f"{more}+truth+decomposition"], signal) == {
        "objectives.pseudo_labels.estimate": "decomposition",
        "objectives.pseudo_labels.signal": 20.0,
    }
    for name, change in {
        "+EMA": {"objectives.score_teacher": True},
        "+pcgrad": {"objectives.project_conflicts": True},
        "+VAT": {"objectives.weights.vat": base.objectives.weights["timbre"]},
        "+weak": {"objectives.view_strength": 0.5},
        "+strong": {"objectives.view_strength": 1.5},
    }.items():
        assert differences(rows[f"{more}+truth+signal{name}"], signal) == change
    later = {
        "training.parent": rows["Ref."].identity,
        "training.n_batches": base.training.n_batches // 2,
    }
    assert differences(rows["Ref.-on"], base) == later
    assert differences(rows[f"{more}+truth+signal-on"], signal) == later
    frozen = rows[f"{more}+truth+signal+frozen-on"]
    assert differences(frozen, signal) == {**later, "objectives.teacher_decay": 1.0}
    assert set(rows[f"supervised{more}+VAT"].objectives.weights) == {"supervised", "vat"}
    ramp = rows[f"{more}+MSE+teacher+ramp"].objectives
    assert ramp.ramp == dict.fromkeys(("timbre", "percussion", "geometric"), 0.25)


def run_rows(folder: Path, *patterns: str) -> str:
    """Return the output of a real sweep of such rows of all sweeps together."""
    script = folder / "everything.py"
    script.write_text(EVERYTHING)
    code, output = sweeping.run(folder, script, *BRIEF, "--rows", ",".join(patterns))
    assert code == 0, output
    return output


@pytest.fixture(scope="module")
def telling(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("telling")
    return folder, run_rows(folder, *TELLING)


def check_trials(folder: Path, rows: set[str]) -> None:
    trials = sweeping.runs(folder, "trial")
    assert {t.data.tags[schema.ROW] for t in trials} == rows
    for trial in trials:
        assert trial.data.tags[schema.END_REASON] == "completed"
        listed = {p for p in trial.data.params if p.startswith("objectives.weights.")}
        learns = trial.data.params["model.network"] == "autoencoder"
        weights = {p for p in listed if learns and float(trial.data.params[p]) > 0}
        logged = {m for m in trial.data.metrics if m.startswith("loss/")} - {schema.TOTAL_LOSS}
        assert {f"objectives.weights.{m.removeprefix('loss/')}" for m in logged} == weights


def test_telling_rows_run(telling):
    check_trials(telling[0], set(TELLING))


@pytest.mark.long
def test_every_row_runs(world, tmp_path):
    run_rows(tmp_path, "*")
    base = tiny().replace({"data.labelled_excerpts": 2})
    check_trials(tmp_path, {row for name in NAMES for row in configs(name, base)})


def test_the_figures_and_tables_are_drawn_and_logged(telling):
    folder, output = telling
    (parent,) = sweeping.runs(folder, "sweep")
    logged = sweeping.client(folder).list_artifacts(parent.info.run_id, schema.FIGURES_ARTIFACTS)
    names = {Path(file.path).name for file in logged}
    assert names >= {"results.md", "results.tex", "results.csv", "curves.png"}
    assert "precision_recall.svg" in names
    assert f"/{sweeping.sweep_name(output)}/report.html" in output
    assert "report.html" in names


def test_every_track_s_scores_are_logged_and_average_to_the_metrics(telling, tmp_path):
    folder, _ = telling
    trial = next(t for t in sweeping.runs(folder, "trial") if t.data.tags[schema.ROW] == "T1/T2")
    path = download_artifacts(
        run_id=trial.info.run_id,
        artifact_path=f"{schema.SCORES_ARTIFACTS}/GuitarSet-00.csv",
        dst_path=str(tmp_path),
        tracking_uri=f"sqlite:///{folder / 'results' / 'mlflow.db'}",
    )
    with open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len({line["track"] for line in lines}) == 2
    assert {line["batch"] for line in lines} == {"10"}
    for measure in ("f1", "precision", "recall", "blank_rate", "mean_peak"):
        mean = sum(float(line[measure]) for line in lines) / 2
        assert mean == pytest.approx(trial.data.metrics[f"{SCORED}/{measure}"])
