"""What a store holds may be anybody's: on a page, on a terminal, as a name it stays text."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mlflow import MlflowClient

from analysis import report, results
from ssmpe.console import printable
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.store import read_sweep
from tests.support.analysis_store import Invented, sample_count_trials, store_in, write_sweep

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[/bold][link=file:///etc/passwd]x",
    r"$\frac{x$",
)


class Tags(HTMLParser):
    """Elements of a page and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URI of a store with a sweep all of whose texts are hostile."""
    uri = store_in(tmp_path_factory.mktemp("store"), empty_store)
    trials = sample_count_trials(1)
    trials += [Invented(text, 0, "MusicNet/train", 3) for text in HOSTILE]
    parent = write_sweep(uri, "hostile", trials, data=HOSTILE[0])
    client = MlflowClient(uri)
    client.set_tag(parent, schema.QUESTION, f"{HOSTILE[1]}?")
    client.set_tag(parent, schema.PRESET, HOSTILE[0])
    client.log_param(parent, "command", HOSTILE[0])
    return uri


def test_a_report_has_no_markup_but_its_own(store: str, tmp_path: Path) -> None:
    page, entries = report.write_all(store, tmp_path)
    [entry] = entries
    assert entry.report, entry.reason
    for file in (page, entry.report.file):
        text = file.read_text(encoding="utf-8")
        assert "onerror=alert(1)" in text  # as text
        for tag, attributes in Tags(text).found:
            assert tag not in ("script", "iframe", "object", "embed"), file
            assert not [name for name in attributes if name.startswith("on")], file
            assert (attributes.get("src") or "data:image/").startswith("data:image/"), attributes
            assert not (attributes.get("href") or "").startswith(("javascript:", "file:"))


def test_no_figure_fails_over_a_name(store: str, tmp_path: Path) -> None:
    made = report.write(read_sweep(store, "hostile"), tmp_path)
    text = made.file.read_text(encoding="utf-8")
    left_out = re.findall(r"Left out: [^<]*", text)
    assert not [line for line in left_out if "Parse" in line or "Error" in line]


def test_a_terminal_shows_names_as_they_are(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--tracking-uri", store, "--sweep", "hostile", "--out", str(tmp_path))
    assert results.main(arguments) == 0
    assert "[/bold]" in capsys.readouterr().out


@pytest.fixture(scope="module")
def forged(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """URI of a store, the run of its sweep, and that of the sweep's trial."""
    uri = store_in(tmp_path_factory.mktemp("forged"), empty_store)
    parent = write_sweep(uri, "odd", sample_count_trials(1)[:1])
    client = MlflowClient(uri)
    [trial] = client.search_runs(
        [client.get_run(parent).info.experiment_id], f"tags.`{schema.PARENT_RUN}` = '{parent}'"
    )
    return uri, parent, trial.info.run_id


@pytest.mark.parametrize("name", ["../elsewhere", "/tmp/elsewhere", "..", "", "a/b"])
def test_a_name_that_leads_elsewhere_is_refused(
    forged: tuple[str, str, str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri, parent, _ = forged
    out = tmp_path / "out" / "figures"
    MlflowClient(uri).set_tag(parent, schema.SWEEP, name)
    try:
        assert report.main(("--all", "--tracking-uri", uri, "--out", str(out))) == 2
    finally:
        MlflowClient(uri).set_tag(parent, schema.SWEEP, "odd")
    error = capsys.readouterr().err
    assert error == f"error: run {parent}: {name!r} is no name of a sweep\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("tag", "value", "usual"),
    [
        (schema.SEED, "first", "0"),
        (schema.END_REASON, "bored", "completed"),
        (schema.COLLAPSED_AT, "[" * 7000, "{}"),
        (schema.ADDED_EXCERPTS, "9" * 5000, "0"),
    ],
)
def test_tags_that_no_sweep_wrote_are_one_line(
    forged: tuple[str, str, str], tmp_path: Path, tag: str, value: str, usual: str
) -> None:
    uri, _, trial = forged
    MlflowClient(uri).set_tag(trial, tag, value)
    try:
        with pytest.raises(UserError, match=f"run {trial}: not a trial of ssmpe") as error:
            report.write(read_sweep(uri, "odd"), tmp_path / "out")
    finally:
        MlflowClient(uri).set_tag(trial, tag, usual)
    assert "\n" not in str(error.value)


def test_errors_are_one_line_that_no_terminal_obeys() -> None:
    said = printable("no\x1b]0;title\x07 such\nfile\x9b2J \udcff ü")
    assert said == r"no\x1b]0;title\x07 such\x0afile\x9b2J \udcff ü"
