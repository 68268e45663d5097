"""Usage blocks in docstrings: they run, and what they say of shapes is true."""

import ast
import inspect
import re
from typing import Any

import pytest
import torch

from ssmpe.config import GeometryConfig
from ssmpe.config.presets import tiny
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.signal.features import scaled_decibels
from ssmpe.signal.hcqt import HCQT
from ssmpe.training.batches import BatchMaker
from ssmpe.training.trainer import Trainer

SHAPE = re.compile(r"# (\((?:\d+, )*\d+\))")
BRIEF = {
    "training.n_batches": 2,
    "training.validate_every": 1,
    "data.evaluation": ["NSynth/valid"],
    "data.source": "embedded-tiny",
}


def block(documented: type) -> list[str]:
    """Lines of the block that follows a double colon."""
    after = (inspect.getdoc(documented) or "").partition("::\n\n")[2]
    lines = after.splitlines()
    end = next((i for i, x in enumerate(lines) if x and not x.startswith(" ")), len(lines))
    return inspect.cleandoc("\n".join(lines[:end])).splitlines()


@pytest.mark.parametrize(("documented", "n_shapes"), [(HCQT, 3), (BatchMaker, 3), (Trainer, 1)])
def test_usage_is_as_it_is_shown(documented, n_shapes, world, tmp_path):
    names: dict[str, Any] = {
        **{f.__name__: f for f in (GeometryConfig, HCQT, BatchMaker, Trainer, Locations)},
        **{f.__name__: f for f in (scaled_decibels, load_sets, cache_dir)},
        "tiny": lambda: tiny().replace(BRIEF),
        "torch": torch,
        "data_root": world,
        "folder": tmp_path / "checkpoint",
    }
    lines, checked = block(documented), 0
    for statement in ast.parse("\n".join(lines)).body:
        source = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
        told = SHAPE.search(source)
        if isinstance(statement, ast.For) or told is None:
            exec(source, names)
            continue
        shown = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
        assert shown is not None
        value = eval(ast.unparse(shown), names)
        if isinstance(statement, ast.Assign):
            names[ast.unparse(statement.targets[0])] = value
        assert tuple(value.shape) == ast.literal_eval(told[1]), source
        checked += 1
    assert checked >= n_shapes
