"""One direction of dependencies in ``analysis``: a room may import what stands before it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "analysis"
FIGURES = (
    "border",
    "curves",
    "degeneration",
    "explanation",
    "gallery",
    "gradients",
    "hyperparameters",
    "ladder",
    "precision_recall",
    "replay",
    "results",
    "spending",
)
LAYERS = (
    ("reading",),
    ("numbers",),
    ("answers", "drawing"),
    ("replaying",),
    ("figure",),
    ("reporting", *FIGURES),
    ("report",),
)
"""Folders, and the files beside them"""
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def rooms_of(path: Path) -> set[str]:
    """Return the rooms that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            first, *rest = node.module.split(".")
            if first == "analysis":
                found |= {rest[0]} if rest else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_import_what_stands_before_them(path):
    room = path.relative_to(ROOT).with_suffix("").parts[0]
    assert room in RANK, f"give {room} a layer"
    others = rooms_of(path) - {room}
    assert {other for other in others if RANK[other] >= RANK[room]} == set()


def test_no_figure_is_forgotten():
    assert {p.stem for p in ROOT.glob("[!_]*.py")} == {"figure", "report", *FIGURES}
