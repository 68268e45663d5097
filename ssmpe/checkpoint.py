"""Checkpoints: tensors that load without running code, plain data beside them."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from ssmpe.errors import UserError

FORMAT = 1
TENSORS, PLAIN = "tensors.pt", "trial.json"


def save(folder: Path, tensors: dict[str, Any], plain: dict[str, Any]) -> None:
    """Write a checkpoint; the folder appears whole or not at all.

    Args:
        tensors: nested dicts, lists and numbers around tensors.
        plain: JSON-representable: configuration, batch number, scores.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        torch.save(tensors, partial / TENSORS)
        (partial / PLAIN).write_text(json.dumps({"format": FORMAT, **plain}, indent=1))
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def load(folder: Path, device: str = "cpu") -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors and plain data of a checkpoint.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    try:
        plain = json.loads((folder / PLAIN).read_text())
        if plain.get("format") != FORMAT:
            raise ValueError(f"format {plain.get('format')!r}, expected {FORMAT}")
        tensors = torch.load(folder / TENSORS, map_location=device, weights_only=True)
    except Exception as error:  # unpickling can raise anything; all of it means the same here
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{folder}: not a usable checkpoint ({reason})") from None
    return tensors, plain
