"""``python -m ssmpe transcribe`` with a trained network: what is written, and every mistake."""

import argparse
import io
import json
import pickle
import shutil
import socket
from pathlib import Path

import mir_eval
import numpy as np
import pretty_midi
import pytest
import soundfile
import torch
from matplotlib.image import imread
from rich.console import Console

from ssmpe.commands import transcribe
from ssmpe.config import TrialConfig
from ssmpe.data.files.audio import read_audio
from ssmpe.data.files.ragged import read_ragged
from ssmpe.evaluation.inference import salience, track_features
from ssmpe.signal.features import first_harmonic
from ssmpe.signal.notes import NoteTracker, Semitones
from ssmpe.signal.salience import decode
from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker, local_uri
from ssmpe.training.checkpoint import BEST
from ssmpe.transcription.trained import load_trained
from tests.support import transcribing
from tests.support.checkpoints import as_0_3_0_wrote
from tests.support.transcribing import write_tones

checkpoint, command = transcribing.checkpoint, transcribing.command


def of_whole(path: Path, folder: Path) -> list[np.ndarray]:
    """F0s of the frames of a file that is in memory as a whole."""
    trained = load_trained(folder, "cpu")
    g = trained.config.geometry
    audio = torch.from_numpy(read_audio(path, g.sample_rate))[None, None]
    assert trained.threshold
    found = salience(trained.network, track_features(audio, trained.hcqt))
    return decode(found, g, trained.threshold)


def test_what_is_written(tmp_path, checkpoint, command):
    path = write_tones(tmp_path / "my [live] $x_$ ü.v2.wav", 60 * 22_050)
    out = tmp_path / "not" / "there yet"
    code, output, error = command("transcribe", path, "--checkpoint", checkpoint, "--out", out)
    assert (code, error) == (0, "")
    names = (f"my [live] $x_$ ü.v2.{s}" for s in ("csv", "mid", "png", "txt"))
    csv, midi, picture, txt = (out / name for name in names)
    assert sorted(out.iterdir()) == [csv, midi, picture, txt]

    expected = of_whole(path, checkpoint)
    times, f0s = mir_eval.io.load_ragged_time_series(str(txt))
    assert np.allclose(times, np.arange(len(expected)) * 1024 / 22_050, atol=1e-6)
    assert sum(map(len, f0s)) > 100
    for ours, theirs in zip(f0s, expected, strict=True):
        assert np.allclose(ours, theirs, atol=6e-4)
    assert csv.read_text() == txt.read_text().replace("\t", ",")
    own = read_ragged(csv)
    assert [len(f) for f in own.at(times).f0s] == [len(f) for f in expected]

    notes = [n for i in pretty_midi.PrettyMIDI(str(midi)).instruments for n in i.notes]
    assert len({note.velocity for note in notes}) > 1
    trained = load_trained(checkpoint, "cpu")
    g, audio = trained.config.geometry, read_audio(path, 22_050)
    features = track_features(torch.from_numpy(audio)[None, None], trained.hcqt)
    semitones = Semitones(g)
    tracker = NoteTracker(semitones, g.frame_rate, trained.least_salience, trained.note_rule)
    first = first_harmonic(features, g)[0]
    found = salience(trained.network, features)
    tracker.add(semitones.of(found, first, trained.note_rule.signal))
    whole = tracker.notes()
    assert len(whole) > 3
    wanted = np.stack([whole.pitches, whole.onsets, whole.offsets], axis=1)
    wanted = wanted[np.lexsort((whole.onsets, whole.pitches))]
    assert np.allclose(sorted((n.pitch, n.start, n.end) for n in notes), wanted, atol=1 / 960)
    assert imread(picture).shape == (1152, 1440, 4)
    pitched = np.mean([len(f) > 0 for f in expected])
    assert f"60.0 s, pitches in {pitched:.0%} of frames, {len(notes)} notes" in output


def test_which_threshold_is_used_is_said(tmp_path, checkpoint, command):
    path, earlier = write_tones(tmp_path / "a.wav", 30_000), tmp_path / "as of 0.3.0"
    shutil.copytree(checkpoint, earlier)
    as_0_3_0_wrote(earlier)
    for name in ("trial", BEST):
        plain = json.loads((earlier / f"{name}.json").read_text())
        del plain["best_threshold"]
        (earlier / f"{name}.json").write_text(json.dumps(plain))
    tuned = load_trained(checkpoint, "cpu").threshold
    n_pitches = {}
    for name, folder, given, said in (
        ("tuned", checkpoint, (), f"threshold: {tuned:.3g}, tuned on NSynth/valid"),
        ("half", earlier, (), "threshold: 0.5, as none is stored with these weights"),
        ("low", checkpoint, ("--threshold", "1e-9"), "threshold: 1e-09 (--threshold)"),
        ("high", earlier, ("--threshold", "1"), "threshold: 1 (--threshold)"),
    ):
        out = tmp_path / name
        code, output, _ = command("transcribe", path, "--checkpoint", folder, "--out", out, *given)
        assert (code, output.splitlines()[-1]) == (0, said)
        _, f0s = mir_eval.io.load_ragged_time_series(str(out / "a.txt"))
        n_pitches[name] = sum(map(len, f0s))
    assert n_pitches["low"] > n_pitches["tuned"] > n_pitches["high"]
    assert n_pitches["tuned"] != n_pitches["half"]


def test_a_bad_file_among_others(tmp_path, checkpoint, command):
    good = [write_tones(tmp_path / f"{name}.wav", 4000) for name in ("a", "c")]
    (tmp_path / "b.wav").write_bytes(b"no audio")
    soundfile.write(tmp_path / "nan.wav", np.full(100, np.nan), 22_050, subtype="FLOAT")
    bad = [tmp_path / "b.wav", tmp_path / "gone.wav", tmp_path / "nan.wav", tmp_path]
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.csv").write_text("old")
    (out / "b.csv").write_text("to be kept")
    files = [good[0], *bad, good[1]]
    code, output, error = command("transcribe", *files, "--checkpoint", checkpoint, "--out", out)
    assert code == 2
    *told, _ = output.splitlines()
    assert [line.split(":")[0] for line in told] == [str(p) for p in good]
    lines = error.splitlines()
    assert [line.removeprefix("error: ").split(":")[0] for line in lines] == [str(p) for p in bad]
    made = {f"{name}.{suffix}" for name in "ac" for suffix in ("csv", "txt", "mid", "png")}
    assert {p.name for p in out.iterdir()} == made | {"b.csv"}
    assert (out / "b.csv").read_text() == "to be kept"
    assert (out / "a.csv").read_text() != "old"


def test_a_terminal_shows_progress_of_any_name(tmp_path, checkpoint):
    """In a terminal there is a bar; names of files are no markup."""
    path = write_tones(tmp_path / "[bold] a.wav", 60_000)
    screen = io.StringIO()
    console = Console(markup=False, force_terminal=True, file=screen, width=100)
    given = argparse.Namespace(
        files=[path],
        out=tmp_path / "out",
        checkpoint=checkpoint,
        tracking_uri=None,
        device=None,
        threshold=None,
        threads=None,
    )
    assert transcribe.run(given, console) == 0
    assert "transcribing [bold] a.wav (s)" in screen.getvalue()
    assert "3/3" in screen.getvalue()


def test_the_default_folder_is_not_that_of_the_recording(
    tmp_path, checkpoint, command, monkeypatch
):
    """Beside a recording lies its annotation, perhaps, and has the same name."""
    monkeypatch.chdir(tmp_path)
    path = write_tones(tmp_path / "a.wav", 100)
    (tmp_path / "a.csv").write_text("0.0 440\n")
    assert command("transcribe", path, "--checkpoint", checkpoint)[0] == 0
    assert (tmp_path / "a.csv").read_text() == "0.0 440\n"
    assert (tmp_path / "transcriptions" / "a.csv").exists()


def test_nor_may_it_be_where_that_would_be_replaced(tmp_path, checkpoint, command):
    path = write_tones(tmp_path / "a.wav", 100)
    given = ("transcribe", path, "--checkpoint", checkpoint, "--out", tmp_path)
    (tmp_path / "a.txt").write_text("0.0 440\n")
    code, _, error = command(*given)
    assert (code, (tmp_path / "a.txt").read_text()) == (2, "0.0 440\n")
    assert error.startswith(f"error: --out {tmp_path}: a.txt lies there beside a.wav")
    (tmp_path / "a.txt").unlink()
    assert command(*given)[0] == 0


def test_files_that_would_overwrite_each_other(tmp_path, command, checkpoint):
    paths = [tmp_path / "a" / "x.wav", tmp_path / "b" / "x.flac"]
    code, _, error = command("transcribe", *paths, "--checkpoint", checkpoint)
    assert code == 2
    assert error.startswith(f"error: {paths[0]} and {paths[1]} would both become x.csv")


def test_outputs_that_cannot_be_written(tmp_path, command, checkpoint):
    path = write_tones(tmp_path / "a.wav", 100)
    arguments = ("transcribe", path, "--checkpoint", checkpoint, "--out")
    code, _, error = command(*arguments, path)
    assert code == 2
    assert error == f"error: --out {path}: cannot be written (File exists)\n"
    (tmp_path / "out" / "a.csv").mkdir(parents=True)
    code, _, error = command(*arguments, tmp_path / "out")
    assert code == 2
    assert error == f"error: {path}: cannot be written to {tmp_path / 'out'} (Is a directory)\n"
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.csv"]


# --- checkpoints ------------------------------------------------------------------------------


class Marker:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def with_other_weights(folder: Path) -> None:
    weights = torch.load(folder / "best.pt", weights_only=True)
    torch.save(dict(list(weights.items())[1:]), folder / "best.pt")


DAMAGES = {
    "no weights": (lambda f: (f / "best.pt").unlink(), "no trial's checkpoint"),
    "no description": (
        lambda f: [(f / f"{n}.json").unlink() for n in ("trial", "best")],
        "no trial's checkpoint",
    ),
    "weights cut": (
        lambda f: (f / "best.pt").write_bytes((f / "best.pt").read_bytes()[:5000]),
        "best.pt: not a usable checkpoint",
    ),
    "weights that run code": (
        lambda f: (f / "best.pt").write_bytes(pickle.dumps(Marker(f / "was here"), 2)),
        "best.pt: not a usable checkpoint",
    ),
    "archived code": (
        lambda f: torch.save(Marker(f / "was here"), f / "best.pt"),
        "best.pt: not a usable checkpoint",
    ),
    "a weight missing": (with_other_weights, "weights and description do not fit"),
    "bare number": (lambda f: torch.save(1, f / "best.pt"), "do not fit"),
    "never scored": (lambda f: torch.save({}, f / "best.pt"), "no weights"),
    "description cut": (
        lambda f: (f / "trial.json").write_text((f / "trial.json").read_text()[:99]),
        "trial.json: not a usable checkpoint",
    ),
    "description of nothing": (
        lambda f: (f / "trial.json").write_text('{"format": 1}'),
        "do not fit ('config')",
    ),
    "another geometry": (
        lambda f: (f / "trial.json").write_text(
            (f / "trial.json").read_text().replace('"n_bins": 176', '"n_bins": 200')
        ),
        "do not fit",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoints_are_one_line(tmp_path, checkpoint, command, damage):
    change, said = DAMAGES[damage]
    shutil.copytree(checkpoint, tmp_path / "copy")
    change(as_0_3_0_wrote(tmp_path / "copy"))
    arguments = ("transcribe", "x.wav", "--checkpoint", tmp_path / "copy", "--out", tmp_path)
    code, _, error = command(*arguments)
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error
    assert str(tmp_path / "copy") in error
    assert not (tmp_path / "copy" / "was here").exists()


def test_other_mistakes_are_one_line(tmp_path, command, checkpoint):
    for arguments, said in (
        (("--checkpoint", tmp_path / "gone"), "no such folder or file"),
        (("--checkpoint", "x" * 300), "no such folder or file"),
        (("--checkpoint", checkpoint, "--device", "abacus"), "--device abacus: cannot be used"),
        (("--checkpoint", checkpoint, "--tracking-uri", "x"), "--tracking-uri goes with --run"),
    ):
        code, _, error = command("transcribe", "x.wav", *arguments)
        assert (code, error.count("\n")) == (2, 1)
        assert said in error


# --- runs -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(world: Path, brief: TrialConfig, tmp_path_factory) -> dict[str, str]:
    """Write a store with a sweep of two trials, one with a checkpoint: its URI, and ids of runs."""
    folder = transcribing.trained(world, brief.replace(transcribing.FRESH), tmp_path_factory)
    results = tmp_path_factory.mktemp("results of #1")
    uri = local_uri(results)
    tracker = Tracker(uri, results / "spool")
    ids = {"uri": uri, "sweep": tracker.start_sweep("x", "calm-otter", {}, {})}
    for trial in ("whole", "bare"):
        tracker.start_trial(trial, trial, {}, {})
    for name in (f"{BEST}.pt", f"{BEST}.json"):
        tracker.log_file("whole", folder / name, schema.BEST_CHECKPOINT_ARTIFACT)
    tracker.end_trial("bare", "FAILED", {schema.END_REASON: "failed"})
    assert tracker.flush(60)
    for trial in ("whole", "bare"):
        ids[trial] = tracker._store.run_id(trial, 0)
    assert tracker.close(60)
    return ids


def test_a_run_is_its_checkpoint(tmp_path, store, checkpoint, command):
    path = write_tones(tmp_path / "a.wav", 30_000)
    which = ("--run", store["whole"], "--tracking-uri", store["uri"])
    code, _, error = command("transcribe", path, *which, "--out", tmp_path / "run")
    assert (code, error) == (0, "")
    assert command("transcribe", path, "--checkpoint", checkpoint, "--out", tmp_path / "x")[0] == 0
    for name in ("a.csv", "a.mid", "a.png"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "x" / name).read_bytes()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("sweep", "is that of a whole sweep"),
        ("bare", "has no checkpoint in the store (failed)"),
        ("0123456789abcdef0123456789abcdef", "no run with the id"),
        ("../../etc", "no run with the id"),
    ],
)
def test_runs_without_a_network(store, command, run, said):
    which = ("--run", store.get(run, run), "--tracking-uri", store["uri"])
    code, _, error = command("transcribe", "x.wav", *which)
    assert (code, error.count("\n")) == (2, 1)
    assert said in error


def test_a_store_that_is_not_there_is_not_made(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.db").write_bytes(b"no database" * 100)
    files = (f"sqlite:///{tmp_path}/{name}.db" for name in ("x", "other", "x" * 300))
    for uri in (None, *files, "no/such", "x" * 300):
        named = () if uri is None else ("--tracking-uri", uri)
        code, _, error = command("transcribe", "x.wav", "--run", "0123", *named)
        assert (code, error.count("\n")) == (2, 1)
        assert "MLflow store" in error
    assert [p.name for p in tmp_path.iterdir()] == ["other.db"]


def test_a_server_that_does_not_answer(command):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
        code, _, error = command("transcribe", "x.wav", "--run", "0123", "--tracking-uri", uri)
    assert (code, error.count("\n")) == (2, 1)
    assert f"{uri}: no tracking server answers" in error
