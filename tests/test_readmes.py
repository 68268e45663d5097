"""The READMEs: what they link to, name and tell to type exists."""

import importlib
import io
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pytest

import ssmpe
from ssmpe.config.presets import preset
from ssmpe.experiments import options
from ssmpe.runner.planning.make import plan_trials

ROOT = Path(__file__).parent.parent
FOLDERS = {"sweeps", "ssmpe", "clusters", "analysis", "tests"}
FILES = {
    *("pyproject.toml", "README.md", "LICENSE"),
    *("CITATION.cff", "CHANGELOG.md"),
}
PLACEHOLDER = re.compile(r"…|\bNAME\b|KEY\.PATH")
"""What stands for something that a reader puts in."""
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")


def tracked() -> list[Path]:
    """Return the files of the repository, relative to its root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("not a clone", allow_module_level=True)
    return [Path(name) for name in listed.stdout.decode().split("\0") if name]


TRACKED = tracked()
PAGES = [path for path in TRACKED if path.suffix == ".md"]
each_page = pytest.mark.parametrize("page", PAGES, ids=str)


@cache
def text_of(page: Path) -> str:
    return (ROOT / page).read_text()


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return FENCED.sub("", text_of(page))


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for title in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        found[slug] = found.get(slug, 0) + 1
    return {f"{slug}-{i}" if i else slug for slug, n in found.items() for i in range(n)}


@each_page
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page.parent / name).resolve() if name else ROOT / page
        assert target.is_file(), link
        assert target.relative_to(ROOT) in TRACKED, f"{link}: not in the repository"
        if anchor:
            assert anchor in anchors(target.relative_to(ROOT)), link


def is_there(name: str, page: Path) -> bool:
    """Tell whether a path exists below the root, or beside the page that names it."""
    return any((base / name).exists() for base in (ROOT, ROOT / page.parent))


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def is_written_in_code(name: str) -> bool:
    """Tell whether a name, as that of a tag, is a text in the code."""
    return any(f'"{name}"' in (ROOT / p).read_text() for p in TRACKED if p.suffix == ".py")


@each_page
def test_files_and_modules_that_are_named_exist(page):
    for name in INLINE.findall(prose(page)):
        if " " in name or PLACEHOLDER.search(name):
            continue
        first, slash, _ = name.partition("/")
        if (slash and first in FOLDERS) or re.fullmatch(r"[\w./]+\.(py|sh|yaml)", name):
            assert is_there(name, page), name
        elif re.fullmatch(r"(ssmpe|analysis|sweeps|tests)(\.\w+)+", name):
            offered = name.removeprefix("ssmpe.") in ssmpe.__all__
            assert offered or is_module(name) or is_written_in_code(name), name


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words behind ``python`` of every command of a page, in blocks and in prose.

    ``ssmpe`` stands for ``python -m ssmpe``.
    """
    blocks = "".join(FENCED.findall(text_of(page))).replace("\\\n", " ")
    lines = blocks.splitlines()
    lines += [code.replace("\n", " ") for code in INLINE.findall(prose(page))]
    for line in lines:
        if re.search(r"\bpython (-m|\S+\.py)|^ssmpe [a-z-]", line):
            yield from _commands(line)


def _commands(line: str) -> Iterator[list[str]]:
    words = shlex.split(line, comments=True)
    for word in words:
        if "python " in word:  # of a shell on another machine
            yield from _commands(word)
    for part in " \0 ".join(words).split(" \0 && \0 "):
        found = part.split(" \0 ")
        if "python" in found:
            yield found[found.index("python") + 1 :]
        elif found[0] == "ssmpe":
            yield ["-m", *found]


COMMANDS = sorted({tuple(words) for page in PAGES for words in commands(page)})


def options_of(words: Sequence[str]) -> set[str]:
    """Return the options in the help of a command, which is asked for behind what it is given."""
    start: Callable[[], object] = partial(runpy.run_path, str(ROOT / words[0]), run_name="__main__")
    if words[0] == "-m":
        words = words[1:]
        start = partial(runpy.run_module, words[0], run_name="__main__", alter_sys=True)
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setattr(sys, "argv", [*words, "--help"])
        with pytest.raises(SystemExit) as ended:
            start()
    assert not ended.value.code
    return {*re.findall(r"--[a-z][\w-]*", said.getvalue())}


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("words", COMMANDS, ids=shlex.join)
def test_commands_can_be_given(words):
    first, *arguments = words
    of_a_sweep = arguments[:2] == ["ssmpe", "sweep"] and len(arguments) > 2
    if PLACEHOLDER.search(arguments[2] if of_a_sweep else first):
        return
    if first.startswith("sweeps/"):
        check_sweep(Path(first).stem, arguments)
    else:
        assert {word for word in arguments if word.startswith("--")} <= options_of(words)


def check_sweep(name: str, arguments: list[str]) -> None:
    """Parse a sweep's options, and make the trials that they ask for, none of them in vain."""
    sweep = importlib.import_module(f"sweeps.{name}").SWEEP
    given = options.parse(sweep.question, f"python sweeps/{name}.py", arguments, sweep.add_options)
    assert plan_trials(sweep, replace(given, folders=dict.fromkeys(given.folders, ROOT)))


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("sweeps/README.md", ["sweeps/hyperparameters.py"]),
        ("analysis/README.md", ["-m", "analysis.curves"]),
    ],
)
def test_tables_of_options_are_complete(page, words):
    rows = re.findall(r"^\| (`--.*?) \| ", text_of(Path(page)), re.MULTILINE)
    told = [option for row in rows for option in re.findall(r"--[a-z][\w-]*", row)]
    assert {*told} == options_of(words) - {"--help"}


@each_page
def test_settings_exist(page):
    for quoted, plain in re.findall(r"--set (?:'([^']+)'|([^\s'`]+))", text_of(page)):
        setting = quoted or plain
        if not PLACEHOLDER.search(setting):
            preset("tiny").replace(options.parse("", "", ["--set", setting]).overrides)


def folders_below(folder: Path) -> set[str]:
    """Return the names of the folders in a folder of the repository, hidden ones left out."""
    depth = len(folder.parts)
    inside = [p.parts for p in TRACKED if p.parts[:depth] == folder.parts]
    return {parts[depth] for parts in inside if len(parts) > depth + 1 and parts[depth][0] != "."}


def tree() -> dict[Path, set[str]]:
    """Return the folders that the README's tree shows: folder -> names of folders in it."""
    [block] = [b for b in FENCED.findall(text_of(Path("README.md"))) if "\nssmpe/" in b]
    shown: dict[Path, set[str]] = {}
    above = [Path()]
    for line in block.splitlines()[1:-1]:
        found = re.match(r"((?:  )*)((?:\w+/ ?)+)", line)
        assert found, line
        depth = len(found[1]) // 2
        names = found[2].replace("/", "").split()
        shown.setdefault(above[depth], set()).update(names)
        above[depth + 1 :] = [above[depth] / names[-1]]
    return shown


def test_the_tree_is_the_folders_that_are_there():
    shown = tree()
    assert {Path(), Path("ssmpe")} <= shown.keys()
    for folder, names in shown.items():
        assert names == folders_below(folder), folder


def test_the_top_level_is_what_the_tree_shows_and_files_that_everybody_expects():
    top = {path.parts[0] for path in TRACKED if path.parts[0][0] != "."}
    assert top == FOLDERS | FILES
    assert folders_below(Path()) == FOLDERS


def test_the_readme_is_a_page():
    assert (ROOT / "README.md").stat().st_size <= 8_000


def test_citation_and_changelog_are_of_this_version():
    text = text_of(Path("CITATION.cff"))
    assert f"\nversion: {ssmpe.__version__}\n" in text
    released = re.search(r"^date-released: (\S+)$", text, re.MULTILINE)
    assert released
    changelog = text_of(Path("CHANGELOG.md"))
    assert f"\n## {ssmpe.__version__} – {released[1]}\n" in changelog
