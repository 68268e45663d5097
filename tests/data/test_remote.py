"""Datasets in object storage: copies in the cache, with a real S3 server and with file://."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import Use, load_use
from ssmpe.data.store.mirror import mirror, mirror_root
from ssmpe.errors import UserError
from tests.support.object_storage import bucket, s3, upload  # noqa: F401

USE = Use("Su/all", annotated=True, sample_rate=11025)
DRUMS = Use("E-GMD/train", annotated=False, sample_rate=11025)

KILLED = """
import os, signal, sys
from pathlib import Path
from ssmpe.data.store.mirror import mirror
def progress(name, done, total):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)
mirror(sys.argv[1], ["Su"], Path(sys.argv[2]), progress)
"""


@pytest.fixture(scope="module")
def remote(s3, world) -> str:  # noqa: F811
    """Return the URI of a folder with two datasets of the embedded world."""
    uri = bucket("data") + "/sets"
    for name in ("Su", "E-GMD"):
        upload(world / name, f"{uri}/{name}")
    return uri


def files(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path.relative_to(folder)): (s.st_size, s.st_mtime_ns, s.st_ino)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
        for s in [path.stat()]
    }


def test_a_copy_is_the_dataset_and_has_the_same_keys_on_every_node(remote, tmp_path):
    stores = []
    for node in ("a", "b"):
        told: list[tuple[str, int, int]] = []
        cache, heard = tmp_path / node, told.append
        root = mirror(remote, ["Su", "E-GMD"], cache, lambda *step, heard=heard: heard(step))
        assert root == mirror_root(remote, cache)
        assert {name for name, *_ in told} == {"Su", "E-GMD"}
        assert told[-1][1] == told[-1][2]
        stores.append([load_use(use, Locations(root), cache) for use in (USE, DRUMS)])
    for first, second in zip(*stores, strict=True):
        assert first.ready == second.ready
        assert first.store.digest == second.store.digest
        assert (first.store.audio(0) == second.store.audio(0)).all()


def test_the_copy_holds_the_same_bytes(remote, world, tmp_path):
    root = mirror(remote, ["Su"], tmp_path)
    original = world / "Su"
    for path in files(original):
        assert (root / "Su" / path).read_bytes() == (original / path).read_bytes()


def test_what_is_there_is_not_copied_again_and_a_killed_copy_goes_on(remote, tmp_path):
    command = [sys.executable, "-c", KILLED, remote, str(tmp_path)]
    killed = subprocess.run(command, capture_output=True, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = mirror_root(remote, tmp_path) / "Su"
    before, steps = files(folder), []
    assert len(before) >= 3
    mirror(remote, ["Su"], tmp_path, lambda *step: steps.append(step))
    after = files(folder)
    assert before.items() <= after.items(), "copied before, and untouched"
    assert len(steps) == len(after) - len(before) > 0
    steps.clear()
    mirror(remote, ["Su"], tmp_path, lambda *step: steps.append(step))
    assert not steps
    assert files(folder) == after


def test_a_source_that_changes_is_noticed(tmp_path):
    source, cache = tmp_path / "source", tmp_path / "cache"
    (source / "URMP" / "piece").mkdir(parents=True)
    for name in ("a", "b", "piece/c"):
        (source / "URMP" / name).write_text(name)
    uri = f"file://{source}"
    folder = mirror(uri, ["URMP"], cache) / "URMP"
    first = files(folder)
    assert {n: s[:2] for n, s in first.items()} == {
        n: s[:2] for n, s in files(source / "URMP").items()
    }
    (source / "URMP" / "a").write_text("z")  # the same size, another time
    (source / "URMP" / "piece" / "c").unlink()
    (source / "URMP" / "piece").rmdir()
    (source / "URMP" / "piece").write_text("a file now")
    mirror(uri, ["URMP"], cache)
    assert (folder / "a").read_text() == "z"
    assert (folder / "piece").read_text() == "a file now"
    assert files(folder)["b"] == first["b"]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://data/sets", "there is no folder Bach10"),
        ("s3://nobody/sets", "Bach10"),
        ("ftp://host/sets", "ftp"),
    ],
)
def test_what_cannot_be_copied_is_one_line(remote, tmp_path, uri, said):
    with pytest.raises(UserError, match=said) as error:
        mirror(uri, ["Bach10"], tmp_path)
    assert str(error.value).startswith(f"--data-root {uri}: ")
    assert "\n" not in str(error.value)


def test_a_disk_without_room_is_told_before_anything_is_copied(tmp_path):
    huge = tmp_path / "source" / "FMA" / "huge.mp3"
    huge.parent.mkdir(parents=True)
    with huge.open("wb") as file:
        file.truncate(2**43)  # takes no space itself
    with pytest.raises(UserError, match=r"FMA needs 8796\.09 GB .* set SSMPE_CACHE"):
        mirror(f"file://{tmp_path / 'source'}", ["FMA"], tmp_path / "cache")


def test_a_name_that_leads_out_of_the_copy_is_refused(remote, tmp_path):
    boto3.client("s3").put_object(Bucket="data", Key="odd/URMP/../../../evil", Body=b"x")
    with pytest.raises(UserError, match="outside its folder"):
        mirror("s3://data/odd", ["URMP"], tmp_path)
    assert not list(tmp_path.rglob("evil"))
