"""Nothing that is read is run: no evaluation, no objects from bytes, no shell."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(p for part in ("ssmpe", "analysis", "sweeps") for p in (ROOT / part).rglob("*.py"))

CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen"),
    *("subprocess.getoutput", "subprocess.getstatusoutput"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "marshal.loads"),
    *("joblib.load", "pandas.read_pickle", "pd.read_pickle", "shelve.open", "dill.load"),
}
IMPORTS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jsonpickle"}
ALLOWED = {
    # tasks for processes of its own, through pipes that nobody else has
    ("ssmpe/world/workers.py", "pickle"),
}


def findings(source: str) -> Iterator[str]:
    """Yield what in a source could run what it reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in IMPORTS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in IMPORTS:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            given = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name in CALLS:
                yield name
            if name.endswith("torch.load") and given.get("weights_only") != "True":
                yield "torch.load without weights_only=True"
            if given.get("allow_pickle", "False") != "False":
                yield f"{name} with allow_pickle"
            if given.get("shell", "False") != "False":
                yield f"{name} with shell"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_runs_what_it_reads(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    assert [f for f in findings(path.read_text()) if (name, f) not in ALLOWED] == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "yaml.load(text, yaml.Loader)",
        "import pickle",
        "from pickle import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
    ],
)
def test_what_would_run_it_is_found(source: str) -> None:
    assert list(findings(source))


@pytest.mark.parametrize(
    "source",
    [
        "yaml.safe_load(text)",
        "json.loads(text)",
        "network.eval()",
        "re.compile(text)",
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "np.load(path)",
        "subprocess.run(['ls'], shell=False)",
    ],
)
def test_what_would_not_is_left_alone(source: str) -> None:
    assert not list(findings(source))


PLANTED = """
import pickle, sys, zlib
from pathlib import Path
from music21 import converter
from ssmpe.world.music.scores import corpus_root, read_score

class Payload:
    def __reduce__(self):
        return Path.touch, (Path("was here"),)

piece = "bach/bwv10.7.mxl"
path = corpus_root() / piece
planted = converter.PickleFilter(path).getPickleFp(zipType="gz")
planted.write_bytes(zlib.compress(pickle.dumps({"stream": Payload(), "m21Version": (0,)})))
if sys.argv[1] == "ours":
    read_score(piece)
else:
    try:
        converter.Converter().parseFile(path)
    except Exception:
        pass
print(Path("was here").exists())
"""


@pytest.mark.parametrize(("reader", "ran"), [("ours", "False"), ("music21's", "True")])
def test_scores_come_from_no_cache_that_others_write(tmp_path: Path, reader: str, ran: str) -> None:
    """music21 keeps what it parsed, pickled, in a folder of the disk that everybody shares."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, reader],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == [ran], done.stderr
