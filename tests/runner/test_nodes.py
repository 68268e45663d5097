"""Clusters of several nodes: real raylets on this machine, some under another host name."""

import io
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray._private import ray_constants
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from rich.console import Console

from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.runner.cluster import nodes, release, scaling
from ssmpe.runner.cluster.cluster import cluster as joined
from ssmpe.runner.cluster.nodes import Node
from ssmpe.runner.cluster.resources import Share
from ssmpe.runner.plan import Plan
from ssmpe.runner.trial.checkpoints import BEGUN, Checkpoints
from ssmpe.tracking import schema
from tests.support import raylets, sweeping
from tests.support.object_storage import bucket, s3, upload  # noqa: F401
from tests.support.servers import TrackingServer

SERVER = "http://127.0.0.1:5000"
hosts = pytest.mark.skipif(
    not raylets.several_hosts(), reason="needs the right to name a host with unshare"
)

# what a machine has that nobody has installed ssmpe on
BARE = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.split(".")[0] == "ssmpe":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def plan(storage: Path | str, data_root: Path | str = "/", tracking_uri: str = SERVER) -> Plan:
    return Plan(
        name="demo", script="demo", question="Does it?", preset="tiny", data=f"folder {data_root}",
        data_root=str(data_root), folders={}, storage=str(storage), tracking_uri=tracking_uri,
        early_stop=True, threads=1, gpus_per_trial=0.0, concurrent=None, trials=(),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def loopback(monkeypatch):
    for name, value in raylets.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)  # read when Ray was imported


def other_code(folder: Path) -> Path:
    """Make a copy of the package with one character more."""
    shutil.copytree(raylets.ROOT / "ssmpe", folder)
    with (folder / "units.py").open("a") as file:
        file.write("\n")
    return folder


@pytest.fixture(scope="module")
def faulty(tmp_path_factory) -> Iterator[tuple[raylets.Cluster, Path]]:
    """Yield a cluster of hosts named after what is wrong with them, and a folder one misses."""
    base = tmp_path_factory.mktemp("faulty")
    for name in ("bare", "nothing", "apart/data"):
        (base / name).mkdir(parents=True)
    (base / "bare" / "sitecustomize.py").write_text(BARE)
    old = other_code(base / "old")
    with raylets.Cluster() as cluster:
        cluster.add(host="old", covered={raylets.ROOT / "ssmpe": old})
        cluster.add(host="bare", environment={"PYTHONPATH": str(base / "bare")})
        cluster.add(host="apart", covered={base / "apart": base / "nothing"})
        cluster.add(host="full", environment={"SSMPE_CACHE": "/proc/cache"})
        yield cluster, base / "apart"


@hosts
def test_every_node_that_cannot_take_part_is_named_with_the_reason(faulty, tmp_path):
    cluster, apart = faulty
    with joined(cluster.address):
        found = {node.host: why for node, why in nodes.problems(plan(apart / "ray")).items()}
        assert found.keys() == {"old", "bare", "apart", "full"}
        assert "other code" in found["old"]
        assert "no module ssmpe" in found["bare"]
        assert "give --storage that all nodes share" in found["apart"]
        assert "/proc/cache is not writable" in found["full"]
        assert not list((apart / "ray").iterdir()), "what was written to test it is deleted"
        found = {n.host: why for n, why in nodes.problems(plan(tmp_path, apart / "data")).items()}
        assert "is not there; mount it on every node" in found["apart"]
        with pytest.raises(
            UserError, match=r"^node apart \(\w{8}\) cannot .* \(nor can 3 more\): "
        ):
            nodes.require_fit(plan(tmp_path, apart / "data"), cluster.address)


@hosts
def test_a_node_that_does_not_answer_is_an_error_and_no_hang(faulty, tmp_path):
    cluster, _ = faulty
    with joined(cluster.address):
        own = ray.get_runtime_context().get_node_id()
        _, *apart = cluster.nodes
        by_host = dict(zip(("old", "bare", "apart", "full"), apart, strict=True))
        host = next(n.host for n in nodes.alive() if n.host in by_host and n.id != own)
        os.killpg(by_host[host].pid, signal.SIGSTOP)
        try:
            found = {node.host: why for node, why in nodes.problems(plan(tmp_path), 6).items()}
        finally:
            os.killpg(by_host[host].pid, signal.SIGCONT)
    assert "does not answer within 6 s" in found[host]


def met(storage: str, mark: str) -> str:
    """Return, from a node, what becomes of asking it for the storage."""
    try:
        Checkpoints(storage, "demo").meet(mark, patience=0.0)
    except OSError as error:
        return str(error)
    return ""


@hosts
def test_a_node_that_does_not_share_the_storage_is_told_by_its_mark(faulty, tmp_path):
    cluster, apart = faulty
    checkpoints = Checkpoints(str(apart), "demo")
    mark = checkpoints.begin()
    (apart.with_name("nothing") / "demo").mkdir()
    (apart.with_name("nothing") / "demo" / BEGUN).write_text("of another day")
    with joined(cluster.address):
        found = {
            node.host: ray.get(
                ray.remote(num_cpus=0)(met)
                .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False))
                .remote(str(apart), mark),
                timeout=120,
            )
            for node in nodes.alive()
            if node.host not in ("bare", "old")
        }
    assert found.keys() > {"apart", "full"}
    assert "not the storage that the driver writes to" in found.pop("apart")
    assert not any(found.values()), found
    assert checkpoints.begin() != mark


def test_a_file_of_runs_serves_one_host_only():
    one = (Node("a", "here", 1, 0), Node("b", "here", 1, 0))
    nodes.require_server("sqlite:////tmp/mlflow.db", one)
    several = (*one, Node("c", "there", 1, 0))
    nodes.require_server(SERVER, several)
    with pytest.raises(UserError, match=r"2 hosts \(here, there\).*http://") as error:
        nodes.require_server("sqlite:////tmp/mlflow.db", several)
    assert "\n" not in str(error.value)


def test_another_version_is_named():
    here = release.release()
    release.require_same(here, dict(here))
    with pytest.raises(UserError, match=r"it has torch 2\.12\.0, and the driver"):
        release.require_same(here, {**here, "torch": "2.12.0"})


def test_a_cluster_without_worker_and_autoscaler_is_told_at_once(monkeypatch):
    monkeypatch.setattr(scaling, "SIGN_SECONDS", 3.0)
    console = Console(file=io.StringIO())
    with raylets.Cluster(n_cpus=0) as cluster, joined(cluster.address):
        assert not scaling.await_worker(Share(1), console)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


def test_a_cluster_that_scales_from_zero_is_asked_for_a_worker():
    console = Console(file=io.StringIO(), width=200)
    scaled = raylets.Cluster(n_cpus=0, environment=raylets.SCALING)
    with scaled as cluster, joined(cluster.address):
        assert not any(node.n_cpus for node in nodes.alive())
        assert scaling.await_worker(Share(1), console, patience=120)
        n_nodes = len(nodes.alive())
        assert n_nodes == 2
        assert scaling.await_worker(Share(1), console), "there is one now"
        assert len(nodes.alive()) == n_nodes
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert told.count("the cluster has no node for a trial yet, and is making one") == 1


FEW = (
    *sweeping.BOTH,
    # small sets, as they are copied and decoded several times
    *("--set", "data.labelled=Su/all"),
    *("--set", "data.validation=GuitarSet/00"),
    *("--set", "training.n_batches=4"),
    *("--set", "training.validate_every=2"),
)


def sweep(folder: Path, *options: str) -> dict:
    """Run a sweep in a new folder; return what it stored of its trials but their data's place."""
    folder.mkdir(exist_ok=True)
    code, output = sweeping.run(folder, *FEW, *options)
    assert code == 0, output
    stored = sweeping.content(folder)
    for trial in stored.values():
        del trial["tags"][schema.DATA]
    return stored


@pytest.mark.long  # in brief: tests/runner/test_chaos.py
def test_a_sweep_gives_the_same_numbers_on_two_raylets_that_share_a_bucket(world, s3, tmp_path):  # noqa: F811
    data, results = bucket("music"), bucket("results")
    for name in ("Su", "GuitarSet", "E-GMD", "NSynth"):
        upload(world / name, f"{data}/{name}")
    alone = sweep(tmp_path / "alone", "--data-root", str(world))
    caches = [tmp_path / "first", tmp_path / "second"]
    with raylets.Cluster(environment={"SSMPE_CACHE": str(caches[0])}) as cluster:
        cluster.add(environment={"SSMPE_CACHE": str(caches[1])})
        options = ("--data-root", data, "--storage", f"{results}/ssmpe")
        given = ("--address", cluster.address, "--gpus-per-trial", "auto")
        joined = sweep(tmp_path / "joined", *options, *given)
    assert joined == alone
    for cache in caches:  # a trial ran on either node, on a copy of its own
        assert list((cache / "audio").glob("Su-*"))
        assert not list((cache / "copies").glob("*/MusicNet")), "what no trial uses"


@pytest.mark.long
@hosts
def test_what_a_late_node_without_the_storage_is_given_goes_on_elsewhere(world, tmp_path):
    alone, joined, nothing = tmp_path / "alone", tmp_path / "joined", tmp_path / "nothing"
    storage = tmp_path / "storage"
    for folder in (joined, nothing, storage):
        folder.mkdir()
    # a trial has to last longer than a process takes to start: until then, others are reused
    longer = ("--set", "training.n_batches=80", "--set", "training.validate_every=20")
    expected = sweep(alone, "--seeds", "0-2", *longer)
    with raylets.Cluster() as cluster:
        given = ("--seeds", "0-2", "--address", cluster.address, "--storage", str(storage))
        process = sweeping.start(joined, *FEW, *longer, *given)
        output = sweeping.read_until(process, "0/80")
        cluster.add(host="late", covered={storage: nothing})
        rest, _ = process.communicate(timeout=900)
    output += rest
    assert process.returncode == 0, output
    assert f"node late: storage {storage}: what the driver writes there is not seen" in output
    assert "failed trial" not in output
    assert not list(nothing.iterdir()), "no checkpoint where nobody sees it"
    found = sweeping.content(joined)
    for trial in found.values():
        del trial["tags"][schema.DATA]
    assert found == expected


@pytest.mark.long
@hosts
def test_a_sweep_gives_the_same_numbers_on_two_hosts_that_share_only_storage_and_tracking(
    world, tmp_path
):
    alone, joined, nothing = tmp_path / "alone", tmp_path / "joined", tmp_path / "nothing"
    for folder in (joined / "results", nothing):
        folder.mkdir(parents=True)
    expected = sweep(alone)
    server = TrackingServer(joined / "results")
    server.start()
    try:
        with raylets.Cluster() as cluster:
            # it has neither the driver's cache nor its results, and renders the world itself
            covered = {cache_dir(): nothing, joined / "results": nothing}
            own = {"SSMPE_CACHE": str(tmp_path / "cache")}
            cluster.add(host="elsewhere", covered=covered, environment=own)
            options = ("--address", cluster.address, "--storage", str(tmp_path / "storage"))
            code, output = sweeping.run(joined, *FEW, *options)
            assert (code, "a SQLite file is of one machine" in output) == (2, True), output
            found = sweep(joined, *options, "--tracking-uri", server.uri)
    finally:
        server.kill()
    assert found == expected
    assert list((tmp_path / "cache" / "world").glob("tiny-*/world.json"))
