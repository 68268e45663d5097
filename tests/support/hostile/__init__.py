"""Kinds of hostile input: how a case of each is made from a random generator, and what takes it."""

from collections.abc import Callable
from pathlib import Path

from tests.support.hostile.commands import commands, options
from tests.support.hostile.files import annotations, audio
from tests.support.hostile.networks import checkpoints, network_files
from tests.support.hostile.records import plans, stores
from tests.support.hostile.trying import Kind

KINDS: dict[str, tuple[Callable[[Path], Kind], float]] = {
    "options": (options, 0.28),
    "commands": (commands, 0.06),
    "plans": (plans, 0.16),
    "audio": (audio, 0.18),
    "annotations": (annotations, 0.2),
    "stores": (stores, 0.02),
    "network files": (network_files, 0.02),
    "checkpoints": (checkpoints, 0.08),
}
"""How cases of a kind are made, once its folder is there, and their share of all"""
