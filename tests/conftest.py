"""What tests share: a small geometry, the embedded world rendered once, and stores."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest
import torch

from ssmpe.config import GeometryConfig, TrialConfig
from ssmpe.config.presets import tiny
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import Sets, load_sets
from ssmpe.data.store.cache import cache_dir
from ssmpe.world.build import build_world, world_key
from tests.support import elsewhere
from tests.support.shared import once

TIERS = {
    "pure": ("signal", "network", "objectives", "training", "evaluation", "config", "experiments"),
    "files": (
        *("data", "world", "tracking", "analysis", "transcription", "commands"),
        *("test_api.py", "test_devices.py", "test_imports.py", "test_readmes.py", "test_usage.py"),
    ),
    "processes": ("runner", "safety", "clusters", "benchmarks"),
}
"""Folders of tests, and files beside them, by what they need: arithmetic; files and SQLite; real
processes and servers"""
TIER_OF = {folder: tier for tier, folders in TIERS.items() for folder in folders}

# modules of the checkout that are no part of the package are found from any folder
PATHS = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, PATHS))
# tests compare numbers that depend on the number of threads
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")
# sweeps of tests run beside others: threads that wait are not to keep these from their cores
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# a busy machine is no failure
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
# before the first gradient in a process, which sets up what those on any device need
elsewhere.device()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out folders of which ``-m`` asks for no test: to import them takes seconds."""
    tier = TIER_OF.get(collection_path.name)
    if tier is None or collection_path.parent != Path(__file__).parent:
        return None
    wanted = config.getoption("markexpr") or tier

    def asks_for(mark: str) -> bool:
        return bool(eval(wanted, {}, OneMark({mark: True})))  # it is what Python reads as well

    try:
        return None if asks_for(tier) or asks_for("long") else True
    except SyntaxError:  # pytest says so itself
        return None


class OneMark(dict[str, bool]):
    """The marks of a test by name, of which it has one."""

    def __missing__(self, name: str) -> bool:
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with the tier of its folder, and start with the tier that takes longest."""
    names = list(TIERS)

    def tier(item: pytest.Item) -> str:
        return TIER_OF.get(item.path.relative_to(Path(__file__).parent).parts[0], "pure")

    for item in items:
        if not item.get_closest_marker("long"):  # -m pure leaves these out, as pytest alone does
            item.add_marker(tier(item))
    items.sort(key=lambda item: -names.index(tier(item)))


@pytest.fixture(scope="session")
def geometry() -> GeometryConfig:
    """Return the geometry of the preset tiny."""
    return tiny().geometry


@pytest.fixture(scope="session")
def world() -> Path:
    """Return the data root of the embedded world, in the cache that the main job uses."""
    root = cache_dir() / "world" / world_key("tiny")
    return build_world(root, "tiny")


@pytest.fixture(scope="session")
def brief() -> TrialConfig:
    """Return a trial of the preset tiny that ends after six batches."""
    return tiny().replace(
        {
            "training.n_batches": 6,
            "training.validate_every": 2,
            "training.warmup_batches": 2,
            "data.labelled_excerpts": 2,
            "data.added": {"NSynth/train": 1},
            "data.evaluation": ["NSynth/valid"],
            # at its end, all are scored by mir_eval as well, which takes as long as the training
            "data.max_tracks": {"URMP/validation": 2, "NSynth/valid": 4},
            "data.source": "embedded-tiny",
        }
    )


@pytest.fixture(scope="session")
def sets(world, brief) -> Sets:
    """Return the sets of ``brief``."""
    return load_sets(brief.data, brief.geometry.sample_rate, Locations(world), cache_dir())


@pytest.fixture(scope="session")
def report_store(empty_store, tmp_path_factory) -> str:
    """Return the URI of a store with invented sweeps."""
    from tests.support.reporting import write_store

    made = once(tmp_path_factory, "reported", lambda folder: write_store(folder, empty_store))
    return f"sqlite:///{made}/mlflow.db"


@pytest.fixture(scope="session")
def reports(report_store, tmp_path_factory):
    """Write reports of its sweeps that have ended, and the page of links; return them by name."""
    from analysis import report

    _, entries = report.write_all(report_store, tmp_path_factory.mktemp("reports"))
    return {entry.name: entry.report for entry in entries if entry.report}


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """Make an SQLite store without runs, to be copied: making one takes seconds."""
    from ssmpe.tracking.connection import connect
    from ssmpe.tracking.tracker import local_uri

    return once(tmp_path_factory, "store", lambda at: connect(local_uri(at))) / "mlflow.db"


@pytest.fixture
def uri(empty_store, tmp_path) -> str:
    """Return the URI of a store of the test's own, without runs."""
    from ssmpe.tracking.tracker import local_uri

    results = tmp_path / "results of #1"
    results.mkdir()
    shutil.copy(empty_store, results)
    return local_uri(results)


@pytest.fixture
def open_tracker(uri, tmp_path):
    """Return what opens a tracker of a sweep on that store, as often as it is called."""
    from ssmpe.tracking.tracker import Tracker
    from tests.support.tracked import WAIT

    trackers: list[Tracker] = []

    def opened() -> Tracker:
        trackers.append(Tracker(uri, tmp_path / "spool"))
        trackers[-1].start_sweep("sample_count", "calm-otter", {}, {})
        return trackers[-1]

    yield opened
    for tracker in trackers:
        tracker.close(WAIT)
