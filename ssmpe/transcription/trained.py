"""The network that a trial has left, ready to be applied."""

import copy
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.network.baselines import network_of
from ssmpe.network.model import Autoencoder
from ssmpe.network.precision import without_tf32
from ssmpe.signal.hcqt import HCQT, shared_hcqt
from ssmpe.signal.notes import NoteRule
from ssmpe.signal.salience import THRESHOLD
from ssmpe.training import checkpoint
from ssmpe.training.checkpoint import BEST
from ssmpe.transcription import network_file

_DAMAGES = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    UserError,
)
"""What comes of describing a network by something else"""


SMALL_WEIGHTS = 400_000
"""Most weights of a network that computes on one thread: twice those of the preset compact, which
takes a fifth of a second for a minute of music there"""


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode, with what it belongs to.

    Attributes:
        config: of the trial.
        hcqt: the transform that its features are made of, on the same device.
        best_batch: batches that the weights were trained for.
        best_score: on the trial's validation set after that: F1 at ``threshold``, or, of version
            0.3.0, at a salience of one half.
        threshold: least salience of a pitch: with which that set is scored best, or what the user
            asks for; None if the checkpoint has none.
        notes: rule by which that set's notes are made best; None if the checkpoint has none.
        origin: what a file of its own says of where it comes from; of a checkpoint nothing.
    """

    config: TrialConfig
    network: Autoencoder
    hcqt: HCQT
    device: str
    best_batch: int
    best_score: float
    threshold: float | None = None
    notes: NoteRule | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def note_rule(self) -> NoteRule:
        """Return the rule of its notes: the usual one, unless there is a better one."""
        return NoteRule() if self.notes is None else self.notes

    @property
    def least_salience(self) -> float:
        """Return the threshold of its pitches: one half, unless there is a better one."""
        return THRESHOLD if self.threshold is None else self.threshold


def best_below(folder: Path) -> Path:
    """Return the checkpoint that a folder is, or the one below it with the best score.

    A folder above may be that of a trial, or of all trials of a sweep, whose rows without a network
    come last. Of checkpoints with the same best score, as of one trial, it is the last. Where there
    is none, the folder itself; a network's own file likewise.
    """
    if os.path.isfile(folder / f"{BEST}.pt") or not os.path.isdir(folder):
        return folder
    found: list[tuple[bool, float, Path]] = []
    for weights in folder.glob(f"**/{BEST}.pt"):
        with suppress(*_DAMAGES):
            plain = checkpoint.load_plain(weights.parent, BEST)
            learns = TrialConfig.from_dict(plain["config"]).model.learns
            found.append((learns, checkpoint.best_of(plain).score, weights.parent))
    return max(found)[-1] if found else folder


@contextmanager
def with_threads(network: torch.nn.Module, asked: int | None = None) -> Iterator[None]:
    """Compute on so many threads, by default as many as are worth it, and set them back.

    A small network's products are over before a second thread has woken, and on a busy machine
    each waits for it: one thread took 1.35 s for what two took 15.4 s.
    """
    before = torch.get_num_threads()
    small = sum(w.numel() for w in network.parameters()) <= SMALL_WEIGHTS
    torch.set_num_threads(asked or (1 if small else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def load_trained(folder: Path, device: str, *, signal: bool = False) -> Trained:
    """Load the best network of a trial from its checkpoint, which may be anybody's.

    Args:
        folder: a checkpoint as ``Trainer.save`` writes it, or what a tracking store has of one:
            the weights of the best validation, and their description; or a network's own file.
        signal: a row that is the signal itself, without weights, is loaded, too.

    Raises:
        UserError: the folder is no such thing, files of it are damaged, its weights are not
            finite, or what it describes would exhaust the memory.
    """
    if network_file.is_network_file(folder):
        plain, tensors = network_file.read(folder, device)
        return _made(folder, folder, device, plain, tensors)
    weights = folder / f"{BEST}.pt"
    # of names that no file can have, these tell without raising
    whole = os.path.exists(folder / f"{checkpoint.PLAIN}.json")
    description = checkpoint.PLAIN if whole else BEST
    if not os.path.exists(folder):
        raise UserError(f"{folder}: no such folder or file")
    if not (os.path.isfile(weights) and os.path.isfile(folder / f"{description}.json")):
        raise UserError(
            f"{folder}: no trial's checkpoint, which would have {BEST}.pt and "
            f"{checkpoint.PLAIN}.json or {BEST}.json"
        )
    plain = checkpoint.load_plain(folder, description)
    tensors = checkpoint.load_tensors(folder, BEST, device, plain)
    if tensors == {} and not signal:
        raise UserError(
            f"{weights}: no weights: the trial has no network, or no validation could be scored"
        )
    return _made(folder, weights, device, plain, tensors)


def save_trained(path: Path, trained: Trained, origin: Mapping[str, str]) -> None:
    """Write a network as a file of its own, which ``load_trained`` reads.

    Args:
        origin: where it comes from, in words, by what they say.
    """
    description = {
        "config": trained.config.to_dict(),
        "best_by": checkpoint.SELECTED_BY,
        "best_f1": trained.best_score,
        "best_batch": trained.best_batch,
        "best_threshold": trained.threshold,
        "best_notes": None if trained.notes is None else asdict(trained.notes),
        "origin": dict(origin),
    }
    network_file.write(path, trained.network.state_dict(), description)


def _made(
    place: Path,
    weights: Path,
    device: str,
    plain: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
) -> Trained:
    """Make the network of a description and weights, which may not fit each other.

    Args:
        place: what the user has given.
        weights: file of the weights.

    Raises:
        UserError: they do not fit, or what is described would exhaust the memory.
    """
    try:
        config = TrialConfig.from_dict(plain["config"])
        _check_size(config, tensors, weights.stat().st_size)
        network = network_of(config.geometry, config.model)
        network.load_state_dict(tensors)
        best = checkpoint.best_of(plain)
        hcqt = shared_hcqt(config.geometry, device)
        origin = {str(k): str(v) for k, v in dict(plain.get("origin", {})).items()}
    except _DAMAGES as error:
        # PyTorch lists every weight that does not fit, a line each
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{place}: weights and description do not fit ({reason})") from None
    without_tf32()
    network.channels_last(device).eval()
    of_best = best.batch, best.score, best.threshold, best.notes
    return Trained(config, network, hcqt, device, *of_best, origin)


def with_threshold(trained: Trained, given: float | str | None) -> Trained:
    """Return a network with the threshold that is asked for; None: with its own.

    Raises:
        UserError: it is no number from 0 to 1.
    """
    if given is None:
        return trained
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= 1:
        raise UserError(f"threshold {given!s:.80}: expected a salience, a number from 0 to 1")
    return replace(trained, threshold=value)


def with_decomposition(trained: Trained, weight: float) -> Trained:
    """Return a network with the harmonic decomposition beside it, of that weight; 0: alone.

    With another weight than it was validated with, its threshold and its rule of notes do not fit,
    and it has none. A row that is the signal itself stays what it is.
    """
    if weight == trained.config.model.decomposition or not trained.config.model.learns:
        return trained
    network = copy.deepcopy(trained.network)
    network.decomposition = weight
    config = trained.config.replace({"model.decomposition": weight})
    return replace(trained, config=config, network=network, threshold=None, notes=None)


def _check_size(config: TrialConfig, tensors: Mapping[str, torch.Tensor], n_bytes: int) -> None:
    """Check that a network is one of these tensors, which a file of that size can hold.

    Otherwise a few bytes could describe one that exhausts the memory.

    Raises:
        ValueError: it is not.
    """
    with torch.device("meta"):  # takes no memory
        described = network_of(config.geometry, config.model).state_dict()
    for name, tensor in described.items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            raise ValueError(f"{name} is not of shape {tuple(tensor.shape)}")
    if sum(t.numel() * t.element_size() for t in tensors.values()) > n_bytes:
        raise ValueError("larger than the file")
