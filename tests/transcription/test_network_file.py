"""A trained network as one file: the same pitches, refused if damaged, readable without us."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch

import ssmpe
from ssmpe.errors import UserError
from ssmpe.transcription import network_file
from ssmpe.transcription.network_file import DESCRIPTION
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
    own.save(again)
    assert ssmpe.load(again, device="cpu").origin["licence"] == "CC0"


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
    described, tensors = network_file.read(file)
    first = max(tensors, key=lambda name: tensors[name].ndim)
    network_file.write(bad, {**tensors, first: torch.full_like(tensors[first], np.nan)}, described)
    with pytest.raises(UserError, match="not finite"):
        load_trained(bad, "cpu")
    network_file.write(bad, {**tensors, first: tensors[first][:1, :1]}, described)
    with pytest.raises(UserError, match=rf"{bad}: weights and description do not fit"):
        load_trained(bad, "cpu")


def test_a_name_without_its_suffix_is_refused(checkpoint, tmp_path):
    with pytest.raises(UserError, match=r"mine.pt: a network's own file is called NAME.npz"):
        ssmpe.load(checkpoint, device="cpu").save(tmp_path / "mine.pt")
    assert not list(tmp_path.iterdir())
