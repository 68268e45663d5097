"""Every quantity that the published program computed, computed again.

``SSMPE_GOLDEN=/path/to.npz`` checks another file of the same form instead.
"""

import os
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import torch

from ssmpe import units
from ssmpe.config import GeometryConfig, ModelConfig
from ssmpe.evaluation.scores import f1
from ssmpe.network.model import Autoencoder
from ssmpe.objectives import content
from ssmpe.objectives.base import bce, bce_negative, bce_positive
from ssmpe.signal.features import (
    energy_estimate,
    first_harmonic,
    frame_rms,
    harmonic_weights,
    scaled_decibels,
)
from ssmpe.signal.hcqt import HCQT
from ssmpe.signal.kernels import harmonic_positions
from ssmpe.signal.salience import blurred_target, decode, peaks
from ssmpe.signal.transforms import GeometricTransform, curve_bins, equalization_curves, equalize
from ssmpe.training.optimizer import lr_scale
from tests.support.published import load_published_state

FILE = Path(os.environ.get("SSMPE_GOLDEN", Path(__file__).parent / "golden" / "reference.npz"))
PAPER = GeometryConfig()
RELATIVE = 1e-4


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(FILE) as archive:
        return {key: archive[key] for key in archive}


@pytest.fixture(scope="module")
def hcqt(golden):
    audio = torch.from_numpy(golden["audio"])[:, None]
    return HCQT(PAPER, block_frames=int(golden["n_frames"]))(audio)


@pytest.fixture(scope="module")
def features(hcqt):
    return scaled_decibels(hcqt)


@pytest.fixture(scope="module")
def network(golden):
    published = Autoencoder(PAPER, ModelConfig(complexity=1))
    published.load_state_dict(load_published_state(golden))
    return published


def tensor(golden, key):
    return torch.from_numpy(golden[key])


def audible() -> np.ndarray:
    nyquist = units.hz_to_bin(PAPER.sample_rate / 2, PAPER.fmin, PAPER.bins_per_octave)
    return harmonic_positions(PAPER) <= nyquist


def close_where_loud(ours, theirs, rows) -> None:
    """Scaled decibels within 5e-3 for 99 % of the values above 0.1."""
    heard = (theirs > 0.1) & rows
    assert heard.sum() > 1000
    assert (np.abs(ours - theirs)[heard] < 5e-3).mean() >= 0.99


def test_frames(golden, hcqt):
    assert hcqt.shape[-1] == golden["n_frames"]


def test_hcqt_magnitude(golden, hcqt):
    theirs = golden["hcqt_magnitude"]
    ours = hcqt.abs()[..., golden["frames"]].numpy()
    largest = theirs.max(axis=(1, 2, 3), keepdims=True)
    assert (np.abs(ours - theirs) / largest)[:, audible()].max() < 1e-3


def test_bins_above_nyquist_are_silent_where_the_published_ones_alias(golden, hcqt):
    assert (~audible()).sum() == 117
    assert hcqt.abs().numpy()[:, ~audible()].max() == 0
    assert golden["hcqt_magnitude"][:, ~audible()].max() > 0


def test_scaled_decibels(golden, features):
    ours = features[..., golden["frames"]].numpy()
    close_where_loud(ours, golden["hcqt_scaled_decibels"], audible()[None, :, :, None])


def test_energy_target(golden, features):
    ours = energy_estimate(features, PAPER.harmonics)[..., golden["frames"]].numpy()
    close_where_loud(ours, golden["energy_target"], (np.arange(440) < 380)[None, :, None])


def test_first_harmonic_target(golden, features):
    ours = first_harmonic(features, PAPER)[..., golden["frames"]].numpy()
    close_where_loud(ours, golden["first_harmonic_target"], True)


def test_rms(golden):
    ours = frame_rms(tensor(golden, "audio")[:, None], PAPER.hop_length)
    np.testing.assert_allclose(ours, golden["rms"], rtol=RELATIVE, atol=1e-6)


def test_harmonic_weights(golden):
    ours = harmonic_weights(PAPER.harmonics)
    np.testing.assert_allclose(ours, golden["harmonic_weights"], rtol=RELATIVE)


def test_midi_frequencies(golden):
    hz = units.bin_to_hz(harmonic_positions(PAPER), PAPER.fmin, PAPER.bins_per_octave)
    np.testing.assert_allclose(units.hz_to_midi(hz), golden["midi_frequencies"], rtol=1e-6)


def test_model_logits(golden, network):
    with torch.no_grad():
        ours = network(tensor(golden, "model_input"))
    theirs = tensor(golden, "model_logits")
    assert (ours - theirs).norm() / theirs.norm() < RELATIVE
    torch.testing.assert_close(ours, theirs, rtol=RELATIVE, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("supervised", lambda x, g: bce(x, g["objective_target"])),
        ("energy", lambda x, g: bce(x, g["objective_energy_target"])),
        ("support", lambda x, g: bce_negative(x, g["objective_first_harmonic_target"])),
        ("harmonic", lambda x, g: bce_positive(x, g["objective_energy_target"])),
        ("sparsity", lambda x, g: x.sigmoid().sum(dim=1)),
        ("entropy", lambda x, g: content.entropy(x.sigmoid())),
        ("content", lambda x, g: content.content(x, PAPER)),
        ("contrastive", lambda x, g: content.contrastive(x.sigmoid())),
    ],
)
def test_loss_of_logits(golden, name, loss):
    tensors = {k: torch.from_numpy(np.asarray(golden[k])) for k in golden if k != "frames"}
    ours = float(loss(tensors["objective_logits"], tensors).mean())
    assert ours == pytest.approx(float(golden[f"loss/{name}"]), rel=RELATIVE)


def test_equalization(golden, network):
    curves = equalization_curves(
        tensor(golden, "equalization_alpha_unit"),
        tensor(golden, "equalization_beta_unit"),
        curve_bins(PAPER),
    )
    assert curves.shape[1] == golden["equalization_total_bins"]
    np.testing.assert_allclose(curves, golden["equalization_curves"], rtol=RELATIVE, atol=1e-6)
    equalized = equalize(tensor(golden, "objective_features"), curves, PAPER)
    np.testing.assert_allclose(
        equalized[..., ::5], golden["equalized_features"], rtol=RELATIVE, atol=1e-6
    )
    targets = tensor(golden, "objective_logits").sigmoid()
    with torch.no_grad():
        loss = bce(network(equalized), targets).mean()
    assert float(loss) == pytest.approx(float(golden["loss/timbre"]), rel=RELATIVE)


def test_geometric_transform(golden, network):
    transform = GeometricTransform(
        tensor(golden, "geometric_pitch_shift_bins"),
        tensor(golden, "geometric_time_shift_frames"),
        tensor(golden, "geometric_stretch").double(),
    )
    moved = transform(tensor(golden, "objective_features"))
    np.testing.assert_allclose(
        moved[..., ::5], golden["geometric_features"], rtol=RELATIVE, atol=1e-6
    )
    targets = transform(tensor(golden, "objective_logits").sigmoid())
    np.testing.assert_allclose(targets, golden["geometric_target"], rtol=RELATIVE, atol=1e-6)
    with torch.no_grad():
        loss = bce(network(moved), targets).mean()
    assert float(loss) == pytest.approx(float(golden["loss/geometric"]), rel=RELATIVE)


def notes_at(golden, times) -> list[np.ndarray]:
    onsets, offsets = golden["notes_interval_seconds"].T
    hz = units.midi_to_hz(golden["notes_midi"])
    return [hz[(onsets <= t) & (t < offsets)] for t in times]


def test_target(golden):
    ours = blurred_target(notes_at(golden, golden["target_frame_times"]), PAPER)
    np.testing.assert_allclose(ours, golden["target_salience"], rtol=RELATIVE, atol=1e-6)


def test_peaks(golden):
    ours = peaks(tensor(golden, "decode_salience")).numpy()
    np.testing.assert_array_equal(ours, golden["decode_peaks"])


def test_scores(golden):
    times = golden["target_frame_times"]
    estimate = decode(tensor(golden, "decode_salience"), PAPER)
    scores = mir_eval.multipitch.evaluate(times, notes_at(golden, times), times, estimate)
    theirs = {k.removeprefix("metric/"): v for k, v in golden.items() if k.startswith("metric/")}
    ours = {name.lower(): value for name, value in scores.items()}
    ours["f1-score"] = f1(ours["precision"], ours["recall"])
    assert theirs.keys() <= ours.keys()
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(float(value), rel=1e-9), name


def test_warmup(golden):
    theirs = golden["warmup_10_steps_lr_scale"]
    ours = [lr_scale(i + 1, 10) for i in range(len(theirs))]
    np.testing.assert_allclose(ours, theirs, rtol=RELATIVE)
