"""Names of any characters: no terminal obeys them, every encoding takes them, lines stay lines."""

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ssmpe.__main__ import main
from ssmpe.cli import main as sweep
from ssmpe.console import TaskBar, make_console, print_table, printable, write_text
from sweeps.sample_count import SWEEP
from tests.support import transcribing
from tests.support.transcribing import write_tones

checkpoint, command = transcribing.checkpoint, transcribing.command

NAMES = {
    "title\x1b]0;owned\x07": r"title\x1b]0;owned\x07",
    "half\udcff": r"half\udcff",
    "line\nbreak": r"line\x0abreak",
    "back\u202efdp": r"back\u202efdp",
    "clear\x9b2J\r": r"clear\x9b2J\x0d",
    "next\u2028line": r"next\u2028line",
}
"""Names, and how they are shown"""
OBEYED = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_line_of_visible_characters(name):
    assert printable(name) == NAMES[name]
    assert printable(printable(name)) == printable(name)


def test_ordinary_names_stay_as_they_are():
    for name in ("ü 音楽 🎻 [b] $x$ \\ C:\\new", "שלום", "naïve"):
        assert printable(name) == name
    assert printable("a\tb\nc\x1b", lines=True) == "a\tb\nc\\x1b"


def strict(encoding: str) -> tuple[io.BytesIO, io.TextIOWrapper]:
    raw = io.BytesIO()
    return raw, io.TextIOWrapper(raw, encoding=encoding, errors="strict", write_through=True)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_whatever_a_console_prints_is_safe(encoding):
    raw, file = strict(encoding)
    console = make_console(file, width=200)
    table = Table("ü name", *NAMES, title="title\x1b[2J – ü")
    for name in NAMES:
        table.add_row(name, Text(name), "±", "…")
        console.print(name, soft_wrap=True)
        console.print(Text(f"<{name}>"), style="bold")
    console.print(table)
    with TaskBar(console) as bar:
        bar.show("half\udcff", 1, 2)
    text = raw.getvalue().decode(encoding)
    assert not OBEYED.search(text)
    for shown in NAMES.values():
        for part in shown.split(r"\x0a"):
            assert text.count(part) >= 3  # rich leaves out some controls of a Text itself
    assert ("±" in text) == (encoding != "ascii")


def test_a_terminal_still_gets_the_console_s_own_orders():
    raw, file = strict("utf-8")
    console = make_console(file, width=100)
    console._force_terminal = True
    with TaskBar(console) as bar:
        bar.show("x\x1b]0;owned\x07", 1, 2)
    text = raw.getvalue().decode()
    assert r"x\x1b]0;owned\x07" in text
    assert "\x1b]0;owned" not in text
    assert "\x1b[?25l" in text  # the cursor is hidden while the bar moves


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of recordings with such names, of which two are the same and one is none."""
    made = tmp_path / "of\x1b]0;owned\x07 mine\udcff"
    made.mkdir()
    for number, name in enumerate(NAMES):
        write_tones(tmp_path / "x.wav", 3000 + number).rename(made / f"{name}.wav")
    first, second, third, *_ = (made / f"{name}.wav" for name in NAMES)
    second.write_bytes(first.read_bytes())
    third.write_bytes(b"no audio")
    return made


@pytest.mark.parametrize("encoding", ["ascii:strict", "utf-8:strict"])
def test_a_check_of_any_names(folder, encoding):
    done = subprocess.run(
        [sys.executable, "-m", "ssmpe", "data", "check", "--folder", f"mine={folder}"],
        env={**os.environ, "PYTHONIOENCODING": encoding, "SSMPE_CACHE": str(folder.parent / "c")},
        capture_output=True,
    )
    assert done.returncode == 2
    output, error = done.stdout.decode(), done.stderr.decode()
    assert not OBEYED.search(output + error)
    assert error.count("\n") == 1
    assert r"line\x0abreak.wav: audio cannot be read" in output
    assert "is the same recording as" in output
    assert r"owned\x07 mine\udcff" in output


def test_scores_of_any_names(folder, checkpoint, command, tmp_path):
    (folder / "line\nbreak.wav").unlink()
    out = tmp_path / "scores.csv"
    own = ("--folder", f"mine={folder}", "--csv", out)
    code, output, error = command("evaluate", "mine/all", "--checkpoint", checkpoint, *own)
    assert (code, error) == (0, "")
    text = out.read_bytes().decode()
    assert not OBEYED.search(output + text)
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len(NAMES) - 1
    assert {r"half\xff.wav", r"title\x1b]0;owned\x07.wav"} <= {row["track"] for row in rows}
    assert {row["data"] for row in rows} == {printable(str(folder))}


def test_transcriptions_of_any_names(tmp_path, checkpoint, command):
    tones = write_tones(tmp_path / "x.wav", 2000)
    paths = [shutil.copy(tones, tmp_path / f"{name}.wav") for name in NAMES]
    out = tmp_path / "out\x1b[2J"
    code, output, error = command("transcribe", *paths, "--checkpoint", checkpoint, "--out", out)
    assert (code, error) == (0, "")
    assert len(output.splitlines()) == len(NAMES) + 1  # the last tells the threshold
    assert not OBEYED.search(output)
    assert len(list(out.iterdir())) == 4 * len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_quoted_safely(name, capsys):
    for run in (
        lambda: main(["transcribe", "--checkpoint", "x", "y", f"--{name}"]),
        lambda: main(["evaluate", "--checkpoint", "x", f"--{name}", "y"]),
        lambda: sweep(SWEEP, None, [f"--{name}"]),
    ):
        with pytest.raises(SystemExit) as ended:
            run()
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert not OBEYED.search(said)
        assert NAMES[name] in said


def test_text_of_files_is_safe(tmp_path):
    write_text(tmp_path / "x.md", "".join(f"| {name} |\n" for name in NAMES))
    text = (tmp_path / "x.md").read_bytes().decode()
    assert not OBEYED.search(text)


def test_of_a_table_in_a_file_nothing_is_cut():
    table = Table(box=None)
    for heading in range(20):
        table.add_column(f"column {heading}", min_width=12)
    table.add_row(*map(str, range(10**9, 10**9 + 20)))
    for terminal, whole in ((False, True), (True, False)):
        file = io.StringIO()
        console = (
            make_console(file)
            if not terminal
            else Console(file=file, width=80, force_terminal=True)
        )
        before = console.width
        print_table(console, table)
        assert (str(10**9 + 19) in file.getvalue()) == whole
        assert console.width == before
