"""Checkpoints: tensors that load without running code, plain data beside them."""

import json
import os
import pickletools
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ssmpe.errors import UserError

FORMAT = 1
PLAIN = "trial"
"""file of the plain data that is needed to continue"""

_TENSORS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_tensor_v2|torch \w+Storage", re.ASCII
)
"""All that our own files name; PyTorch would also make arrays of any size from a few bytes"""


def save(folder: Path, tensors: Mapping[str, Any], plain: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a checkpoint; the folder appears whole or not at all.

    Args:
        tensors: file name without suffix -> nested dicts, lists and numbers around tensors.
        plain: file name without suffix -> JSON-representable data; ``PLAIN`` is one of them.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        for name, content in tensors.items():
            torch.save(content, partial / f"{name}.pt")
        for name, data in plain.items():
            text = json.dumps({"format": FORMAT, **data}, indent=1)
            (partial / f"{name}.json").write_text(text)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def load_plain(folder: Path, name: str = PLAIN) -> dict[str, Any]:
    """Plain data of one file of a checkpoint; UserError if there is none that can be read."""
    path = folder / f"{name}.json"
    try:
        plain: dict[str, Any] = json.loads(path.read_text())
        if plain.get("format") != FORMAT:
            raise ValueError(f"format {plain.get('format')!r}, expected {FORMAT}")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise _unusable(path, error) from None
    return plain


def load_tensors(folder: Path, name: str, device: str = "cpu") -> Any:
    """Tensors of one file of a checkpoint, which may be anybody's.

    It runs no code, and takes no more memory than a few times the size of the file.

    Raises:
        UserError: it cannot be read, or holds anything else.
    """
    path = folder / f"{name}.pt"
    try:
        _check_archive(path)
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file can raise anything; all of it means the same
        raise _unusable(path, error) from None


def _check_archive(path: Path) -> None:
    """Check that a file is no larger unpacked than packed, and names nothing but tensors."""
    with zipfile.ZipFile(path) as archive:
        if sum(file.file_size for file in archive.infolist()) > path.stat().st_size:
            raise ValueError("it would unfold to more than its size")
        for name in archive.namelist():
            if not name.endswith("/data.pkl"):
                continue
            for code, argument, _ in pickletools.genops(archive.read(name)):
                named = "GLOBAL" in code.name or code.name == "INST"
                if named and not _TENSORS.fullmatch(str(argument)):
                    raise ValueError(f"it holds {argument!r:.80}, which is no tensor")


def _unusable(path: Path, error: Exception) -> UserError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"{path}: not a usable checkpoint ({reason})")
