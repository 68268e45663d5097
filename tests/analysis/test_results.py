"""Results tables: every number equals the store's, recomputed here independently."""

import csv
import io
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from mlflow import MlflowClient
from scipy import stats

from analysis import precision_recall, report, results
from analysis.drawing import style, tables
from analysis.figure import Drawn
from analysis.numbers.comparison import Comparison
from analysis.numbers.intervals import mean_difference
from ssmpe.console import make_console
from ssmpe.errors import UserError
from ssmpe.runner.planning.presentation import order_of
from ssmpe.tracking import schema
from ssmpe.tracking.stored.store import read_sweep
from tests.analysis.test_figures import sweep_of, text_boxes
from tests.analysis.test_figures_of_sweeps import final_values
from tests.support.analysis_store import SETS, Invented, drawn, store_in, write_sweep

TRACKS = 12
MEASURES = ("precision", "recall", "f1", "blank_rate", "f1_tuned", "average_precision")
NAME = "energy & co"
"""of a sweep; LaTeX must not take it literally"""


def energy_trials(seeds: int) -> list[Invented]:
    """Rows of an ablation; every seed of the plain row is stopped, one of another has failed."""
    weights = {"supervised": 1.0, "timbre": 0.25}
    trials = []
    for seed in range(seeds):
        trials.append(Invented("Ref.", seed, weights=weights))
        plain = Invented("+MN-8", seed, "MusicNet/train", 8, "collapsed", 300, weights)
        trials.append(plain)
        more = {**weights, "energy": 0.25}
        trials.append(Invented("+MN-8+energy", seed, "MusicNet/train", 8, weights=more))
        more = {**more, "sparsity": 0.25}
        ended = "failed" if seed == 1 else "completed"
        trials.append(Invented("+MN-8+EG", seed, "MusicNet/train", 8, ended, weights=more))
    return trials


def trials_of(client: MlflowClient, sweep: str) -> list:
    experiments = [e.experiment_id for e in client.search_experiments()]
    wanted = f"tags.`{schema.SWEEP}` = '{sweep}' and tags.`{schema.KIND}` = 'trial'"
    return list(client.search_runs(experiments, wanted))


def write_track_scores(uri: str, sweep: str, folder: Path) -> None:
    """Tables of every run and set whose means are the metrics, as the runner writes them."""
    client, rng = MlflowClient(uri), np.random.default_rng(5)
    for run in trials_of(client, sweep):
        step = max(p.step for p in client.get_metric_history(run.info.run_id, schema.TOTAL_LOSS))
        for set_name in SETS:
            spread = rng.normal(0, 0.05, (len(MEASURES), TRACKS))
            spread -= spread.mean(axis=1, keepdims=True)
            means = [run.data.metrics[f"{set_name}/{m}"] for m in MEASURES]
            scores = spread + np.array(means)[:, None]
            lines = [f"track {i},{step},{','.join(map(repr, map(float, scores[:, i])))}"
                     for i in rng.permutation(TRACKS)]  # fmt: skip
            file = folder / schema.scores_file(set_name)
            file.write_text("\n".join([f"track,batch,{','.join(MEASURES)}", *lines]) + "\n")
            client.log_artifact(run.info.run_id, str(file), schema.SCORES_ARTIFACTS)


@pytest.fixture(scope="module")
def uri(empty_store, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("results")
    uri = store_in(folder, empty_store)
    write_sweep(uri, NAME, energy_trials(3), state="failed")
    write_track_scores(uri, NAME, folder)
    write_sweep(uri, "without", energy_trials(1)[:2])
    half = [Invented("Ref.", 0), Invented("+MN-2", 1, "MusicNet/train", 2, None)]
    write_sweep(uri, "running", half, state="running")
    write_sweep(uri, "unstarted", [], state="running")
    closed = [Invented("T1", 0), Invented("T1/T2", 0, "URMP/T2", 5)]
    write_sweep(uri, "no-reference", closed, data="/data/real")
    return uri


@pytest.fixture(scope="module")
def rendered(uri, tmp_path_factory) -> Drawn:
    return drawn(results.FIGURE, uri, NAME, tmp_path_factory.mktemp("rendered"))


def text(rendered: Drawn, suffix: str) -> str:
    (file,) = [f for f in rendered.files if f.suffix == suffix]
    return file.read_text(encoding="utf-8")


def lines_of(rendered: Drawn) -> list[dict[str, str]]:
    return list(csv.DictReader(text(rendered, ".csv").splitlines()))


def stored_tables(uri: str, row: str, set_name: str) -> dict[int, dict[str, dict[str, float]]]:
    """Seed -> track -> measure -> score, read from the files themselves."""
    client = MlflowClient(uri)
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"))
    query = """SELECT s.run_uuid, n.value FROM tags s
        JOIN tags r ON r.run_uuid = s.run_uuid AND r.key = ? AND r.value = ?
        JOIN tags n ON n.run_uuid = s.run_uuid AND n.key = ?
        WHERE s.key = ? AND s.value = ?"""
    keys = (schema.ROW, row, schema.SEED, schema.SWEEP, NAME)
    runs = connection.execute(query, keys).fetchall()
    connection.close()
    tables = {}
    for run, seed in runs:
        folder = Path(client.get_run(run).info.artifact_uri.removeprefix("file://"))
        file = folder / schema.SCORES_ARTIFACTS / schema.scores_file(set_name)
        with file.open(newline="") as opened:
            tables[int(seed)] = {
                line["track"]: {m: float(line[m]) for m in MEASURES}
                for line in csv.DictReader(opened)
            }
    return tables


def test_means_and_spreads_equal_the_store(uri, rendered):
    lines = lines_of(rendered)
    assert [(x["set"], x["row"]) for x in lines[:4]] == [
        ("URMP/validation", r) for r in ("Ref.", "+MN-8", "+MN-8+energy", "+MN-8+EG")
    ]
    assert len(lines) == 4 * len(SETS)
    for line in lines:
        for measure in MEASURES:
            values = final_values(uri, NAME, line["row"], f"{line['set']}/{measure}")
            if line["row"] == "+MN-8+EG":
                del values[1]  # the failed run
            assert int(line[f"{measure}_n"]) == len(values) == int(line["counted"])
            assert float(line[f"{measure}_mean"]) == pytest.approx(np.mean(values))
            assert float(line[f"{measure}_std"]) == pytest.approx(np.std(values, ddof=1))


def test_differences_are_those_of_the_seeds_that_both_have(uri, rendered):
    for line in lines_of(rendered):
        if line["row"] == "Ref.":
            assert line["f1_difference"] == line["f1_low"] == ""
            continue
        seeds = [0, 2] if line["row"] == "+MN-8+EG" else [0, 1, 2]
        for measure in MEASURES:
            metric = f"{line['set']}/{measure}"
            own = np.array(final_values(uri, NAME, line["row"], metric))[seeds]
            reference = np.array(final_values(uri, NAME, "Ref.", metric))[seeds]
            difference = float(line[f"{measure}_difference"])
            assert difference == pytest.approx(np.mean(own - reference))
            assert float(line[f"{measure}_low"]) < difference < float(line[f"{measure}_high"])


def test_intervals_are_over_seeds_and_tracks(uri, rendered):
    """From the tables of the store; over tracks alone, scipy's is the narrower one."""
    for row, seeds in (("+MN-8", (0, 1, 2)), ("+MN-8+EG", (0, 2))):
        own, reference = (stored_tables(uri, r, "Bach10/all") for r in (row, "Ref."))
        differences = np.array(
            [[own[s][t]["f1"] - reference[s][t]["f1"] for t in own[0]] for s in seeds]
        )
        effect = mean_difference(differences)
        assert effect
        (line,) = [x for x in lines_of(rendered) if (x["set"], x["row"]) == ("Bach10/all", row)]
        low, high = float(line["f1_low"]), float(line["f1_high"])
        assert (low, high) == pytest.approx((effect.low, effect.high))
        over_tracks = stats.ttest_1samp(differences.mean(axis=0), 0).confidence_interval(0.95)
        assert np.ptp(over_tracks) < high - low
        assert int(line["f1_tracks"]) == TRACKS


def test_differences_are_marked_that_survive_holm_s_correction(uri, rendered):
    """Of all rows and sets of the sweep, from the p-values of the table."""
    compared = [x for x in lines_of(rendered) if x["row"] != "Ref."]
    p_values = [float(x["f1_tuned_p_value"]) for x in compared]
    order, limit = np.argsort(p_values), 0.05
    rejected = set()
    for rank, place in enumerate(order):
        if p_values[place] * (len(order) - rank) > limit:
            break
        rejected.add(compared[place]["set"] + compared[place]["row"])
    assert 0 < len(rejected) < len(compared) == 12
    corrected = [float(compared[place]["f1_tuned_p_holm"]) for place in order]
    scaled = [p_values[place] * (12 - rank) for rank, place in enumerate(order)]
    assert corrected == pytest.approx(np.minimum(np.maximum.accumulate(scaled), 1))
    found, shown = Comparison.of(read_sweep(uri, NAME)), set()
    for set_name in SETS:
        table = results.scores(found, set_name)
        for row, difference in zip(table["row"], table["tuned F1 − Ref."], strict=True):
            shown |= {set_name + row.removesuffix(" †")} if difference.endswith("*") else set()
    assert shown == rejected
    assert "survives Holm's correction for all 12 differences" in text(rendered, ".md")


def test_kinds_of_collapse_and_recent_means_stand_beside_the_last_scores(rendered):
    for line in lines_of(rendered):
        assert line["collapse"] in ("", "3 content lost", "2 content lost")
        assert bool(line["collapse"]) == (line["set"] == "MusicNet/test" and line["row"] != "Ref.")
    trials = [t for t in energy_trials(3) if t.row == "Ref."]
    curves = [t.curves(SETS)["Bach10/all/f1_tuned"] for t in trials]
    (line,) = [x for x in lines_of(rendered) if (x["set"], x["row"]) == ("Bach10/all", "Ref.")]
    recent = np.mean([[curve[b] for b in (300, 350, 400)] for curve in curves])
    assert float(line["f1_tuned_last3_mean"]) == pytest.approx(recent)
    (shown,) = re.findall(r"^\| Ref\. \| .* \|  \| (\S+) \| .*$", bach10(rendered), re.M)
    assert shown == f"{recent:.3f}"
    assert re.search(r"\| content lost 3/3 \| 3, 3 stopped \|$", text(rendered, ".md"), re.M)


def bach10(rendered: Drawn) -> str:
    """Return the part of the Markdown that is about Bach10."""
    return text(rendered, ".md").split("**Bach10/all**")[1].split("**")[0]


def test_of_one_seed_intervals_are_said_to_be_over_tracks(uri, tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    write_sweep(uri, "single", energy_trials(1)[:3])
    write_track_scores(uri, "single", folder)
    markdown = text(drawn(results.FIGURE, uri, "single", tmp_path), ".md")
    assert "intervals over tracks; with one seed, they leave out what another would" in markdown


def test_a_store_of_0_3_0_is_scored_at_one_half_and_says_so(uri, tmp_path, capsys):
    rows = energy_trials(2)[:3]
    for trial in rows:
        trial.half_alone = True
    write_sweep(uri, "half", rows)
    arguments = ["--tracking-uri", uri, "--out", str(tmp_path), "--sweep", "half"]
    assert results.main(arguments) == 0
    printed = capsys.readouterr().out.replace("\n", " ")
    markdown = (tmp_path / "results.md").read_text(encoding="utf-8")
    for shown in (" ".join(printed.split()), markdown):
        assert "scored at a salience of one half (½) alone, as up to version 0.3.0" in shown
        assert "tuned" not in shown
    assert re.search(r"^\| \+MN-8 † \|.*\| blank 1/1 \| 1, 1 stopped \|$", markdown, re.M)
    with (tmp_path / "results.csv").open() as file:
        line = next(csv.DictReader(file))
    assert {"precision_mean", "f1_difference", "blank_rate_high"} < set(line)
    assert not [column for column in line if column.startswith(("f1_tuned", "average"))]


def test_stopped_and_failed_runs_are_marked(rendered):
    markdown = text(rendered, ".md")
    assert len(re.findall(r"^\| \+MN-8 † \|.*\| 3, 3 stopped \|$", markdown, re.M)) == len(SETS)
    assert len(re.findall(r"^\| \+MN-8\+EG \|.*\| 3, 1 without", markdown, re.M)) == len(SETS)
    assert "stopped as collapsed" in markdown
    assert {x["stopped"] for x in lines_of(rendered) if x["row"] == "+MN-8"} == {"3"}


def test_every_output_says_what_the_data_are(uri, rendered, tmp_path):
    for suffix in (".md", ".tex", ".csv"):
        assert "not comparable with published scores" in text(rendered, suffix)
    assert "not comparable with published scores" in "\n".join(rendered.findings)
    figure = precision_recall.draw(sweep_of(energy_trials(1)))
    assert any("not comparable" in t.get_text() for t in figure.texts)
    real = drawn(results.FIGURE, uri, "no-reference", tmp_path)
    assert "not comparable" not in text(real, ".md")
    assert "/data/real" in text(real, ".md")


def test_latex_is_a_whole_table(rendered):
    latex = text(rendered, ".tex")
    body = latex.split("\\toprule")[1].split("\\bottomrule")[0]
    rows = [row for row in body.split("\\\\\n") if "multicolumn" not in row]
    assert len(rows) == 1 + 4 * len(SETS) + 1  # head, rows, what follows the last
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows[:-1]} == {10}
    assert r"energy \& co" in latex
    assert re.search(r"& \$-\$0\.\d{3} \[\$-\$0\.\d{3}, \S+\]\$\^\*\$ &", latex)
    assert r"F1 at $\frac{1}{2}$" in latex
    assert r"+MN-8 $^\dagger$" in latex
    assert not set("†±–−·½") & set(latex)
    assert latex.count("{") == latex.count("}")


def test_without_ref_the_first_row_is_the_baseline(uri, tmp_path):
    rendered = drawn(results.FIGURE, uri, "no-reference", tmp_path)
    assert {x["baseline"] for x in lines_of(rendered)} == {"T1"}
    assert "tuned F1 − T1" in text(rendered, ".md")


def test_rows_stand_as_planned_whichever_began_first(uri):
    planned = ("T1/T2", "T1", "T1+EG")
    write_sweep(uri, "planned", [Invented(row, 0) for row in sorted(planned)], sets=SETS[:1])
    assert read_sweep(uri, "planned").rows == tuple(sorted(planned))  # of 0.3.0: as they began
    for run in trials_of(client := MlflowClient(uri), "planned"):
        place = planned.index(run.data.tags[schema.ROW])
        client.set_tag(run.info.run_id, schema.ORDER, order_of(10 * place))
    sweep = read_sweep(uri, "planned")
    assert sweep.rows == planned
    assert Comparison.of(sweep).baseline == "T1/T2"


def test_a_sweep_that_asks_nothing_has_tables_all_the_same(uri, tmp_path):
    parent = write_sweep(uri, "silent", energy_trials(1)[:2])
    MlflowClient(uri).delete_tag(parent, schema.QUESTION)
    latex = text(drawn(results.FIGURE, uri, "silent", tmp_path), ".tex")
    assert "\\caption{sweep silent" in latex


def test_names_that_a_terminal_would_obey_are_shown(uri, tmp_path, capsys):
    rows = [Invented("Ref.", 0), Invented("a\x1b[2J\nb|c", 0)]
    write_sweep(uri, "odd", rows, sets=SETS[:1])
    assert results.main(["--tracking-uri", uri, "--out", str(tmp_path), "--sweep", "odd"]) == 0
    texts = [capsys.readouterr().out, *(p.read_text(encoding="utf-8") for p in tmp_path.iterdir())]
    assert len(texts) == 4
    for shown in texts:
        assert "\x1b" not in shown
        assert "x1b[2J" in shown
    assert "\n| a\\x1b[2J\\x0ab\\|c |" in (tmp_path / "results.md").read_text(encoding="utf-8")


NAMES = ("Ref.", "+MN-8+feature_dropout", "supervised+MN-8+contrastive+adversarial-regen")


@pytest.mark.parametrize("width", [80, 120])
def test_names_of_rows_break_between_deltas_and_only_where_there_is_no_room(width):
    page = io.StringIO()
    line = ["0.78", "+0.03 [+0.00, +0.04]*", "0.84", "0.78", "0.00", "level sunk 1/1"]
    rows = [[tables.RowName(name, results.STOPPED), *line] for name in NAMES]
    columns = {"row": {}, **{str(i): tables.NUMBER for i in range(5)}, "collapse": {}}
    make_console(page, width=width).print(tables.terminal("A table", columns, [rows], gap=0))
    printed = page.getvalue().splitlines()
    assert max(map(len, printed)) <= width
    parts = [part for name in NAMES for part in re.findall(r"\+?[^+]+", name)]
    assert all(any(part in text for text in printed) for part in parts)
    assert sum(name in text for name in NAMES for text in printed) == (3 if width == 120 else 1)


def test_a_name_is_folded_by_hand():
    name = tables.RowName("+MN-8+additivity+stop", "†")
    assert str(name) == "+MN-8+additivity+stop †"
    assert name.folded(99) == [str(name)]
    assert name.folded(16) == ["+MN-8+additivity", "  +stop †"]
    assert name.folded(15) == ["+MN-8", "  +additivity", "  +stop †"]
    assert name.least == len("  +additivity")
    assert tables.RowName("a\nb").folded(9) == [r"a\x0ab"]


def test_a_named_baseline(uri, tmp_path, capsys):
    arguments = ["--tracking-uri", uri, "--out", str(tmp_path), "--sweep", NAME]
    assert results.main([*arguments, "--baseline", "+MN-8"]) == 0
    assert "+MN-8+EG" in capsys.readouterr().out
    (line,) = [
        x for x in csv.DictReader((tmp_path / "results.csv").open())
        if (x["set"], x["row"]) == ("MusicNet/test", "Ref.")
    ]  # fmt: skip
    reference, plain = (
        np.array(final_values(uri, NAME, r, "MusicNet/test/f1")) for r in ("Ref.", "+MN-8")
    )
    gains = reference - plain
    assert float(line["f1_difference"]) == pytest.approx(gains.mean())
    assert results.main([*arguments, "--baseline", "+MN-9"]) == 2
    assert "no row '+MN-9' (rows: Ref., " in capsys.readouterr().err


def test_a_store_without_scores_by_track_has_no_intervals(uri, tmp_path):
    rendered = drawn(results.FIGURE, uri, "without", tmp_path)
    markdown = text(rendered, ".md")
    assert "no scores by track" in markdown
    assert not re.search(r"\[[+-]", markdown)
    assert {x["f1_low"] for x in lines_of(rendered)} == {""}
    assert all(x["f1_difference"] for x in lines_of(rendered) if x["row"] != "Ref.")


def test_foreign_tables_are_refused(uri, empty_store, tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    own = store_in(folder, empty_store)
    write_sweep(own, "foreign", energy_trials(1)[:2])
    client = MlflowClient(own)
    for run in trials_of(client, "foreign"):
        file = tmp_path / schema.scores_file(SETS[0])
        file.write_text("name,value\nx,1\n")
        client.log_artifact(run.info.run_id, str(file), schema.SCORES_ARTIFACTS)
    with pytest.raises(UserError, match=r"scores/URMP-validation.csv is no table of scores"):
        drawn(results.FIGURE, own, "foreign", tmp_path / "out")


@pytest.mark.parametrize("main", [results.main, precision_recall.main])
@pytest.mark.parametrize(
    ("sweep", "said"),
    [("nonesuch", "no sweep"), ("unstarted", "no trial has finished"), ("running", "--partial")],
)
def test_what_cannot_be_shown_is_one_line(uri, tmp_path, capsys, main, sweep, said):
    assert main(["--tracking-uri", uri, "--out", str(tmp_path / "x"), "--sweep", sweep]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_half_a_sweep_if_asked_for(uri, tmp_path):
    rendered = drawn(results.FIGURE, uri, "running", tmp_path, partial=True)
    assert "NOT FINISHED" in text(rendered, ".md")
    assert "NOT FINISHED" in text(rendered, ".tex")


def test_reports_attach_everything_to_the_sweep(uri, tmp_path):
    *lines, last = report.of_ended(uri, NAME, tmp_path)
    assert last == f"report: {tmp_path / 'report.html'}"
    assert max(len(line) for line in lines) <= 80
    run = read_sweep(uri, NAME).run_id
    logged = {
        Path(a.path).name for a in MlflowClient(uri).list_artifacts(run, schema.FIGURES_ARTIFACTS)
    }
    assert logged == {p.name for p in tmp_path.iterdir()}
    assert logged > {"report.html", "results.tex", "curves.svg", "precision_recall.png"}
    assert min(imread(tmp_path / "precision_recall.png").shape[:2]) > 500
    (why,) = report.of_ended(uri, "unstarted", tmp_path)
    assert why.startswith("no report: ")


@pytest.mark.parametrize("seeds", [1, 3])
def test_scatter_has_a_point_per_row_and_small_ones_per_seed(seeds):
    sweep = sweep_of(energy_trials(seeds), SETS)
    with style.look():
        figure = precision_recall.draw(sweep)
        boxes = list(text_boxes(figure))
    ax = figure.axes[sweep.sets.index("Bach10/all")]
    large = [x for x in ax.lines if x.get_markersize() == 6.5]
    assert len(large) == 4
    for row, point in zip(sweep.rows, large, strict=True):
        counted = [t for t in sweep.of_row(row) if t.has_result]
        place = [
            np.mean([t.final("Bach10/all", m) for t in counted]) for m in ("recall", "precision")
        ]
        assert np.ravel(point.get_xydata()) == pytest.approx(place)
    small = [x for x in ax.lines if x.get_markersize() == 3]
    assert len(small) == (0 if seeds == 1 else 3 * 4 - 1)
    page = figure.bbox
    for i, (text, box) in enumerate(boxes):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert not [(text, t) for t, b in boxes[:i] if box.padded(-1).overlaps(b)]


def test_results_need_no_torch(tmp_path):
    code = (
        "import sys; from analysis import precision_recall, results; "
        "code = results.main([]); assert 'torch' not in sys.modules; sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no MLflow store there" in done.stderr
