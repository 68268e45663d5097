"""Reports: their numbers are the store's, recomputed here, and they have all that they need."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from analysis import curves, report
from analysis.answers.answer import general
from analysis.answers.facts import Facts
from analysis.figure import SweepFigure
from analysis.numbers.comparison import Comparison
from analysis.numbers.intervals import mean_difference
from analysis.reporting import html
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.store import read_sweep
from tests.analysis.test_figures_of_sweeps import final_values
from tests.support.analysis_store import sample_count_trials, store_in, write_sweep
from tests.support.reporting import LONG, Page

MEASURES = {
    "tuned F1": "f1_tuned",
    "AP": "average_precision",
    "F1 at ½": "f1",
    "tuned blank": "blank_rate_tuned",
    "blank at ½": "blank_rate",
}
"""heading -> measure"""


@pytest.mark.parametrize("name", ["energy", "counts", "long"])
def test_numbers_equal_the_store(report_store, reports, name):
    page, failed = Page.of(reports[name]), {("energy", "+MN-8+EG"): [0, 2]}
    checked = 0
    for set_name in reports[name].sweep.sets:
        head, *rows = page.tables[set_name]
        for row, *cells in rows:
            row, of = row.removesuffix(" †"), dict(zip(head[1:], cells, strict=True))
            for heading, measure in MEASURES.items():
                cell = of[heading]
                values = final_values(report_store, name, row, f"{set_name}/{measure}")
                values = [values[i] for i in failed.get((name, row), range(len(values)))]
                deviation = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
                assert cell == f"{np.mean(values):.3f}{deviation}"
                checked += 1
            if row != "Ref." and (name, row) not in failed:
                both = (row, "Ref.")
                ends = [final_values(report_store, name, r, f"{set_name}/f1_tuned") for r in both]
                gain = np.mean(np.array(ends[0]) - np.array(ends[1]))
                assert of["tuned F1 − Ref."].partition(" ")[0] == f"{gain:+.3f}"
    assert checked >= 4 * 4 * 5


def test_the_answer_of_counts_is_the_store_s(report_store, reports):
    def mean(row: str, metric: str) -> float:
        return float(np.mean(final_values(report_store, "counts", row, metric)))

    first, second = reports["counts"].answer.sentences
    ends = ("Ref.", "+MN-8")
    blank, half, tuned, precision = (
        [mean(r, f"MusicNet/test/{m}") for r in ends]
        for m in ("blank_rate", "f1", "f1_tuned", "average_precision")
    )
    assert f"rises from {blank[0]:.2f} to {blank[1]:.2f}" in first
    assert f"tuned F1 goes from {tuned[0]:.2f} to {tuned[1]:.2f}" in first
    assert f"(at 0.5 from {half[0]:.2f} to {half[1]:.2f})" in first
    assert f"average precision from {precision[0]:.2f} to {precision[1]:.2f}" in first
    assert "over 10 runs: ρ = +" in first
    assert second.startswith("2 of 8 runs with added excerpts collapsed there at 0.5 (+MN-8);")
    closed, most = (mean(r, "URMP/validation/f1_tuned") for r in ("Ref.", "+MN-8"))
    assert f"tuned F1 is {closed:.2f} without them and {most:.2f} (+MN-8)" in second
    assert "Means over 2 seeds." in reports["counts"].answer.basis
    text = Page.of(reports["counts"]).text
    assert first in text
    assert second in text


def test_intervals_of_the_general_answer_are_the_store_s(report_store, reports):
    comparison = Comparison.of(reports["energy"].sweep)
    said, _ = general(Facts(comparison))
    headline = comparison.sweep.f1
    with_f1 = r"with (?:tuned )?F1 \S+ (?:\(\S+ )?at 0.5\)?"
    worst = re.search(rf"and the worst (\S+) {with_f1}, (\S+) \[(\S+), (\S+)\] against Ref", said)
    assert worst
    trials = {(t.row, t.seed): t for t in comparison.sweep.trials}
    tables = read_f1(report_store, comparison, headline)
    pairs = [[tables[trials[row, s].run_id] for row in (worst[1], "Ref.")] for s in (0, 1, 2)]
    differences = [
        [of_row[track] - of_reference[track] for track in sorted(pairs[0][0])]
        for of_row, of_reference in pairs
    ]
    interval = mean_difference(differences)
    assert interval
    shown = [float(x.replace("−", "-")) for x in worst.groups()[1:]]
    assert shown == [round(x, 2) for x in (np.mean(differences), interval.low, interval.high)]


def read_f1(uri: str, comparison: Comparison, measure: str) -> dict[str, dict[str, float]]:
    """Run -> track -> F1 (at one half, or tuned) on the validation set, from the artifacts."""
    client, found = MlflowClient(uri), {}
    for trial in comparison.sweep.trials:
        path = client.download_artifacts(trial.run_id, "scores/URMP-validation.csv")
        lines = [line.split(",") for line in Path(path).read_text().splitlines()]
        column = lines[0].index(measure)
        found[trial.run_id] = {line[0]: float(line[column]) for line in lines[1:]}
    return found


def test_a_report_has_all_that_it_needs(report_store, reports):
    made = reports["long"]
    text, page = made.file.read_text(encoding="utf-8"), Page.of(made)
    assert not re.search(r"""(src|href)=["'](?!data:|#|http://127\.0\.0\.1:5000/)""", text)
    assert "<script" not in text
    assert "<b>&" not in text  # a row's name, which is no markup
    assert LONG in page.text
    assert "not comparable with published scores" in page.text
    assert len(page.images) >= 3
    assert "Left out: " in page.text  # the gallery: the invented runs have no pictures
    assert all(str(i["src"]).startswith("data:image/") and i["alt"] for i in page.images)
    runs = {t.run_id for t in made.sweep.trials}
    assert {x[-32:] for x in page.links} >= runs
    assert len(page.tables["trials"]) == len(runs) + 1
    assert "data.added.MusicNet/train" in page.text
    assert "python sweeps/sample_count.py --preset tiny --seeds 0 --rows" in page.text
    assert "mlflow server --backend-store-uri" in page.text.replace(" -m", "")


def test_numbers_of_figures_are_in_the_page(reports):
    """A report is read where the files beside it are not."""
    made = reports["counts"]
    page = Page.of(made)
    shown = page.tables["cells"]
    files = [f for f in made.file.parent.glob("*.csv") if f.name != "results.csv"]
    assert files
    for file in files:
        head, *rows = list(csv.reader(file.open()))
        assert head in shown
        for row in rows:
            numbers = [as_shown(cell) for cell in row]
            assert numbers in shown


def as_shown(cell: str) -> str:
    if cell == "nan":
        return "–"
    return f"{float(cell):.4g}" if re.fullmatch(r"-?\d+\.\d+(e-\d+)?", cell) else cell


def test_long_tables_of_numbers_are_downloads_alone(report_store, tmp_path, monkeypatch):
    monkeypatch.setattr(html, "MOST_LINES", 1)
    made = report.write(read_sweep(report_store, "counts"), tmp_path)
    page = Page.of(made)
    assert "cells" not in page.tables
    assert sum(link.startswith("data:text/csv") for link in page.links) >= 2


def test_words_are_explained_before_the_figures(reports, empty_store, tmp_path):
    words = ("Ref.", "blank", "collapsed", "tuned threshold", "average precision (AP)")
    text = Page.of(reports["counts"]).text
    answer, _, after = text.partition("Data:")
    assert all(f"{word}: " in answer for word in words)
    assert all(f"{word}: " not in after for word in words)
    old = [replace(i, half_alone=True) for i in sample_count_trials(1)]
    write_sweep(uri := store_in(tmp_path, empty_store), "old", old)
    text = Page.of(report.write(read_sweep(uri, "old"), tmp_path / "out")).text
    assert "collapsed: " in text
    assert "tuned threshold" not in text
    assert "average precision" not in text
    index = reports["long"].file.parent.parent / "index.html"
    assert "tuned threshold: " in Page(index.read_text(encoding="utf-8")).text


def test_headings_are_questions_alone(reports):
    for made in reports.values():
        text = made.file.read_text(encoding="utf-8")
        headings = re.findall(r"<figure>\s*<h3>(.*?)</h3>", text)
        assert headings
        assert all(h.endswith("?") and h.count("?") == 1 for h in headings)


def test_a_figure_that_fails_is_left_out_and_said(report_store, tmp_path, monkeypatch):
    def refuse(sweep):
        raise UserError("no pictures are logged")

    gallery: SweepFigure[object] = SweepFigure("gallery", "Where does it go blank?", of=refuse)
    monkeypatch.setattr(report, "FIGURES", (gallery, curves.FIGURE))
    made = report.write(read_sweep(report_store, "counts"), tmp_path)
    assert "left out: Where does it go blank? no pictures are logged" in made.findings
    page = Page.of(made)
    assert "Left out: Where does it go blank? no pictures are logged" in page.text
    assert len(page.images) == 1


def test_what_was_taken_from_the_store_is_told(report_store, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "FIGURES", (curves.FIGURE,))
    sweep = read_sweep(report_store, "counts")
    copied = replace(sweep.trials[0], copied_from="0123456789")
    tags = {**sweep.tags, f"{schema.ACCEPTED_CODE}abc": "ssmpe"}
    sweep = replace(sweep, trials=(copied, *sweep.trials[1:]), tags=tags)
    text = Page.of(report.write(sweep, tmp_path)).text
    assert text.count(f"{copied.end_reason}, in run 01234567") == 1
    assert "other code, abc" in text
    assert f"over {len(sweep.trials) - 1} trials; 1 more were taken from earlier sweeps" in text


def test_half_a_sweep_says_so(report_store, tmp_path):
    made = report.write(read_sweep(report_store, "running", partial=True), tmp_path)
    assert "Not finished (running): 3 trials still to end." in Page.of(made).text
    assert "One seed" not in Page.of(made).text


def test_all_sweeps_on_one_page(report_store, reports, tmp_path, capsys):
    folder = reports["long"].file.parent.parent
    page = Page((folder / "index.html").read_text(encoding="utf-8"))
    assert page.links == [f"{n}/report.html" for n in ("long", "counts", "energy")]
    assert all((folder / link).is_file() for link in page.links)
    assert page.text.count("No report: sweep ") == 2
    for made in reports.values():
        assert made.answer.sentences[0] in page.text
    assert report.main(["--all", "--tracking-uri", f"sqlite:///{tmp_path}/x.db"]) == 2
    assert "no MLflow store there" in capsys.readouterr().err
