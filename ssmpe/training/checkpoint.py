"""Checkpoints: all that a trial needs to go on, and its best weights.

A checkpoint is a folder. Tensors lie in ``.pt`` files, which load without running code; plain data
lie in JSON files beside them. Every JSON file ends with a checksum of its own text, and holds those
of the tensors' files, so that a file of which a single bit has changed is refused. Files of version
0.3.0 have no such sums, and are still read: their tensors are checked by the archive's own.
"""

import hashlib
import json
import os
import pickletools
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError, first_line
from ssmpe.evaluation.scores import ALL_MEASURES, SetScores
from ssmpe.signal.notes import NoteRule, rule_of
from ssmpe.storage import digest_of

SELECTED_BY = "f1_tuned"
"""Measure of the validation set by which the best weights are chosen: what a user of them gets"""
EARLIER = "f1"
"""That of version 0.3.0, whose checkpoints do not say it"""
FORMAT, WITHOUT_SUMS = 2, 1
"""Versions of the files: the one that is written, and that of 0.3.0, which is still read."""
PLAIN, STATE, BEST = "trial", "state", "best"
"""Names of the files: plain data to go on with, tensors to go on with, best weights."""
UNFIT = (LookupError, TypeError, ValueError, AttributeError, RuntimeError)
"""Errors that come of using data which are not what they should be."""

_SUMS = "files"
"""Key of a JSON file: name of a file of tensors -> its checksum."""
_SEAL = ',\n "sha256": "'
"""Text that stands between a JSON file's data and the checksum of these data."""
_TENSORS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_tensor_v2|torch \w+Storage", re.ASCII
)
"""Names that our own files use; PyTorch would also make arrays of any size from a few bytes."""


@dataclass
class Best:
    """The best validation so far.

    Attributes:
        measure: of the validation set, by which it is the best. A trial keeps the one it was begun
            with: version 0.3.0 went by F1 at a salience of one half.
        score: that measure; -1 before the first validation that could be scored.
        batch: batches trained until then.
        weights: of the network, by name.
        threshold: salience at which they score best on the validation set; None before the first,
            and of checkpoints that were written without it.
        notes: rule by which they make the best notes of that set; None before the trial's end, and
            of a set whose notes are not known.
    """

    measure: str = SELECTED_BY
    score: float = -1.0
    batch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    threshold: float | None = None
    notes: NoteRule | None = None

    def take_if_better(self, labelled: SetScores, batch: int, network: nn.Module) -> bool:
        """Become this validation if it is better, and tell whether it is; NaN never is.

        Args:
            labelled: scores of the validation set.
        """
        score = getattr(labelled.means, self.measure)
        if not score > self.score:
            return False
        self.score, self.batch, self.threshold = score, batch, labelled.threshold
        self.notes = None
        self.weights = {name: w.detach().clone() for name, w in network.state_dict().items()}
        return True


def write(
    folder: Path, config: TrialConfig, state: Any, best: Best, plain: Mapping[str, Any]
) -> None:
    """Write the checkpoint of a trial; the folder appears whole or not at all.

    Args:
        state: nested dicts and lists around tensors.
        plain: further JSON-representable data.
    """
    described = {
        "config": config.to_dict(),
        "best_by": best.measure,
        "best_f1": best.score,
        "best_batch": best.batch,
        "best_threshold": best.threshold,
    }
    if best.notes is not None:
        described["best_notes"] = asdict(best.notes)
    save(
        folder,
        {STATE: state, BEST: best.weights},
        {BEST: described, PLAIN: {**described, **plain}},
    )


def read(folder: Path, config: TrialConfig, device: str) -> tuple[dict[str, Any], Any, Best]:
    """Read a checkpoint: its plain data, state and best validation.

    The state is on the CPU: the optimizer itself moves what belongs on the device.

    Raises:
        UserError: it cannot be read, or is another configuration's.
    """
    plain = load_plain(folder)
    try:
        same = TrialConfig.from_dict(plain["config"]) == config
        best = best_of(plain)
    except (*UNFIT, UserError) as error:
        raise _unusable(folder / f"{PLAIN}.json", error) from None
    if not same:
        raise UserError(f"{folder}: a checkpoint of another configuration")
    state = load_tensors(folder, STATE, "cpu", plain)
    best.weights = load_tensors(folder, BEST, device, plain)
    return plain, state, best


def best_weights(folder: Path, trial: str, device: str) -> dict[str, Tensor]:
    """Read the best weights of a trial, named by its identity.

    Raises:
        UserError: they cannot be read, are another trial's, or there are none.
    """
    described = load_plain(folder, BEST)
    try:
        identity = TrialConfig.from_dict(described["config"]).identity
    except (*UNFIT, UserError) as error:
        raise _unusable(folder / f"{BEST}.json", error) from None
    if identity != trial:
        raise UserError(f"{folder}: a checkpoint of another trial than {trial}")
    weights: dict[str, Tensor] = load_tensors(folder, BEST, device, described)
    if not isinstance(weights, dict):
        raise _unusable(folder / f"{BEST}.pt", TypeError("no weights by name"))
    if not weights:
        raise UserError(
            f"{folder}: no weights: that trial has no network, or no validation could be scored"
        )
    return weights


def best_of(plain: Mapping[str, Any]) -> Best:
    """Return what a checkpoint's plain data say of its best validation: all but the weights.

    Raises:
        LookupError, TypeError, ValueError: they are none of a checkpoint.
    """
    best = Best(plain.get("best_by", EARLIER), float(plain["best_f1"]), int(plain["best_batch"]))
    if best.measure not in ALL_MEASURES:
        raise ValueError(f"best by {best.measure!r:.80}, which is no measure")
    if (threshold := plain.get("best_threshold")) is not None:
        best.threshold = float(threshold)
        if not 0 <= best.threshold <= 1:
            raise ValueError(f"a threshold of {best.threshold}, which is no salience")
    best.notes = rule_of(plain.get("best_notes"))
    return best


def save(folder: Path, tensors: Mapping[str, Any], plain: Mapping[str, Mapping[str, Any]]) -> None:
    """Write files of tensors and of plain data; the folder appears whole or not at all.

    Args:
        tensors: file name without suffix -> nested dicts, lists and numbers around tensors.
        plain: file name without suffix -> JSON-representable data; ``PLAIN`` is one of them.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        sums = {}
        for name, content in tensors.items():
            path = partial / f"{name}.pt"
            torch.save(content, path)
            sums[path.name] = digest_of(path)
        for name, data in plain.items():
            text = json.dumps({"format": FORMAT, **data, _SUMS: sums}, indent=1)
            (partial / f"{name}.json").write_text(_sealed(text))
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def load_plain(folder: Path, name: str = PLAIN) -> dict[str, Any]:
    """Read the plain data of one file of a checkpoint.

    Raises:
        UserError: there is no such file, or it has changed since it was written.
    """
    path = folder / f"{name}.json"
    try:
        text = path.read_bytes().decode()
        plain: dict[str, Any] = json.loads(text)
        if plain.get("format") not in (FORMAT, WITHOUT_SUMS):
            raise ValueError(f"format {plain.get('format')!r}, expected {FORMAT}")
        if plain["format"] == FORMAT and text != _sealed(text.rpartition(_SEAL)[0] + "\n}"):
            raise ValueError("it has changed since it was written: its checksum does not fit")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise _unusable(path, error) from None
    return plain


def load_tensors(
    folder: Path, name: str, device: str = "cpu", plain: Mapping[str, Any] | None = None
) -> Any:
    """Read the tensors of one file of a checkpoint, which may be anybody's.

    It runs no code, and takes no more memory than a few times the size of the file.

    Args:
        plain: what ``load_plain`` read beside it, by which the file is checked.

    Raises:
        UserError: it cannot be read, has changed since it was written, has values that are not
            finite, or holds anything but tensors.
    """
    path = folder / f"{name}.pt"
    try:
        _check_archive(path, (plain or {}).get(_SUMS, {}).get(path.name))
        tensors = torch.load(path, map_location=device, weights_only=True)
        for place, tensor in _tensors_in(tensors, name):
            if not _all_numbers(tensor).isfinite().all():
                raise ValueError(f"{place} has values that are not finite")
    except Exception as error:  # a damaged file can raise anything; all of it means the same
        raise _unusable(path, error) from None
    return tensors


def _sealed(text: str) -> str:
    """Return the text of a JSON object with its checksum as a last entry."""
    return text.removesuffix("\n}") + _SEAL + hashlib.sha256(text.encode()).hexdigest() + '"\n}'


def _check_archive(path: Path, wanted: str | None) -> None:
    """Check that a file is as it was written, is no larger unpacked, and names only tensors.

    Args:
        wanted: its checksum; None: the archive's own sums of its parts are checked.
    """
    if wanted is not None and digest_of(path) != wanted:
        raise ValueError("it has changed since it was written: its checksum does not fit")
    with zipfile.ZipFile(path) as archive:
        if sum(file.file_size for file in archive.infolist()) > path.stat().st_size:
            raise ValueError("it would unfold to more than its size")
        if wanted is None and archive.testzip():
            raise ValueError("it has changed since it was written: a part's checksum does not fit")
        for name in archive.namelist():
            if not name.endswith("/data.pkl"):
                continue
            for code, argument, _ in pickletools.genops(archive.read(name)):
                named = "GLOBAL" in code.name or code.name == "INST"
                if named and not _TENSORS.fullmatch(str(argument)):
                    raise ValueError(f"it holds {argument!r:.80}, which is no tensor")


def _tensors_in(content: Any, place: str) -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor in nested dicts, lists and tuples, with where it stands."""
    if isinstance(content, Tensor):
        yield place, content
    elif isinstance(content, dict | list | tuple):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in items:
            yield from _tensors_in(value, f"{place}: {key}")


def _all_numbers(tensor: Tensor) -> Tensor:
    """Return the numbers that lie behind a tensor, each once, however often it shows them."""
    return tensor.new_empty(0).set_(tensor.untyped_storage())


def _unusable(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: not a usable checkpoint ({first_line(error)})")
