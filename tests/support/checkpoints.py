"""Checkpoints in other forms than the present one, and with damages."""

import json
import random
from pathlib import Path

import torch


def as_0_3_0_wrote(folder: Path) -> Path:
    """Give a checkpoint the form that version 0.3.0 wrote: no sums, rates as the only settings."""
    for path in folder.glob("*.json"):
        plain = json.loads(path.read_text())
        kept = {key: value for key, value in plain.items() if key not in ("files", "sha256")}
        path.write_text(json.dumps(kept | {"format": 1}, indent=1))
    path = folder / "state.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        groups = state["optimizer"]["param_groups"]
        names = ("params", "lr", "full_lr")
        state["optimizer"]["param_groups"] = [{n: group[n] for n in names} for group in groups]
        torch.save(state, path)
    return folder


def flip_one_bit(path: Path, rng: random.Random) -> tuple[int, int]:
    """Flip a bit that is drawn, in its place; which byte, and which of its bits."""
    content = bytearray(path.read_bytes())
    place, bit = rng.randrange(len(content)), rng.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return place, bit
