"""A trained network as one file: the same pitches, refused if damaged, readable without us."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import ssmpe
from ssmpe.errors import UserError
from ssmpe.transcription import network_file
from ssmpe.transcription.network_file import DESCRIPTION, SHIPPED
from ssmpe.transcription.trained import load_trained
from tests.support import transcribing
from tests.support.transcribing import write_tones

checkpoint, command = transcribing.checkpoint, transcribing.command


@pytest.fixture
def file(checkpoint, tmp_path):
    path = tmp_path / "mine.npz"
    ssmpe.load(checkpoint, device="cpu").save(path, licence="CC0")
    return path


def test_it_gives_what_the_checkpoint_gives(checkpoint, file, tmp_path, command):
    own, before = (ssmpe.load(place, device="cpu") for place in (file, checkpoint))
    assert own.threshold == before.threshold
    assert own.origin["licence"] == "CC0"
    song = write_tones(tmp_path / "song.wav", 4 * 22_050)
    found, expected = (network.transcribe(song) for network in (own, before))
    assert len(found.f0s) > 80
    assert all(np.array_equal(a, b) for a, b in zip(found.f0s, expected.f0s, strict=True))
    for name, place in (("a", file), ("b", checkpoint)):
        code, _, error = command(
            "transcribe", song, "--checkpoint", place, "--out", tmp_path / name
        )
        assert (code, error) == (0, "")
    for written in (tmp_path / "a").glob("song.[!p]*"):
        assert written.read_bytes() == (tmp_path / "b" / written.name).read_bytes()
    again = tmp_path / "again.npz"
    ssmpe.load(file, device="cpu", threshold=0.9).save(again)
    last = ssmpe.load(again, device="cpu")
    assert last.origin["licence"] == "CC0"
    assert last.threshold == before.threshold


def test_without_a_run_the_network_is_the_package_s(checkpoint, tmp_path, monkeypatch, command):
    song = write_tones(tmp_path / "song.wav", 4 * 22_050)
    monkeypatch.chdir(tmp_path)
    code, output, error = command("transcribe", song)
    assert (code, error) == (0, "")
    own = ssmpe.load(device="cpu")
    assert output.startswith(f"network: {own.name}\n")
    assert own.name.startswith("the one that comes with ssmpe (shipped-")
    written = (tmp_path / "transcriptions" / "song.mid").read_bytes()
    (tmp_path / "results").mkdir()
    (tmp_path / "shipped").mkdir()  # of that name, but no network
    assert ssmpe.load(device="cpu").name == ssmpe.load("shipped", device="cpu").name == own.name
    (tmp_path / "results" / "mlflow.db").touch()  # of sweeps, whose networks now come first
    code, _, error = command("transcribe", song)
    assert (code, error.count("\n")) == (2, 1)
    with pytest.raises(UserError, match="--tracking-uri goes with runs of a store"):
        ssmpe.load("shipped", tracking_uri="sqlite:///x.db", device="cpu")
    code, _, error = command("transcribe", song, "--run", "shipped", "--out", "again")
    assert (code, error) == (0, "")
    assert (tmp_path / "again" / "song.mid").read_bytes() == written


def test_the_shipped_network_is_small_and_hears_a_chord(tmp_path):
    """Four tones like those of a flute, an E flat major seventh."""
    assert SHIPPED.stat().st_size < 5_000_000
    rate, seconds = 22_050, 3.0
    hz = 440.0 * 2.0 ** ((np.array([51, 55, 58, 62]) - 69) / 12)
    time = np.arange(int(rate * seconds)) / rate
    partials = [np.sin(2 * np.pi * h * f0 * time) / h**2 for h in range(1, 7) for f0 in hz]
    soundfile.write(tmp_path / "chord.wav", 0.1 * np.sum(partials, axis=0), rate)
    found = ssmpe.load("shipped", device="cpu").transcribe(tmp_path / "chord.wav")
    inner = [f for t, f in zip(found.times, found.f0s, strict=True) if 0.5 < t < 2.5]
    exact = [f for f in inner if len(f) == 4 and np.allclose(f, hz, rtol=0.03)]
    assert len(exact) > 0.8 * len(inner)


def test_numpy_alone_reads_it(file):
    with np.load(file, allow_pickle=False) as arrays:
        described = json.loads(arrays[DESCRIPTION].tobytes().decode())
        weights = {name: arrays[name] for name in arrays.files if name != DESCRIPTION}
    network = load_trained(file, "cpu").network
    assert {n: w.shape for n, w in network.state_dict().items()} == {
        n: w.shape for n, w in weights.items()
    }
    assert described["config"]["data"]["validation"] == "NSynth/valid"


def test_every_flipped_bit_is_refused_or_changes_nothing(file, tmp_path):
    whole, description = file.read_bytes(), network_file.read(file)[0]
    wanted = network_file.read(file)[1]
    damaged, refused = tmp_path / "damaged.npz", 0
    for position in np.random.default_rng(0).integers(0, 8 * len(whole), 150):
        content = bytearray(whole)
        content[position // 8] ^= 1 << position % 8
        damaged.write_bytes(content)
        try:
            described, tensors = network_file.read(damaged)
        except UserError as error:
            refused += f"{damaged}: no usable network (" in str(error)
        else:  # bits of the archive that say nothing, as times
            assert described == description
            assert all(torch.equal(wanted[name], w) for name, w in tensors.items())
            assert tensors.keys() == wanted.keys()
    assert refused > 100
    damaged.write_bytes(whole[:-100])
    with pytest.raises(UserError, match="no usable network"):
        load_trained(damaged, "cpu")


def test_what_claims_to_be_large_takes_no_memory(file, tmp_path):
    header = io.BytesIO()
    huge = {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(header, huge)
    bad = tmp_path / "bad.npz"
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("weight.npy", header.getvalue())
    with pytest.raises(UserError, match=r"weight.npy is not of the size that it claims"):
        load_trained(bad, "cpu")
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weight.npy", bytes(10**7))
    with pytest.raises(UserError, match=r"weight.npy is compressed"):
        load_trained(bad, "cpu")
    np.savez(bad, weight=np.array([{"any": "thing"}], object), allow_pickle=True)
    with pytest.raises(UserError, match="no usable network"):
        load_trained(bad, "cpu")
    np.savez(bad, weight=np.zeros(3, ">f4"), description=np.load(file)["description"])
    with pytest.raises(UserError, match=r"no usable network .*byte order"):
        load_trained(bad, "cpu")
    described, tensors = network_file.read(file)
    first = max(tensors, key=lambda name: tensors[name].ndim)
    network_file.write(bad, {**tensors, first: torch.full_like(tensors[first], np.nan)}, described)
    with pytest.raises(UserError, match="not finite"):
        load_trained(bad, "cpu")
    network_file.write(bad, {**tensors, first: tensors[first][:1, :1]}, described)
    with pytest.raises(UserError, match=rf"{bad}: weights and description do not fit"):
        load_trained(bad, "cpu")


def test_a_name_without_its_suffix_is_refused(checkpoint, tmp_path, command):
    code, _, error = command("transcribe", "x.wav", "--checkpoint", tmp_path / "no.npz")
    assert (code, error.count("\n")) == (2, 1)
    assert f"{tmp_path / 'no.npz'}: no usable network ([Errno 2] No such file" in error
    with pytest.raises(UserError, match=r"mine.pt: a network's own file is called NAME.npz"):
        ssmpe.load(checkpoint, device="cpu").save(tmp_path / "mine.pt")
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine.npz").symlink_to("/dev/null")
    ssmpe.load(checkpoint, device="cpu").save(tmp_path / "mine.npz")
    assert Path("/dev/null").is_char_device(), "replaced by a file"
