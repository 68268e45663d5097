"""Trained networks: checkpoints of trials, and networks as files of their own."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from torch import nn

from ssmpe.config.presets import tiny
from tests.support.hostile.changes import NUMBERS, damaged, reshaped
from tests.support.hostile.trying import Kind, WrongError


def checkpoints(folder: Path) -> Kind:
    """Checkpoints of trials, as commands and a resume read them."""
    import torch

    from ssmpe.signal.notes import NoteRule
    from ssmpe.training import checkpoint
    from ssmpe.training.checkpoint import BEST, SELECTED_BY
    from ssmpe.transcription.trained import load_trained
    from tests.support.transcribing import untrained

    config = tiny()
    whole = untrained(folder / "checkpoint", config)
    weights = torch.load(whole / f"{BEST}.pt", weights_only=True)
    described = (whole / f"{BEST}.json").read_bytes()
    best = {"best_by": SELECTED_BY, "best_f1": 0.5, "best_batch": 6, "best_threshold": 0.4}
    plain = {"config": config.to_dict(), **best, "best_notes": asdict(NoteRule())}
    content = (whole / f"{BEST}.pt").read_bytes()
    load_trained(whole, "cpu")

    def crafted(rng: Random) -> object:
        tensor = rng.choice(list(weights))
        value = weights[tensor]
        made = rng.choice(
            (
                lambda: value.half(),
                lambda: value.to(torch.complex64),
                lambda: value.to(torch.bool),
                lambda: value.to_sparse(),
                lambda: value[None],
                lambda: value.reshape(-1)[:1].expand(value.shape),
                lambda: torch.full_like(value, rng.choice((3e38, float("nan"), float("inf"), 0.0))),
                lambda: [value],
                lambda: rng.choice(NUMBERS[:6]),
                lambda: torch.empty((0, *value.shape[1:])),
                lambda: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
            )
        )()
        other = rng.choice(({}, [], 7, torch.zeros(3), list(weights), {1: value}, {"x": value}))
        return other if rng.random() < 0.1 else {**weights, tensor: made}

    def case(rng: Random, here: Path) -> None:
        here = shutil.copytree(whole, here / "checkpoint")
        how = rng.random()
        if how < 0.3:
            (here / f"{BEST}.pt").write_bytes(damaged(rng, content))
        elif how < 0.4:
            (here / f"{BEST}.json").write_bytes(damaged(rng, described))
        else:  # by somebody who knows how to make the checksums
            made = crafted(rng) if how < 0.7 else weights
            told = plain if how < 0.7 else reshaped(rng, plain)
            checkpoint.save(here, {BEST: made}, {BEST: told if isinstance(told, dict) else {}})
        if rng.random() < 0.5:
            _check_numbers(load_trained(here, "cpu").network)
        else:
            checkpoint.best_weights(here, config.identity, "cpu")

    return case


def network_files(folder: Path) -> Kind:
    """Networks as files of their own, of which nothing is believed but what they hold."""
    from ssmpe.transcription import network_file
    from ssmpe.transcription.trained import load_trained, save_trained
    from tests.support.transcribing import untrained

    path = folder / f"whole{network_file.SUFFIX}"
    trained = load_trained(untrained(folder / "checkpoint", tiny()), "cpu")
    save_trained(path, trained, {"made": "for this"})
    content = path.read_bytes()
    arrays = dict(np.load(path))
    described = json.loads(arrays.pop(network_file.DESCRIPTION).tobytes())

    def crafted(rng: Random) -> dict[str, Any]:
        name = rng.choice(list(arrays))
        value = arrays[name]
        extreme = rng.choice((3e38, np.nan, np.inf, 0.0))
        made: Any = rng.choice(
            (
                lambda: value.astype(
                    rng.choice((np.float16, np.complex64, bool, "O", "S4", ">f4"))
                ),
                lambda: value[None],
                lambda: np.zeros((0, *value.shape[1:]), value.dtype),
                lambda: np.full_like(value, extreme),
                lambda: np.float64(extreme),
            )
        )()
        return (
            rng.choice(({}, {name: made}, {"x": value}))
            if rng.random() < 0.1
            else {**arrays, name: made}
        )

    def case(rng: Random, here: Path) -> None:
        path = here / f"x{network_file.SUFFIX}"
        how = rng.random()
        if how < 0.4:
            path.write_bytes(damaged(rng, content))
        else:
            told = described if how < 0.7 else reshaped(rng, described)
            weights = crafted(rng) if how < 0.7 else arrays
            members: dict[str, Any] = dict(weights)
            members[network_file.DESCRIPTION] = np.frombuffer(json.dumps(told).encode(), np.uint8)
            save = np.savez_compressed if rng.random() < 0.1 else np.savez
            save(path, **members)
        _check_numbers(load_trained(path, "cpu").network)

    return case


def _check_numbers(network: nn.Module) -> None:
    if not all(w.isfinite().all() for w in network.parameters()):
        raise WrongError("weights that are no numbers were taken")
