"""Checkpoints: tensors that load without running code, plain data beside them."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ssmpe.errors import UserError

FORMAT = 1
PLAIN = "trial"
"""file of the plain data that is needed to continue"""


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
    except (OSError, ValueError, AttributeError) as error:
        raise _unusable(path, error) from None
    return plain


def load_tensors(folder: Path, name: str, device: str = "cpu") -> Any:
    """Tensors of one file of a checkpoint; runs no code of it. UserError if it cannot be read."""
    path = folder / f"{name}.pt"
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file can raise anything; all of it means the same
        raise _unusable(path, error) from None


def _unusable(path: Path, error: Exception) -> UserError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"{path}: not a usable checkpoint ({reason})")
