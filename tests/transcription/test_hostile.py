"""What ``transcribe`` and ``evaluate`` are given may be anybody's: it is refused in one line."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from ssmpe.config import TrialConfig
from ssmpe.transcription.trained import load_trained
from tests.support import confined, transcribing
from tests.support.checkpoints import as_0_3_0_wrote
from tests.support.transcribing import untrained, write_tones

command = transcribing.command


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, brief: TrialConfig) -> Path:
    """Write a checkpoint of a trial that has not been trained."""
    return untrained(tmp_path_factory.mktemp("trial") / "checkpoint", brief)


GEOMETRIES: dict[str, dict[str, object]] = {
    "a rate of ages": {"sample_rate": 1 << 40},
    "a rate beyond any": {"sample_rate": 50_000_000},
    "bins without end": {"bins_per_octave": 12 << 40},
    "kernels of hours": {"bins_per_octave": 12 << 20},
    "frames of ages": {"hop_length": 1 << 40, "excerpt_seconds": 1e9},
    "excerpts of ages": {"excerpt_seconds": 1e12},
    "excerpts of days": {"excerpt_seconds": 3e5},
    "excerpts beyond numbers": {"excerpt_seconds": 1e308},
    "frames of one sample": {"hop_length": 1, "excerpt_seconds": 2e4},
    "frequencies below any": {"fmin": 5e-324},
}


def test_geometries_that_would_exhaust_the_memory(tmp_path, weights):
    folders = []
    for name, geometry in GEOMETRIES.items():
        folders.append(as_0_3_0_wrote(shutil.copytree(weights, tmp_path / name)))
        plain = json.loads((folders[-1] / "best.json").read_text())
        plain["config"]["geometry"] |= geometry
        (folders[-1] / "best.json").write_text(json.dumps(plain))
    outcomes = confined.call(f"{__name__}:load", [(str(f),) for f in folders], tmp_path)
    for folder, outcome in zip(folders, outcomes, strict=True):
        assert outcome.error == "UserError", (folder, outcome)
        assert outcome.message.startswith(f"{folder}: weights and description do not fit (")
        assert "\n" not in outcome.message
        assert outcome.seconds < 10


def load(folder: str) -> object:
    """Load a checkpoint; called in the confined process."""
    return load_trained(Path(folder), "cpu")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path, weights, command, value):
    folder = as_0_3_0_wrote(shutil.copytree(weights, tmp_path / "copy"))
    tensors = torch.load(folder / "best.pt", weights_only=True)
    list(tensors.values())[3].view(-1)[0] = value
    torch.save(tensors, folder / "best.pt")
    for arguments in (("transcribe", "x.wav"), ("evaluate",)):
        code, output, error = command(*arguments, "--checkpoint", folder)
        assert (code, output) == (2, "")
        assert error.startswith(f"error: {folder / 'best.pt'}: not a usable checkpoint (")
        assert error.endswith(" has values that are not finite)\n")


def test_what_is_no_file_is_refused_and_the_others_are_transcribed(tmp_path, weights, command):
    pipe, link, good = tmp_path / "pipe.wav", tmp_path / "zero.wav", tmp_path / "good.wav"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    write_tones(good, 2000)
    out = tmp_path / "out"
    arguments = ("--checkpoint", weights, "--out", out)
    code, output, error = command("transcribe", pipe, link, good, *arguments)
    assert code == 2
    assert error == "".join(
        f"error: {path}: is no regular file, and is to be read three times\n"
        for path in (pipe, link)
    )
    assert output.startswith(f"{good}: 0.1 s, ")


def test_outputs_that_cannot_be_are_told_before_the_work(tmp_path, weights, command):
    long = write_tones(tmp_path / "x.wav", 2000).rename(tmp_path / f"{'x' * 251}.wav")
    longest = tmp_path / "y.wav"
    shutil.copy(long, longest)
    longer = longest.rename(tmp_path / f"{'y' * 252}.oga"[:255])
    out = tmp_path / "out"
    out.mkdir()
    os.mkfifo(out / "z.mid")
    piped = shutil.copy(long, tmp_path / "z.wav")
    arguments = ("--checkpoint", weights, "--out", out)
    code, output, error = command("transcribe", long, longer, piped, *arguments)
    assert code == 2
    assert output.startswith(str(long))
    assert error.splitlines() == [
        f"error: {longer}: cannot be written to {out} (File name too long)",
        f"error: {piped}: cannot be written to {out} (z.mid is no file)",
    ]
    assert {name[0] for name in os.listdir(out)} == {"x", "z"}
