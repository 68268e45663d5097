"""Kinds of hostile input: how a case of each is made from a random generator, and what takes it."""

import importlib
import io
import json
import os
import re
import runpy
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ssmpe.errors import UserError

Kind = Callable[[Random, Path], None]
"""A case: made and tried in a folder of its own; raises ``UserError`` if it was refused"""

TEXTS = (
    *("", " ", "\x1b]0;owned\x07", "half\udcff", "a\nb", "\u202efdp", "ü音", "x" * 300, "x" * 9000),
    *("..", "../..", "/", "/dev/null", "/dev/zero", "-", "--", "*", "[", "{", "=", "a=", "=b"),
    *("nan", "inf", "-inf", "1e999", "-1", "0", "1", "1e308", "5e-324", "0x10", "1_0", "１２"),
    *("9" * 400, "9" * 5000, "true", "null", "%s%n", "{0}", "$(touch x)", "a,b", "0-9", "3-1"),
    *("http://127.0.0.1:9", "sqlite:////no/such.db", "file:///no", "://", "nowhere://x"),
    *("MusicNet/train", "mine=/tmp", "URMP/all", "model.complexity=99", "[" * 2000),
)
NUMBERS = (
    None,
    True,
    -1,
    0,
    0.5,
    2**31,
    2**63,
    10**400,
    1e308,
    -1e-300,
    float("nan"),
    float("inf"),
)
ROOT = f"{Path(__file__).parents[2]}/"
OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class WrongError(Exception):
    """What came of a case is neither a result nor a refusal."""


# --- changes ----------------------------------------------------------------------------------


def damaged(rng: Random, content: bytes) -> bytes:
    """Flip, overwrite, cut, repeat or insert bytes, most often near the beginning."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        n = max(len(changed), 1)
        at = rng.randrange(min(n, 128) if rng.random() < 0.5 else n)
        how = rng.randrange(6)
        if how == 0 and changed:
            changed[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            extreme = rng.choice(
                (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\x7f", b"\0\0\0\x80")
            )
            changed[at : at + len(extreme)] = extreme
        elif how == 2:
            del changed[at:]
        elif how == 3:
            del changed[at : at + rng.randrange(1, 64)]
        elif how == 4:
            changed[at:at] = changed[at : at + rng.randrange(1, 256)]
        else:
            changed[at:at] = rng.randbytes(rng.randrange(1, 16))
    return bytes(changed)


def garbled(rng: Random, text: str) -> str:
    """Change a text by characters or numbers in it, or take another one."""
    if rng.random() < 0.4:
        return rng.choice(TEXTS)
    at = rng.randrange(len(text) + 1)
    how = rng.randrange(4)
    if how == 0:
        return text[:at] + rng.choice(TEXTS) + text[at:]
    if how == 1:
        return text[:at] + text[at + 1 :]
    if how == 2:
        return re.sub(r"\d+", lambda _: rng.choice(("0", "-1", "nan", "9" * 400, "1e308")), text)
    return text[:at] + text[at : at + 5] * rng.choice((2, 50)) + text[at:]


def anything(rng: Random) -> Any:
    """Return a value of JSON that is hardly what is expected."""
    deep: Any = "end"
    for _ in range(50):
        deep = [deep]
    return rng.choice((*NUMBERS, *TEXTS[:12], [], {}, [1], {"a": 1}, [[]], deep, ["x"] * 1000))


def reshaped(rng: Random, values: Any) -> Any:
    """Replace, rename, drop or wrap one node of JSON, which is copied."""
    root = [json.loads(json.dumps(values))]
    node: Any = root
    while True:
        key = rng.randrange(len(node)) if isinstance(node, list) else rng.choice(list(node))
        child = node[key]
        if isinstance(child, dict | list) and child and rng.random() < 0.85:
            node = child
            continue
        how = rng.randrange(5)
        if how == 0 and isinstance(node, dict):
            node[rng.choice(TEXTS[:8])] = node.pop(key)
        elif how == 1 and node is not root:
            del node[key]
        elif how == 2:
            node[key] = [child]
        else:
            node[key] = anything(rng)
        return root[0]


# --- commands ---------------------------------------------------------------------------------


def commanded(run: Callable[[], object]) -> None:
    """Run a command; what it prints and how it ends must be a result or a refusal of one line."""
    out, err = io.StringIO(), io.StringIO()
    parsed = False
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = run()
        except SystemExit as ended:
            code = ended.code or 0
            parsed = "usage:" in err.getvalue() + out.getvalue() or ": error: " in err.getvalue()
    said = err.getvalue()
    if OBEYED.search(said + out.getvalue()):
        raise WrongError(f"prints {(said + out.getvalue())!r:.300}")
    if code == 2 and not parsed and not (said.startswith("error: ") and said.count("\n") == 1):
        raise WrongError(f"not one line: {said!r:.500}")
    if code not in (0, 2):
        raise WrongError(f"exit code {code!r}: {said!r:.300}")
    if code == 2:
        raise UserError(said.strip().splitlines()[-1])


def options(folder: Path) -> Kind:
    """Options of sweeps and searches; what is taken is planned as ``--dry-run``."""
    from ssmpe.cli import main
    from ssmpe.experiments import options as sweep_options
    from sweeps import hyperparameters, sample_count, two_stage

    sweeps = (sample_count.SWEEP, hyperparameters.SWEEP, two_stage.SWEEP)
    sane = {
        "--preset": "tiny",
        "--seeds": "0-2",
        "--rows": "+MN-*,Ref.",
        "--set": "training.n_batches=100",
        "--world": "tiny",
        "--folder": "mine=/tmp",
        "--max-hours": "FMA/train=20",
        "--max-gpu-hours": "3.5",
        "--address": "auto",
        "--tracking-uri": "sqlite:////no/such.db",
        "--storage": "checkpoints",
        "--concurrent": "2",
        "--gpus-per-trial": "0.25",
        "--diagnostics": "10",
        "--resume": "calm-otter-20260101-000000",
        "--trials": "20",
        "--objective": "pareto",
        "--data-root": "data",
    }
    settings = sorted(_tiny().flat())

    def case(rng: Random, folder: Path) -> None:
        sweep = rng.choice(sweeps)
        given = []
        for option in rng.sample(list(sane), rng.choice((1, 1, 2, 3))):
            value = sane[option] if rng.random() < 0.3 else garbled(rng, sane[option])
            if option == "--set" and rng.random() < 0.6:
                try:
                    value = f"{rng.choice(settings)}={json.dumps(anything(rng))}"
                except ValueError:
                    value = f"{rng.choice(settings)}=x"
            given += [garbled(rng, option), value] if rng.random() < 0.05 else [option, value]
        given.append("--dry-run")

        def run() -> int:
            script = f"python sweeps/{sweep.name}.py"
            try:
                found = sweep_options.parse(sweep.question, script, given, sweep.add_options)
            except UserError:
                return main(sweep, None, given)
            if not found.dry_run or len(found.seeds) > 20:  # nothing is to be trained
                return 0
            return main(sweep, None, given)

        commanded(run)

    return case


def _tiny() -> Any:
    from ssmpe.config.presets import tiny

    return tiny()


def commands(folder: Path) -> Kind:
    """Options of all other commands: data, transcribe, evaluate, and those of ``analysis``."""
    from ssmpe.__main__ import main
    from tests.support.transcribing import untrained

    checkpoint = str(untrained(folder / "checkpoint", _tiny()))
    (folder / "mine").mkdir()
    (folder / "mine" / "bad.wav").write_bytes(b"no audio")
    modules = ("results", "report", "curves", "degeneration", "border", "spending", "replay")

    def case(rng: Random, here: Path) -> None:
        def some(value: object) -> str:
            return str(value) if rng.random() < 0.4 else garbled(rng, str(value))

        which = rng.choice(("check", "where", "transcribe", "evaluate", "analysis"))
        if which == "analysis":
            given = ["--tracking-uri", some(f"sqlite:///{here}/mlflow.db"), "--sweep", some("calm")]
            given += ["--out", some("figures")] if rng.random() < 0.7 else ["--partial"]
            commanded(lambda: _script(f"analysis.{rng.choice(modules)}", given))
            return
        if which == "check":
            given = ["data", "check", some("mine/all"), "--folder", some(f"mine={folder / 'mine'}")]
            given += ["--data-root", some(here)] if rng.random() < 0.5 else []
        elif which == "where":
            given = ["data", "where", some("URMP")]
        else:
            given = [
                which,
                some(folder / "mine" / "bad.wav" if which == "transcribe" else "mine/all"),
            ]
            given += rng.choice((["--checkpoint", some(checkpoint)], ["--run", some("0123")]))
            given += ["--tracking-uri", some("sqlite:///x.db")] if rng.random() < 0.3 else []
            given += ["--device", some("cpu")] if rng.random() < 0.5 else []
            given += ["--out" if which == "transcribe" else "--csv", some("out")]
            given += ["--folder", some(f"mine={folder / 'mine'}")] if which == "evaluate" else []
        commanded(lambda: main(given))

    return case


def _script(module: str, arguments: Sequence[str]) -> None:
    before = sys.argv
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.argv = before


# --- files ------------------------------------------------------------------------------------


def plans(folder: Path) -> Kind:
    """Plans of sweeps, as a resume reads them; what is read is left as it is."""
    from ssmpe.experiments.sweep import Trial
    from ssmpe.runner.plan import Plan
    from sweeps.sample_count import SWEEP

    trials = (Trial("Ref.", _tiny()), Trial("+MN-1", _tiny()))
    store, data = f"sqlite:///{folder}/mlflow.db", "embedded world (tiny)"
    named = {"name": "mine", "script": SWEEP.name, "question": "Is it?", "preset": "tiny"}
    places = {"data": data, "data_root": "/data", "storage": "/ray", "tracking_uri": store}
    limits = {"early_stop": True, "threads": 1, "gpus_per_trial": 0.0, "concurrent": None}
    arguments: dict[str, Any] = {**named, **places, **limits, "folders": {}, "trials": trials}
    Plan(**arguments).save(folder)
    [path] = folder.rglob("plan.json")
    place, content = path.relative_to(folder), path.read_bytes()

    def case(rng: Random, here: Path) -> None:
        changed = damaged(rng, content)
        if rng.random() < 0.8:
            changed = json.dumps(reshaped(rng, json.loads(content))).encode()
        (here / place).parent.mkdir(parents=True)
        (here / place).write_bytes(changed)
        try:
            Plan.load(here, "mine", SWEEP.name)
        finally:
            _check_kept(here / place, changed)

    return case


def audio(folder: Path) -> Kind:
    """Audio files of every format; what is read must be numbers."""
    import soundfile

    from ssmpe.data.files.audio import read_audio

    rng = np.random.default_rng(0)
    formats = (
        *(
            ("WAV", "PCM_16"),
            ("WAV", "FLOAT"),
            ("WAV", "DOUBLE"),
            ("WAV", "PCM_24"),
            ("W64", "FLOAT"),
        ),
        *(("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")),
        *(("AIFF", "PCM_16"), ("AU", "FLOAT")),
    )
    contents = {}
    for name, subtype in formats:
        for channels in (1, 2):
            file = io.BytesIO()
            samples = rng.uniform(-0.5, 0.5, (3000, channels))
            soundfile.write(file, samples, 24_000, format=name, subtype=subtype)
            contents[name, subtype, channels] = file.getvalue()

    def case(rng: Random, here: Path) -> None:
        path = here / "x.wav"
        if rng.random() < 0.15:
            values = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0)
            shape = rng.randrange(1, 3000), rng.choice((1, 2, 8))
            made = np.random.default_rng(rng.randrange(1 << 30)).choice(
                values[rng.randrange(7) :], shape
            )
            soundfile.write(path, made, rng.choice((1000, 22_050, 96_000)), "FLOAT")
        else:
            path.write_bytes(damaged(rng, contents[rng.choice(list(contents))]))
        samples = read_audio(path, 22_050)
        if not np.isfinite(samples).all():
            raise WrongError("samples that are no numbers were taken")

    return case


def annotations(folder: Path) -> Kind:
    """Annotations of every form."""
    import mido
    import scipy.io

    from ssmpe.data.datasets import bach10
    from ssmpe.data.datasets.folder import READERS
    from ssmpe.data.files import jams, parsing

    notes = [{"time": t, "duration": 0.4, "value": 60.5 + t, "confidence": None} for t in range(4)]
    contour = [
        {"time": 0.01 * t, "duration": 0, "value": {"index": 0, "voiced": True, "frequency": 220.0}}
        for t in range(9)
    ]
    document = {
        "file_metadata": {"duration": 5.0},
        "annotations": [
            {"namespace": "note_midi", "annotation_metadata": {}, "data": notes},
            {"namespace": "pitch_contour", "annotation_metadata": {}, "data": contour},
        ],
    }
    ragged = "".join(f"{t / 100:.2f}\t220.0\t{440 + t}.5\n" for t in range(30)).encode()
    pairs = "".join(f"{t / 100:.2f} {220 + t}\n" for t in range(30)).encode()
    table = b"a,b\n" + b"".join(b"%d,x%d\n" % (t, t) for t in range(9))
    midi = mido.MidiFile(ticks_per_beat=480)
    track = midi.add_track()
    for pitch in (60, 64, 67):
        track.append(mido.Message("note_on", note=pitch, velocity=80, time=10))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=200))
    smf, mat = io.BytesIO(), io.BytesIO()
    midi.save(file=smf)
    scipy.io.savemat(mat, {"GTF0s": np.full((4, 30), 60.0)})
    packed = io.BytesIO()
    scipy.io.savemat(packed, {"GTF0s": np.full((4, 30), 60.0)}, do_compression=True)
    read_ragged, read_midi = READERS[".txt"], READERS[".mid"]
    kinds: tuple[tuple[bytes, Callable[[Path], object]], ...] = (
        (ragged, read_ragged),
        (ragged.replace(b"\t", b","), read_ragged),
        (pairs, parsing.read_f0_track),
        (pairs, lambda path: list(parsing.read_columns(path, 2))),
        (table, lambda path: list(parsing.read_csv(path, ("a", "b")))),
        (smf.getvalue(), read_midi),
        (mat.getvalue(), bach10.read_part_pitches),
        (packed.getvalue(), bach10.read_part_pitches),
        (b"", READERS[".jams"]),
        (b"", lambda path: jams.read_pitch_contours(path, 256 / 44_100)),
    )

    def case(rng: Random, here: Path) -> None:
        content, read = rng.choice(kinds)
        if not content:  # JAMS
            content = json.dumps(reshaped(rng, document)).encode()
        elif content[:1] in b"0a" and rng.random() < 0.5:
            content = garbled(rng, content.decode()).encode("utf-8", "surrogateescape")
        else:
            content = damaged(rng, content)
        (here / "x.txt").write_bytes(content)
        read(here / "x.txt")

    return case


def stores(folder: Path) -> Kind:
    """SQLite files of the tracking store and of searches; one that is refused is left as it is."""
    from dataclasses import replace

    from ssmpe.experiments.search import SearchPlan
    from ssmpe.runner.cluster.resources import Share
    from ssmpe.runner.plan import Plan
    from ssmpe.runner.queue import study, suggestions
    from ssmpe.runner.queue.retries import Retries
    from ssmpe.tracking.connection import connect
    from ssmpe.tracking.reading import fetch_best
    from ssmpe.tracking.tracker import local_uri
    from sweeps import hyperparameters
    from tests.support.analysis_store import sample_count_trials, write_sweep

    uri = local_uri(folder)
    connect(uri)
    write_sweep(uri, "calm", sample_count_trials(1)[:1])
    store = (folder / "mlflow.db").read_bytes()
    search = hyperparameters.SWEEP
    base = search.base(_tiny(), (0,), {})
    named: dict[str, Any] = dict.fromkeys(("name", "script", "question", "preset", "data"), "x")
    named |= {"data_root": "/data", "storage": "/ray", "tracking_uri": uri, "folders": {}}
    limits: dict[str, Any] = {"early_stop": True, "threads": 1, "gpus_per_trial": 0.0}
    plan = Plan(**named, **limits, concurrent=None, trials=())
    plan = replace(plan, search=SearchPlan(base, 3, "pareto"))
    suggestions.Suggestions(search, plan, folder, Retries(Share(1))).next()
    studied = (folder / study.FILE).read_bytes()
    results = importlib.import_module("analysis.results")

    def case(rng: Random, here: Path) -> None:
        if rng.random() < 0.4:
            (here / study.FILE).write_bytes(damaged(rng, studied))
            suggestions.Suggestions(search, plan, here, Retries(Share(1)))
            return
        path = here / "mlflow.db"
        path.write_bytes(changed := damaged(rng, store))
        try:
            if rng.random() < 0.5:
                fetch_best(local_uri(here), "0123456789abcdef0123456789abcdef", here)
            else:
                given = ["--tracking-uri", local_uri(here), "--sweep", "calm", "--out", str(here)]
                commanded(lambda: results.main(given))
        except UserError:
            _check_kept(path, changed)
            raise

    return case


def checkpoints(folder: Path) -> Kind:
    """Checkpoints of trials, as commands and a resume read them."""
    import torch

    from ssmpe.training import checkpoint
    from ssmpe.training.checkpoint import BEST
    from ssmpe.transcription.trained import load_trained
    from tests.support.transcribing import untrained

    config = _tiny()
    whole = untrained(folder / "checkpoint", config)
    weights = torch.load(whole / f"{BEST}.pt", weights_only=True)
    description = json.loads((whole / f"{BEST}.json").read_text())
    content = (whole / f"{BEST}.pt").read_bytes()
    load_trained(whole, "cpu")

    def crafted(rng: Random) -> object:
        tensor = rng.choice(list(weights))
        value = weights[tensor]
        made = rng.choice(
            (
                lambda: value.half(),
                lambda: value.to(torch.complex64),
                lambda: value.to(torch.bool),
                lambda: value.to_sparse(),
                lambda: value[None],
                lambda: value.reshape(-1)[:1].expand(value.shape),
                lambda: torch.full_like(value, rng.choice((3e38, float("nan"), float("inf"), 0.0))),
                lambda: [value],
                lambda: rng.choice(NUMBERS[:6]),
                lambda: torch.empty((0, *value.shape[1:])),
                lambda: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
            )
        )()
        other = rng.choice(({}, [], 7, torch.zeros(3), list(weights), {1: value}, {"x": value}))
        return other if rng.random() < 0.1 else {**weights, tensor: made}

    def case(rng: Random, here: Path) -> None:
        here = shutil.copytree(whole, here / "checkpoint")
        how = rng.random()
        if how < 0.4:
            (here / f"{BEST}.pt").write_bytes(damaged(rng, content))
        elif how < 0.7:
            torch.save(crafted(rng), here / f"{BEST}.pt")
        else:
            told = json.dumps(reshaped(rng, description)).encode()
            (here / f"{BEST}.json").write_bytes(told if how < 0.9 else damaged(rng, told))
        if rng.random() < 0.5:
            trained = load_trained(here, "cpu")
            if not all(w.isfinite().all() for w in trained.network.parameters()):
                raise WrongError("weights that are no numbers were taken")
        else:
            checkpoint.best_weights(here, config.identity, "cpu")

    return case


def _check_kept(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        raise WrongError(f"{path.name} was changed or lost")


KINDS: dict[str, tuple[Callable[[Path], Kind], float]] = {
    "options": (options, 0.28),
    "commands": (commands, 0.06),
    "plans": (plans, 0.16),
    "audio": (audio, 0.18),
    "annotations": (annotations, 0.2),
    "stores": (stores, 0.02),
    "checkpoints": (checkpoints, 0.1),
}
"""How cases of a kind are made, once its folder is there, and their share of all"""


def case(kind: Kind, rng: Random, here: Path) -> tuple[str, str]:
    """Try a case in an empty folder: ("accepted" | "refused" | "failed", what was said)."""
    here.mkdir()
    before = Path.cwd()
    os.chdir(here)
    try:
        kind(rng, here)
    except UserError as error:
        return "refused", str(error)
    except WrongError as error:
        return "failed", str(error)
    except BaseException as error:
        return "failed", _traced(error)
    finally:
        os.chdir(before)
        shutil.rmtree(here, ignore_errors=True)
    return "accepted", ""


def _traced(error: BaseException) -> str:
    where = error.__traceback__
    frames = []
    while where is not None:
        frames.append(f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}")
        where = where.tb_next
    own = [
        frame.removeprefix(ROOT)
        for frame in frames
        if frame.startswith((f"{ROOT}ssmpe", f"{ROOT}analysis"))
    ]
    return f"{type(error).__name__}: {error!s:.200} ({', '.join([*own[-2:], frames[-1]])})"
