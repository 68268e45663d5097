"""The command ``ssmpe``: quick to tell what it does, and working as an installed package."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ssmpe import __version__
from ssmpe.__main__ import COMMANDS, main
from ssmpe.errors import OF_SWEEPS
from tests.support import transcribing
from tests.support.transcribing import write_tones

ROOT = Path(__file__).parents[2]
SLOW = ("torch", "ray", "mlflow", "optuna", "pandas", "matplotlib", "mir_eval", "music21")
OWN = '''"""Does it work outside?"""
from ssmpe.cli import sweep
from ssmpe.experiments.deltas import REFERENCE
from ssmpe.experiments.sweep import row

SWEEP = sweep(lambda base: [row(REFERENCE)])
'''
checkpoint = transcribing.checkpoint


def python(folder: Path, program: str, **settings: str) -> subprocess.CompletedProcess[str]:
    given = [sys.executable, "-c", program]
    environment = {**os.environ, **settings}
    return subprocess.run(given, cwd=folder, capture_output=True, text=True, env=environment)


def test_help_is_there_before_anything_slow_is_imported(tmp_path):
    # a report's options are those of its figures
    given = [["--help"], *([name, "--help"] for name in COMMANDS if name != "report")]
    given += [["--version"], ["sweep"], ["sweep", "sample_count", "--help"]]
    program = f"""
import sys
from ssmpe.__main__ import main
for given in {given}:
    try:
        code = main(given)
    except SystemExit as ended:
        code = ended.code
    assert not code, given
    slow = [name for name in {SLOW} if name in sys.modules]
    assert not slow, (given, slow)
    assert sys.excepthook is sys.__excepthook__
"""
    done = python(tmp_path, program)
    assert done.returncode == 0, done.stderr
    assert f"ssmpe {__version__}\n" in done.stdout
    assert all(f"\n    {name}" in done.stdout for name in COMMANDS)
    assert "\nsample_count " in done.stdout
    assert "usage: ssmpe transcribe" in done.stdout
    assert "Does the output on unlabelled data" in done.stdout


WRONG = '''
"""Is it?"""
from ssmpe.cli import sweep
SWEEP = sweep(lambda base: 1 / 0)
'''


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["sweep", "sample_cuont"], "error: sweep sample_cuont: no such file, here or in ./sweeps"),
        (["sweep", "gone.py", "--dry-run"], "error: sweep gone.py: no such file"),
        (["sweep", "./bare.py"], "bare.py: no sweep: its last line has to be SWEEP = sweep("),
        (["sweep", "./odd.py"], "odd.py: SyntaxError: expected ':' (odd.py, line 1)"),
        (["sweep", "./alone.py"], "ModuleNotFoundError: No module named 'gone' (alone.py, line 1)"),
        (["sweep", "./wrong.py", "--dry-run"], "ZeroDivisionError: division by zero (wrong.py, "),
        (["report", "curvs"], "error: report curvs: no such figure (there are: border, curves, "),
        (["ui", "--port", "99999999"], "no MLflow store there"),
        (["transcribe", "x.wav", "--run", "y/z"], "no MLflow store there"),
        (["transcribe", "x.wav", "--threads", "0"], "error: --threads 0: expected 1 to 1024"),
        (["evaluate", "--sweep", "x", "--threads", "2000"], "--threads 2000: expected 1 to 1024"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, given, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "bare.py").write_text("x = 1\n")
    (tmp_path / "odd.py").write_text("def rows(base)\n    return []\n")
    (tmp_path / "alone.py").write_text("import gone\n")
    (tmp_path / "wrong.py").write_text(WRONG)
    code = main(given)
    printed = capsys.readouterr()
    assert (code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert said in printed.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["ui", "--prot=5001"],
            "ssmpe ui: error: unrecognized arguments: --prot=5001 (ssmpe ui ",
        ),
        (["uii"], "ssmpe: error: argument COMMAND: invalid choice: 'uii'"),
        (["transcribe"], "ssmpe transcribe: error: the following arguments are required: FILE ("),
        (["report", "curves", "--swep", "x"], "ssmpe report curves: error: unrecognized arguments"),
        (
            ["sweep", "energy", "--roows", "x"],
            " sweep energy: error: unrecognized arguments: --roows",
        ),
    ],
)
def test_a_misspelt_option_is_one_line(monkeypatch, capsys, given, said):
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", [*sys.path])
    try:
        code = main(given)
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    printed = capsys.readouterr()
    assert (code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert said in printed.err


@pytest.mark.parametrize(
    ("program", "typed"), [("/venv/bin/ssmpe", "ssmpe"), ("__main__.py", "python -m ssmpe")]
)
def test_a_sweep_is_told_by_the_command_that_ran_it(monkeypatch, capsys, program, typed):
    """The same words, with the options behind them, are in the record of its run."""
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(["sweep", "energy", "--help"]) == 0
    assert f"\nusage: {typed} sweep energy [OPTION …]\n" in capsys.readouterr().out


def test_a_port_that_is_in_use_is_told(uri, open_tracker, capsys):
    import socket

    open_tracker()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        code = main(["ui", "--tracking-uri", uri, "--port", port])
    assert code == 2
    assert capsys.readouterr().err.startswith(f"error: --port {port}: cannot be used (Address ")


def test_the_doctor_tells_what_the_machine_has(capsys):
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    for part in ("ssmpe", "CPU cores", "memory", "bf16 on CPU", "GPU", "core", "sweeps", "cache"):
        assert f"\n{part} " in f"\n{told}"
    assert f"{len(os.sched_getaffinity(0))}" in told
    assert os.environ.get("SSMPE_CACHE", "ssmpe") in told.replace("\n", "")


def test_the_core_needs_no_package_of_sweeps(tmp_path, checkpoint):
    """Transcribing and scoring work; all else names what is missing, and how it is installed."""
    folder = tmp_path / "mine"
    folder.mkdir()
    write_tones(folder / "a.wav", 30_000)
    (tmp_path / "results").mkdir()
    program = f"""
import sys
for name in {sorted(OF_SWEEPS)}:
    sys.modules[name] = None
from ssmpe.__main__ import main
network = ["--checkpoint", {str(checkpoint)!r}]
assert main(["transcribe", "mine/a.wav", *network]) == 0
assert main(["evaluate", "mine/all", *network, "--folder", "mine=mine"]) == 0
assert main(["data", "check", "--folder", "mine=mine"]) == 0
assert main(["doctor"]) == 0
import ssmpe
assert len(ssmpe.load({str(checkpoint)!r}).transcribe("mine/a.wav").times)
print("--", flush=True)
for given in (["sweep", "sample_count", "--dry-run"], ["sweep", "hyperparameters"], ["report"]):
    assert main(given) == 2
"""
    done = python(tmp_path, program)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "transcriptions" / "a.txt").is_file()
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 3
    assert all(line.startswith("error: this needs ") for line in said)
    assert all(line.endswith(": pip install 'ssmpe[sweep]'") for line in said)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Lay out what the wheel installs, as pyproject.toml has it; return the folder of packages."""
    site = tmp_path_factory.mktemp("site-packages")
    for name in ("ssmpe", "analysis", "sweeps"):
        target = site / "ssmpe" if name == "ssmpe" else site / "ssmpe" / "_bundled" / name
        shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("figures", "*.pyc"))
    return site


def test_all_folders_of_code_are_installed():
    folders = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/**/__init__.py")}
    own = {f.replace("/", ".") for f in folders if f.partition("/")[0] == "ssmpe"}
    others = {f.replace("/", ".") for f in folders if f.partition("/")[0] in ("analysis", "sweeps")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["setuptools"]["packages"]) == own | {
        f"ssmpe._bundled.{name}" for name in others
    }


def test_an_installed_package_has_its_sweeps_and_its_report(tmp_path, installed):
    """From a folder that has an ``analysis`` of its own, and a sweep that needs only ``ssmpe``."""
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "__init__.py").write_text("raise SystemError('not ours')")
    (tmp_path / "own.py").write_text(OWN)
    program = """
import sys
from ssmpe import bundled
from ssmpe.__main__ import main
assert bundled.folder().name == "_bundled"
for given in (["sweep", "regeneration", "--dry-run"], ["sweep", "own", "--dry-run"]):
    assert main(given) == 0, given
try:
    main(["report", "curves", "--help"])
except SystemExit as ended:
    assert ended.code == 0
assert sys.modules["analysis"].__file__.startswith(str(bundled.folder()))
"""
    done = python(tmp_path, program, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    for said in ("Can a network come back", "Does it work outside?", "usage: ssmpe report curves"):
        assert said in done.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps").glob("[!_]*.py")), ids=lambda p: p.stem)
def test_a_sweep_file_needs_nothing_but_the_package(path):
    lines = path.read_text().splitlines()
    imported = [line for line in lines if line.startswith(("import ", "from "))]
    ours = [line for line in imported if line.split()[1].partition(".")[0] == "sweeps"]
    assert not ours


@pytest.mark.long
def test_the_wheel_holds_the_package_alone(tmp_path, checkpoint):
    source, site = tmp_path / "source", tmp_path / "site"
    kept = shutil.ignore_patterns(".git", "results", "*.pyc", "tests", "build", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=kept)
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, source]
    subprocess.run([*map(str, build)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    install = [*pip, "install", "-q", "--no-deps", "--target", site, wheel]
    subprocess.run([*map(str, install)], check=True)
    names = {path.name for path in site.iterdir()}
    assert {n for n in names if not n.endswith(".dist-info")} == {"ssmpe", "bin"}
    assert (site / "ssmpe" / "py.typed").is_file()
    expected = {p.stem for p in (ROOT / "sweeps").glob("[!_]*.py")}
    assert {p.stem for p in (site / "ssmpe/_bundled/sweeps").glob("[!_]*.py")} == expected
    assert (site / "ssmpe/_bundled/analysis/templates/report.html").is_file()
    audio = write_tones(tmp_path / "a.wav", 30_000)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    for given in (
        ["transcribe", audio, "--checkpoint", checkpoint],
        ["sweep", "sample_count", "--dry-run"],
        ["report", "--help"],
    ):
        words = [str(site / "bin" / "ssmpe"), *map(str, given)]
        subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "transcriptions" / "a.mid").is_file()
