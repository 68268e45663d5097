"""What ``import ssmpe`` offers: networks, and tables of sweeps."""

import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

import ssmpe
from ssmpe.data.files.audio import read_audio
from ssmpe.errors import DataError, UserError
from ssmpe.evaluation import inference
from ssmpe.tracking import schema
from ssmpe.tracking.stored.store import read_any, sweep_names
from ssmpe.tracking.tracker import Tracker
from ssmpe.training.checkpoint import BEST
from ssmpe.transcription.trained import load_trained, with_threads
from tests.support import transcribing
from tests.support.checkpoints import as_0_3_0_wrote
from tests.support.transcribing import write_tones

checkpoint, command = transcribing.checkpoint, transcribing.command
KEY = schema.set_metric("NSynth/valid", "f1_tuned")


@pytest.fixture
def sweeps(uri, tmp_path, checkpoint) -> str:
    """Fill a store with two sweeps; trials have weights, but for one; their scores differ.

    What a trial begins with, at batch 0, is another's.
    """
    trials: dict[str, list[tuple[str, int, tuple[float, ...]]]] = {
        "early-fox": [("Ref.", 0, (0.0, 0.9))],
        "calm-otter": [
            ("Ref.", 0, (0.0, 0.1, 0.5, 0.2)),
            ("Ref.", 1, (0.0, 0.3, 0.4)),
            ("T1/2", 0, (0.6, 0.45)),
            ("failed", 0, (0.0, 0.99)),
            ("decomposition", 0, (0.0, 0.8)),
        ],
    }
    for name, rows in trials.items():
        tracker = Tracker(uri, tmp_path / f"spool {name}")
        tracker.start_sweep("sample_count", name, {}, {})
        for row, seed, scores in rows:
            key = f"{row}{seed}"
            tags = {schema.ROW: row, schema.SEED: str(seed)}
            network = row if row == "decomposition" else "autoencoder"
            params = {"data.validation": "NSynth/valid", "model.network": network}
            tracker.start_trial(key, key, tags, params)
            for batch, score in enumerate(scores):
                tracker.log(key, batch, {KEY: score})
            for path in () if row == "failed" else sorted(checkpoint.glob(f"{BEST}.*")):
                tracker.log_file(key, path, schema.BEST_CHECKPOINT_ARTIFACT)
        assert tracker.close(60)
    return uri


def test_names_stand_for_the_best_network_of_what_they_name(sweeps, tmp_path, command):
    for asked, found in (
        (None, "calm-otter/Ref./0"),
        ("calm-otter", "calm-otter/Ref./0"),
        ("calm-otter/Ref.", "calm-otter/Ref./0"),
        ("calm-otter/Ref./1", "calm-otter/Ref./1"),
        ("calm-otter/T1/2", "calm-otter/T1/2/0"),
        ("calm-otter/decomposition", "calm-otter/decomposition/0"),
        ("calm-otter/T1/2/0", "calm-otter/T1/2/0"),
        ("early-fox", "early-fox/Ref./0"),
    ):
        network = ssmpe.load(asked, tracking_uri=sweeps, device="cpu")
        assert network.name.startswith(f"{found} (best F1 on its validation set: 0."), asked
    for asked, said in (
        (
            "calm-otter/failed",
            "no such trial with weights (rows that have: Ref., T1/2, decomposition)",
        ),
        ("calm-otter/Ref./2", "no such trial with weights"),
        ("calm", "no run with the id 'calm', and no sweep 'calm'"),
    ):
        with pytest.raises(UserError) as error:
            ssmpe.load(asked, tracking_uri=sweeps)
        assert said in str(error.value)
    audio = write_tones(tmp_path / "a.wav", 3000)
    given = ("transcribe", audio, "--tracking-uri", sweeps, "--out", tmp_path / "out")
    code, output, error = command(*given)
    assert (code, error) == (0, "")
    said = "network: calm-otter/Ref./0 (best F1 on its validation set: 0.500)"
    assert output.splitlines()[0] == said
    code, output, _ = command(*given, "--run", "calm-otter/Ref./1")
    assert code == 0
    assert "network: " not in output  # it was asked for


def test_a_folder_above_stands_for_the_best_checkpoint_below(tmp_path, checkpoint, command):
    above = tmp_path / "checkpoints" / "calm-otter"
    score = load_trained(checkpoint, "cpu").best_score
    for trial, batch, best in (("a", 2, 0.0), ("a", 4, score), ("a", 6, score), ("b", 6, 0.0)):
        folder = above / trial / f"{batch:08d}"
        shutil.copytree(checkpoint, folder)
        as_0_3_0_wrote(folder)
        for name in ("trial", BEST):
            file = folder / f"{name}.json"
            text = file.read_text().replace(f'"best_f1": {score}', f'"best_f1": {best}')
            file.write_text(text)
    shutil.copytree(above / "a" / "00000006", above / "c" / "00000006")
    file = above / "c" / "00000006" / f"{BEST}.json"
    text = file.read_text().replace(f'"best_f1": {score}', '"best_f1": 0.99')
    file.write_text(text.replace('"autoencoder"', '"decomposition"'))
    (above / "b" / "damaged").mkdir()
    (above / "b" / "damaged" / f"{BEST}.pt").write_bytes(b"")
    expected = above / "a" / "00000006"
    for folder in (above.parent, above, above / "a", expected):
        assert str(expected) in ssmpe.load(folder, device="cpu").name
    audio = write_tones(tmp_path / "a.wav", 3000)
    given = ("transcribe", audio, "--out", tmp_path / "out", "--checkpoint")
    code, output, _ = command(*given, above)
    assert (code, output.splitlines()[0].startswith(f"network: {expected} (best F1")) == (0, True)
    assert "network: " not in command(*given, expected)[1]


def test_a_network_gives_pitches_and_salience(tmp_path, checkpoint):
    path = write_tones(tmp_path / "a.wav", 60_000)
    network, trained = ssmpe.load(checkpoint, device="cpu"), load_trained(checkpoint, "cpu")
    rate = trained.config.geometry.sample_rate
    audio = torch.from_numpy(read_audio(path, rate))[None, None]
    features = inference.track_features(audio, trained.hcqt)
    expected = inference.salience(trained.network, features).numpy()
    samples, own_rate = soundfile.read(path, dtype="float32")
    found = network.salience(7 * samples, own_rate)
    assert np.allclose(found, expected, atol=1e-4)
    assert found.shape[0] == len(network.frequencies)
    pitches = network.transcribe(path)
    assert len(pitches.times) == len(pitches.f0s) == found.shape[1]
    assert pitches.times[1] == pytest.approx(1 / network.frame_rate)
    network.write(path, tmp_path / "out" / "made")
    assert len(list((tmp_path / "out" / "made").iterdir())) == 4
    assert ssmpe.load(checkpoint, threshold=0.25).threshold == 0.25
    for wrong in (np.zeros((2, 100)), np.zeros(0), np.array([np.nan])):
        with pytest.raises(UserError, match="expected finite mono samples"):
            network.salience(wrong)
    with pytest.raises(UserError, match="complex numbers"):
        network.salience(np.zeros(100, complex))
    for wrong_rate in (0.0, -8000.0, 0.5, math.nan, math.inf):
        with pytest.raises(UserError, match=f"sample_rate {wrong_rate}: expected"):
            network.salience(samples, wrong_rate)
    assert np.array_equal(network.salience(7 * samples, float(own_rate)), found)
    with pytest.raises(UserError, match=r"no/x\.npz: cannot be written \(No such file"):
        network.save(tmp_path / "no" / "x.npz")
    with pytest.raises(UserError, match="licence=3: expected a text"):
        network.save(tmp_path / "x.npz", licence=3)  # type: ignore[arg-type]
    with pytest.raises(DataError):
        network.transcribe(tmp_path / "gone.wav")


@pytest.mark.parametrize(
    ("n_weights", "asked", "expected"), [(1, None, 1), (1, 3, 3), (10**6, None, 2)]
)
def test_small_networks_compute_on_one_thread(n_weights, asked, expected):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with with_threads(torch.nn.Linear(n_weights, 1), asked):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_tables_are_tidy(report_store):
    latest = ssmpe.load_sweep(tracking_uri=report_store)
    assert not latest.sweep.trials
    assert "run" in latest.trials, "columns are there before the first trial"
    name = next(n for n in sweep_names(report_store) if read_any(report_store, n).trials)
    tables = ssmpe.load_sweep(name, tracking_uri=report_store)
    sweep = tables.sweep
    trials, curves, tracks = tables.trials, tables.curves, tables.tracks
    assert list(trials["run"]) == [trial.run_id for trial in sweep.trials]
    assert ssmpe.table(sweep.name, tracking_uri=report_store).equals(trials)
    name = sweep.sets[0]
    metric = schema.set_metric(name, "f1")
    for trial in sweep.trials:
        own = trials[trials["run"] == trial.run_id].iloc[0]
        assert (own["row"], own["seed"]) == (trial.row, trial.seed)
        assert own[metric] == pytest.approx(trial.final(name, "f1"), nan_ok=True)
        curve = curves[(curves["run"] == trial.run_id) & (curves["metric"] == metric)]
        assert list(curve["batch"]) == list(trial.curves[metric].steps)
        assert np.allclose(curve["value"], trial.curves[metric].values, equal_nan=True)
    assert list(tracks.columns) == ["row", "seed", "run", "set", "track", "measure", "value"]
    with pytest.raises(UserError, match="no sweep 'gone'"):
        ssmpe.load_sweep("gone", tracking_uri=report_store)


def test_importing_it_imports_nothing_slow():
    program = "import sys, ssmpe; print(ssmpe.__version__, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().split() == [ssmpe.__version__, "False"]
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        ssmpe.laod  # noqa: B018
