"""Salience of recordings that are never in memory as a whole: the numbers of those that are."""

import numpy as np
import pytest
import soundfile
import torch

from ssmpe.data.files.audio import read_audio
from ssmpe.evaluation.inference import (
    CHUNK_FRAMES,
    CONTEXT_FRAMES,
    chunks,
    salience,
    track_features,
)
from ssmpe.network.model import Autoencoder
from ssmpe.signal.features import first_harmonic
from ssmpe.signal.hcqt import HCQT
from ssmpe.transcription.streaming import Recording
from tests.support.transcribing import write_tones


@pytest.fixture(scope="module")
def hcqt(geometry):
    return HCQT(geometry)


@pytest.fixture(scope="module")
def network(brief):
    """Random weights, larger than usual, so that it looks as far as it can."""
    torch.manual_seed(0)
    network = Autoencoder(brief.geometry, brief.model).channels_last().eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "residuals" in name:
                weight.mul_(4)
    return network


def streamed(path, network, hcqt):
    """Salience (F, T) and first harmonic (F, T) of all pieces, which must join up."""
    recording = Recording(path, hcqt, "cpu", lambda *_: None)
    pieces = list(recording.pieces(network))
    ends = np.cumsum([0, *(p.salience.shape[-1] for p in pieces)])
    assert [p.start for p in pieces] == ends[:-1].tolist()
    assert ends[-1] == recording.n_frames
    assert all(p.salience.shape == p.features.shape for p in pieces)
    joined = (torch.cat([getattr(p, a) for p in pieces], -1) for a in ("salience", "features"))
    return tuple(joined)


def whole(path, network, hcqt):
    g = hcqt.geometry
    audio = torch.from_numpy(read_audio(path, g.sample_rate))[None, None]
    features = track_features(audio, hcqt)
    return salience(network, features), first_harmonic(features, g)[0], features


def frames(n: int) -> int:
    """Return how many samples at 22,050 Hz make n frames of the preset tiny."""
    return (n - 1) * 1024


@pytest.mark.parametrize(
    "n_samples",
    [
        1,
        frames(20),
        frames(24) + 1023,  # about the longest that one transform takes
        frames(30),
        frames(45) + 17,
        frames(CHUNK_FRAMES),
        frames(CHUNK_FRAMES) + 1023,
        frames(CHUNK_FRAMES + 1),
        frames(CHUNK_FRAMES + CONTEXT_FRAMES + 1),
        frames(2 * CHUNK_FRAMES + 300) + 512,
    ],
)
def test_pieces_are_those_of_the_whole_bit_for_bit(tmp_path, network, hcqt, n_samples):
    path = write_tones(tmp_path / "x.wav", n_samples)
    ours, shown = streamed(path, network, hcqt)
    expected, features, _ = whole(path, network, hcqt)
    assert torch.equal(shown, features)
    assert torch.equal(ours, expected)


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (48_000, 1), (8_000, 1)])
def test_other_rates_and_channels(tmp_path, network, hcqt, rate, channels):
    """Also where decoding and resampling come in blocks."""
    path = write_tones(tmp_path / "x.wav", 20 * rate, rate, channels)
    assert torch.equal(streamed(path, network, hcqt)[0], whole(path, network, hcqt)[0])


@torch.no_grad()
def test_chunks_are_those_of_one_pass_through_the_network(tmp_path, network, hcqt):
    path = write_tones(tmp_path / "x.wav", frames(2 * CHUNK_FRAMES + 90))
    ours, _ = streamed(path, network, hcqt)
    at_once = torch.sigmoid(network(whole(path, network, hcqt)[2])[0])
    assert (ours - at_once).abs().max() < 1e-5
    # with less context than the receptive field, they would not be
    features = whole(path, network, hcqt)[2][..., CHUNK_FRAMES - CONTEXT_FRAMES // 2 :]
    starved = torch.sigmoid(network(features)[0])[:, CONTEXT_FRAMES // 2]
    assert (starved - at_once[:, CHUNK_FRAMES]).abs().max() > 1e-3


def test_context_is_half_the_receptive_field(network, geometry):
    """A frame of the output hangs on that many frames to either side, and on no more."""
    n = 2 * CONTEXT_FRAMES + 41
    torch.manual_seed(1)
    features = torch.rand(1, geometry.n_harmonics, geometry.n_bins, n, requires_grad=True)
    # in double precision: far out, few and thin paths lead to the frame
    logits = network.double()(features.double())
    logits[..., n // 2].square().sum().backward()
    network.float()
    assert features.grad is not None
    reached = features.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert reached[0] == n // 2 - CONTEXT_FRAMES
    assert reached[-1] == n // 2 + CONTEXT_FRAMES
    assert len(reached) == 2 * CONTEXT_FRAMES + 1


def test_levels_are_the_whole_recording_s(tmp_path, network, hcqt, geometry):
    """A loud last second changes what the beginning looks like."""
    quiet = 0.01 * np.sin(2 * np.pi * 440 * np.arange(60 * 22_050) / 22_050)
    loud = 100 * quiet[: 2 * 22_050]
    soundfile.write(tmp_path / "a.wav", quiet, 22_050, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", np.concatenate([quiet, loud]), 22_050, subtype="FLOAT")
    alone = streamed(tmp_path / "a.wav", network, hcqt)[1][:, 100]
    before = streamed(tmp_path / "b.wav", network, hcqt)[1][:, 100]
    k = int(np.abs(geometry.bin_frequencies - 440).argmin())
    assert alone[k] == pytest.approx(1, abs=1e-3)
    assert before[k] == pytest.approx(1 - 40 / 80, abs=1e-3)  # 40 dB below


def test_silence(tmp_path, network, hcqt):
    soundfile.write(tmp_path / "x.wav", np.zeros(3 * 22_050), 22_050)
    ours, shown = streamed(tmp_path / "x.wav", network, hcqt)
    assert not shown.any()
    assert torch.equal(ours, whole(tmp_path / "x.wav", network, hcqt)[0])


def test_progress_is_in_seconds_and_ends_full(tmp_path, network, hcqt):
    path = write_tones(tmp_path / "x.wav", 29 * 22_050 + 1)
    steps = []
    recording = Recording(path, hcqt, "cpu", lambda *step: steps.append(step))
    list(recording.pieces(network))
    for what in ("reading", "measuring", "transcribing"):
        done = [(n, total) for name, n, total in steps if name == what]
        assert done == sorted(done)
        assert done[-1] == (30, 30)


def test_chunks_cover_every_frame_once():
    for n in (1, CHUNK_FRAMES, CHUNK_FRAMES + 1, 3 * CHUNK_FRAMES):
        found = list(chunks(n))
        assert np.concatenate([np.arange(c.start, c.stop) for c in found]).tolist() == [*range(n)]
        assert all(0 <= c.left <= c.start < c.stop <= c.right <= n for c in found)
