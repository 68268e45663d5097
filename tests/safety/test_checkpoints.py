"""Checkpoints that may be anybody's: they run nothing and take no more memory than they have.

That payloads of pickles do not run is among the damages of ``test_transcribe``; here, what PyTorch
would load all the same.
"""

import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pytest
import torch

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.evaluation.scores import SetScores, TrackScores
from ssmpe.network.model import Autoencoder
from ssmpe.signal.notes import NoteRule
from ssmpe.training import checkpoint
from ssmpe.training.checkpoint import BEST, Best, load_plain, load_tensors
from ssmpe.training.optimizer import optimizer_of
from ssmpe.transcription.trained import load_trained
from tests.support import confined
from tests.support.checkpoints import as_0_3_0_wrote, flip_one_bit

ENORMOUS = 1 << 34
"""bytes"""


class Call:
    """Unpickled, it is what a function returns; the functions are such as PyTorch allows."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.reduced


def deflated(path: Path) -> None:
    """Write packed zeros, as PyTorch never writes but does read."""
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
    """Write a tensor that claims to be larger than its storage."""
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
    """Run in the confined process."""
    return load_tensors(Path(folder), "best")


def test_data_in_data_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "trial.json").write_text('{"format":' * 100_000)
    with pytest.raises(UserError, match=r"trial\.json: not a usable checkpoint \("):
        load_plain(tmp_path)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, brief: TrialConfig) -> Path:
    """Return a checkpoint of a trial that has not been trained."""
    folder = tmp_path_factory.mktemp("trial") / "checkpoint"
    plain = {"config": brief.to_dict(), "best_f1": 0.5, "best_batch": 6}
    weights = Autoencoder(brief.geometry, brief.model).state_dict()
    checkpoint.save(folder, {BEST: weights}, {BEST: plain})
    load_trained(folder, "cpu")
    return folder


def described(folder: Path, **settings: object) -> None:
    """Change settings in the description, named by group__setting."""
    path = folder / "best.json"
    plain = json.loads(path.read_text())
    for place, value in settings.items():
        group, name = place.split("__")
        plain["config"][group][name] = value
    path.write_text(json.dumps(plain))


def swollen(folder: Path) -> None:
    """Write weights as large as they are described, made of one number."""
    described(folder, model__complexity=6, geometry__n_bins=800)
    config = TrialConfig.from_dict(json.loads((folder / "best.json").read_text())["config"])
    with torch.device("meta"):
        shapes = Autoencoder(config.geometry, config.model).state_dict()
    torch.save({k: torch.zeros(1).expand(t.shape) for k, t in shapes.items()}, folder / "best.pt")


DESCRIBED: dict[str, tuple[Callable[[Path], object], str]] = {
    "more bins than weights": (
        lambda f: described(f, geometry__n_bins=1 << 30, geometry__bins_per_octave=12 << 26),
        "geometry.n_bins = 1073741824: expected ",
    ),
    "a larger network than weights": (
        lambda f: described(f, model__complexity=6, geometry__n_bins=800),
        "is not of shape",
    ),
    "weights of one number": (swollen, "larger than the file"),
    "kernels without end": (
        lambda f: described(f, geometry__bins_per_octave=1200),
        "samples of the longest kernel = ",
    ),
    "many frames": (
        lambda f: described(f, geometry__hop_length=1, geometry__excerpt_seconds=500.0),
        "geometry: ",
    ),
    "a day's excerpt": (
        lambda f: described(f, geometry__excerpt_seconds=86_400.0),
        "geometry.excerpt_seconds = 86400.0: expected ",
    ),
}


def test_a_network_is_no_larger_than_its_file(tmp_path: Path, trial: Path) -> None:
    folders = [tmp_path / name for name in DESCRIBED]
    for folder, (change, _) in zip(folders, DESCRIBED.values(), strict=True):
        shutil.copytree(trial, folder)
        change(as_0_3_0_wrote(folder))
    calls = [(str(folder),) for folder in folders]
    for folder, outcome in zip(
        folders, confined.call(f"{__name__}:apply", calls, tmp_path), strict=True
    ):
        assert outcome.error == "UserError", (folder, outcome)
        assert outcome.message.startswith(f"{folder}: weights and description do not fit (")
        assert DESCRIBED[folder.name][1] in outcome.message
        assert "memory" not in outcome.message
        assert "\n" not in outcome.message


def apply(folder: str) -> Any:
    """Run in the confined process."""
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
    as_0_3_0_wrote(folder)  # by sums, it would be refused for having changed at all
    describe(folder)
    mlflow.pyfunc.load_model(str(folder))
    torch.save(Call(Path.touch, tmp_path / "was here"), folder / "best.pt")
    with pytest.raises(UserError, match="not a usable checkpoint"):
        mlflow.pyfunc.load_model(str(folder))
    assert not (tmp_path / "was here").exists()


# --- flipped bits -----------------------------------------------------------------------------

FLIPS = 240


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, brief: TrialConfig) -> Path:
    """Return a checkpoint of a trial after a step, as ``Trainer.save`` writes it."""
    folder = tmp_path_factory.mktemp("whole") / "checkpoint"
    network = Autoencoder(brief.geometry, brief.model)
    optimizer = optimizer_of(network, brief.training, "cpu")
    network(torch.rand(1, 6, brief.geometry.n_bins, 8)).sum().backward()
    optimizer.step()
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
    best, scores = Best(), TrackScores(0.5, 0.5, 0.5, 0.1, 0.6, 2.0, f1_tuned=0.6)
    assert best.take_if_better(SetScores("URMP/validation", scores, {}, 0.3), 6, network)
    checkpoint.write(folder, brief, state, best, {"batch": 6})
    return folder


def flipped(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield a file ``FLIPS`` times, in which a single bit is another than it was written."""
    rng = random.Random(1)
    for _ in range(FLIPS):
        path = folder / rng.choice(names)
        content = path.read_bytes()
        flip_one_bit(path, rng)
        yield path
        path.write_bytes(content)


def test_no_flipped_bit_is_transcribed_with(tmp_path: Path, trial: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(trial, folder)
    for path in flipped(folder, ("best.pt", "best.json")):
        with pytest.raises(UserError, match=rf"^{path}: not a usable checkpoint \(") as error:
            load_trained(folder, "cpu")
        assert "\n" not in str(error.value)
    load_trained(folder, "cpu")


def test_no_flipped_bit_is_trained_on(tmp_path: Path, whole: Path, brief: TrialConfig) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    for path in flipped(folder, ("trial.json", "state.pt", "best.pt")):
        with pytest.raises(UserError, match=rf"^{path}: not a usable checkpoint \("):
            checkpoint.read(folder, brief, "cpu")
    checkpoint.read(folder, brief, "cpu")


def test_no_flipped_bit_is_inherited(tmp_path: Path, whole: Path, brief: TrialConfig) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    for path in flipped(folder, ("best.json", "best.pt")):
        with pytest.raises(UserError, match=rf"^{path}: not a usable checkpoint \("):
            checkpoint.best_weights(folder, brief.identity, "cpu")
    checkpoint.best_weights(folder, brief.identity, "cpu")


def test_no_flipped_bit_changes_a_tensor_that_0_3_0_wrote(
    tmp_path: Path, whole: Path, brief: TrialConfig
) -> None:
    """Which has no sums of its own: those of the archive cover whatever is read of it."""
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    _, state, best = checkpoint.read(as_0_3_0_wrote(folder), brief, "cpu")
    written = {"state.pt": tensors_of(state), "best.pt": tensors_of(best.weights)}
    refused = 0
    for path in flipped(folder, ("state.pt", "best.pt")):
        try:
            found = tensors_of(load_tensors(folder, path.stem))
        except UserError:
            refused += 1
        else:
            for ours, theirs in zip(found, written[path.name], strict=True):
                assert torch.equal(ours, theirs)
    assert refused > 0.9 * FLIPS


def tensors_of(content: Any) -> list[torch.Tensor]:
    return [tensor for _, tensor in checkpoint._tensors_in(content, "")]


# --- values that are none ---------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(
    tmp_path: Path, brief: TrialConfig, value: float
) -> None:
    """Written by whoever can write sums that fit."""
    weights = Autoencoder(brief.geometry, brief.model).state_dict()
    weights["decoder.output.weight"].view(-1)[3] = value
    plain = {"config": brief.to_dict(), "best_f1": 0.5, "best_batch": 6}
    checkpoint.save(tmp_path / "checkpoint", {BEST: weights}, {BEST: plain})
    said = r"best\.pt: not a usable checkpoint \(best: decoder\.output\.weight has values that are"
    for load in (
        lambda folder: load_trained(folder, "cpu"),
        lambda folder: checkpoint.best_weights(folder, brief.identity, "cpu"),
    ):
        with pytest.raises(UserError, match=said):
            load(tmp_path / "checkpoint")


def test_weights_without_names_are_refused(tmp_path: Path, brief: TrialConfig) -> None:
    checkpoint.save(
        tmp_path / "checkpoint", {BEST: torch.zeros(3)}, {BEST: {"config": brief.to_dict()}}
    )
    with pytest.raises(UserError, match=r"best\.pt: not a usable checkpoint"):
        checkpoint.best_weights(tmp_path / "checkpoint", brief.identity, "cpu")


SCORED = {"best_f1": 0.5, "best_batch": 6}
RULE = asdict(NoteRule())
DESCRIPTIONS: dict[str, Any] = {
    "nothing": {},
    "no configuration": {"best_f1": 0.5, "best_batch": 6},
    "a configuration that is none": {"config": 3, "best_f1": 0.5, "best_batch": 6},
    "settings that are none": {"config": {"geometry": []}, "best_f1": 0.5, "best_batch": 6},
    "scores that are none": {"best_f1": "high", "best_batch": None},
    "scores by no measure": {**SCORED, "best_by": "quality"},
    "scores at no threshold": {**SCORED, "best_threshold": "low"},
    "scores at a threshold beyond any": {**SCORED, "best_threshold": 1.5},
    "scores of notes by no rule": {**SCORED, "best_notes": {"on": 0}},
    "scores of notes by a rule that is none": {**SCORED, "best_notes": [1]},
    "scores of notes by one of no numbers": {**SCORED, "best_notes": dict.fromkeys(RULE, "0")},
    "scores of notes by one beyond any": {**SCORED, "best_notes": RULE | {"on": 1e999}},
    "sums that are none": {"best_f1": 0.5, "best_batch": 6, "files": [1]},
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_descriptions_without_sense_are_one_line(
    tmp_path: Path, whole: Path, brief: TrialConfig, name: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    described = DESCRIPTIONS[name]
    if "config" not in described and "config" not in name:
        described = described | ({"config": brief.to_dict()} if described else {})
    for file in ("trial.json", "best.json"):
        (folder / file).write_text(json.dumps({"format": 1, **described}))
    loads = [
        lambda: checkpoint.read(folder, brief, "cpu"),
        lambda: load_trained(folder, "cpu"),
    ]
    if "scores" not in name:  # which are not read with the weights alone
        loads.append(lambda: checkpoint.best_weights(folder, brief.identity, "cpu"))
    for load in loads:
        with pytest.raises(UserError, match=f"^{folder}") as error:
            load()
        assert "\n" not in str(error.value)
