"""Small real files in the layouts of the datasets, for tests; a module for each dataset."""

from pathlib import Path

import pytest

from tests.layouts import (
    bach10,
    egmd,
    fma,
    guitarset,
    maestro,
    magnatagatune,
    maps,
    mdbdrums,
    medleydb,
    musicnet,
    nsynth,
    su,
    swd,
    trios,
    urmp,
)
from tests.layouts.layout import SECONDS, Layout, write_tone

__all__ = ["LAYOUTS", "SECONDS", "Layout", "each_set", "write_tone", "written_root"]

LAYOUTS: dict[str, Layout] = {
    name: layout
    for module in (
        *(urmp, bach10, su, trios, musicnet, guitarset, nsynth),
        *(fma, egmd, mdbdrums, maestro, maps, medleydb, swd, magnatagatune),
    )
    for name, layout in module.SETS.items()
}
"""By name of the set."""


def each_set(*names: str) -> pytest.MarkDecorator:
    """Parametrise a test over sets: ``root`` is a data root that holds the set ``name``."""
    sets = names or tuple(LAYOUTS)
    return pytest.mark.parametrize(("root", "name"), [(n, n) for n in sets], indirect=["root"])


def written_root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Write a data root with the dataset of the set asked for; to be made the fixture ``root``."""
    LAYOUTS[request.param].write(tmp_path)
    return tmp_path
