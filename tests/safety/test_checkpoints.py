"""Checkpoints that may be anybody's: they run nothing and take no more memory than they have.

That payloads of pickles do not run is among the damages of ``test_transcribe``; here, what PyTorch
would load all the same.
"""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pytest
import torch

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.network.model import Autoencoder
from ssmpe.training import checkpoint
from ssmpe.training.checkpoint import load_plain, load_tensors
from ssmpe.training.trial_files import BEST
from ssmpe.transcription.trained import load_trained
from tests.support import confined

ENORMOUS = 1 << 34
"""bytes"""


class Call:
    """Unpickled, it is what a function returns; the functions are such as PyTorch allows."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.reduced


def deflated(path: Path) -> None:
    """Zeros that are packed, as PyTorch never writes but does read."""
    plain = io.BytesIO()
    torch.save({"w": torch.zeros(1 << 26)}, plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in source.namelist():
            packed.writestr(name, source.read(name))
    assert path.stat().st_size < 1_000_000


def resized(path: Path) -> None:
    """A tensor that claims to be larger than its storage."""
    plain = io.BytesIO()
    torch.save({"w": torch.zeros(250)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as changed:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("data.pkl"):
                size = b"K\xfa\x85"  # of the tensor, a tuple of one byte
                assert content.count(size) == 1
                content = content.replace(size, b"J\xff\xff\xff\x7f\x85")
            changed.writestr(name, content)


CRAFTED: dict[str, Callable[[Path], object]] = {
    "array of bytes": lambda path: torch.save(Call(bytearray, ENORMOUS), path),
    "arrays in a state": lambda path: torch.save({"w": [Call(bytearray, ENORMOUS)]}, path),
    "deflated zeros": deflated,
    "no archive": lambda path: torch.save(
        Call(bytearray, ENORMOUS), path, _use_new_zipfile_serialization=False
    ),
    "tensor beyond its storage": resized,
    "sparse tensor": lambda path: torch.save(torch.zeros(3).to_sparse(), path),
}


def test_crafted_tensors_are_refused_before_they_are_loaded(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in CRAFTED}
    for name, folder in folders.items():
        folder.mkdir()
        CRAFTED[name](folder / "best.pt")
    calls = [(str(folder),) for folder in folders.values()]
    for folder, outcome in zip(
        folders.values(), confined.call(f"{__name__}:load", calls, tmp_path), strict=True
    ):
        assert outcome.error == "UserError", (folder, outcome)
        assert outcome.message.startswith(f"{folder / 'best.pt'}: not a usable checkpoint (")
        assert "memory" not in outcome.message
        assert "\n" not in outcome.message


def load(folder: str) -> Any:
    """Called in the confined process."""
    return load_tensors(Path(folder), "best")


def test_data_in_data_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "trial.json").write_text('{"format":' * 100_000)
    with pytest.raises(UserError, match=r"trial\.json: not a usable checkpoint \("):
        load_plain(tmp_path)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, brief: TrialConfig) -> Path:
    """A checkpoint of a trial that has not been trained."""
    folder = tmp_path_factory.mktemp("trial") / "checkpoint"
    plain = {"config": brief.to_dict(), "best_f1": 0.5, "best_batch": 6}
    weights = Autoencoder(brief.geometry, brief.model).state_dict()
    checkpoint.save(folder, {BEST: weights}, {BEST: plain})
    load_trained(folder, "cpu")
    return folder


def described(folder: Path, **geometry: object) -> None:
    path = folder / "best.json"
    plain = json.loads(path.read_text())
    plain["config"]["geometry"] |= geometry
    path.write_text(json.dumps(plain))


def swollen(folder: Path) -> None:
    """Weights as large as they are described, made of one number."""
    geometry = {"n_bins": 1 << 24, "bins_per_octave": 12 << 20}
    described(folder, **geometry)
    config = TrialConfig.from_dict(json.loads((folder / "best.json").read_text())["config"])
    with torch.device("meta"):
        shapes = Autoencoder(config.geometry, config.model).state_dict()
    torch.save({k: torch.zeros(1).expand(t.shape) for k, t in shapes.items()}, folder / "best.pt")


DESCRIBED: dict[str, Callable[[Path], object]] = {
    "more bins than weights": lambda f: described(f, n_bins=1 << 30, bins_per_octave=12 << 26),
    "weights of one number": swollen,
}


def test_a_network_is_no_larger_than_its_file(tmp_path: Path, trial: Path) -> None:
    folders = [tmp_path / name for name in DESCRIBED]
    for folder, change in zip(folders, DESCRIBED.values(), strict=True):
        shutil.copytree(trial, folder)
        change(folder)
    calls = [(str(folder),) for folder in folders]
    for folder, outcome in zip(
        folders, confined.call(f"{__name__}:apply", calls, tmp_path), strict=True
    ):
        assert outcome.error == "UserError", (folder, outcome)
        assert outcome.message.startswith(f"{folder}: weights and description do not fit (")
        assert "memory" not in outcome.message
        assert "\n" not in outcome.message


def apply(folder: str) -> Any:
    """Called in the confined process."""
    return load_trained(Path(folder), "cpu")


def test_links_in_a_checkpoint_lead_to_one_line(tmp_path: Path, trial: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    for name in ("best.pt", "best.json"):
        folder = tmp_path / name.replace(".", "-")
        shutil.copytree(trial, folder)
        (folder / name).unlink()
        (folder / name).symlink_to(secret)
        with pytest.raises(UserError, match="not a usable checkpoint") as error:
            load_trained(folder, "cpu")
        assert "hunter2" not in str(error.value)


def test_a_model_of_mlflow_runs_nothing_of_its_weights(tmp_path: Path, trial: Path) -> None:
    from ssmpe.tracking.mlmodel import describe

    folder = tmp_path / "model"
    shutil.copytree(trial, folder)
    describe(folder)
    mlflow.pyfunc.load_model(str(folder))
    torch.save(Call(Path.touch, tmp_path / "was here"), folder / "best.pt")
    with pytest.raises(UserError, match="not a usable checkpoint"):
        mlflow.pyfunc.load_model(str(folder))
    assert not (tmp_path / "was here").exists()
