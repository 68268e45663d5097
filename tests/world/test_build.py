"""Building the embedded world: repeatability, and what can go wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.world.build import build_world, world_key
from ssmpe.world.sizes import WorldSize
from ssmpe.world.workers import write_all
from tests.support.micro_world import MICRO, SMALLEST, micro_world, names


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return micro_world(tmp_path_factory)


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_world_is_the_same_whatever_the_number_of_processes(world, tmp_path):
    again = build_world(tmp_path / "again", MICRO, jobs=1)
    assert contents(again) == contents(world)


def test_finished_world_is_used_again(world):
    before = (world / "world.json").stat().st_mtime_ns
    calls = []
    assert build_world(world, MICRO, progress=lambda *call: calls.append(call)) == world
    assert calls == []
    assert (world / "world.json").stat().st_mtime_ns == before


def test_world_of_another_kind_is_not_overwritten(world, tmp_path):
    with pytest.raises(UserError, match=r"holds world custom-\w+, not tiny-\w+"):
        build_world(world, "tiny")
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="not an embedded world"):
        build_world(tmp_path, MICRO)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_unknown_size_is_refused(tmp_path):
    with pytest.raises(UserError, match="no embedded world of size 'huge'; choose one of tiny"):
        build_world(tmp_path / "world", "huge")


def test_keys_tell_worlds_apart():
    assert world_key("tiny") == world_key("tiny")
    assert world_key(WorldSize(urmp=1)) != world_key(WorldSize(urmp=2))
    assert world_key("tiny").removeprefix("tiny-") == world_key(WorldSize()).removeprefix("custom-")


def test_place_that_cannot_be_written_is_a_users_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written there") as raised:
        build_world(tmp_path / "file" / "world", MICRO)
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_a_users_mistake(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written there"):
        build_world(tmp_path / "world", MICRO)
    tmp_path.chmod(0o700)


BUILD = (
    "import sys; from pathlib import Path; from tests.support.micro_world import SMALLEST;"
    "from ssmpe.world.build import build_world;"
    "build_world(Path(sys.argv[1]), SMALLEST, lambda *p: print(p[0]), jobs=1)"
)


def start_build(root: Path, *prefix: str) -> subprocess.Popen[str]:
    command = [*prefix, sys.executable, "-c", BUILD, str(root)]
    here = Path(__file__).parents[2]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, text=True, cwd=here, stdout=pipe, stderr=pipe)


def test_one_of_several_processes_builds(tmp_path):
    builders = [start_build(tmp_path / "world") for _ in range(3)]
    printed = sorted(builder.communicate()[0] for builder in builders)
    assert [builder.returncode for builder in builders] == [0, 0, 0]
    assert printed[:2] == ["", ""]
    assert len(printed[2].split()) == 4  # two splits of NSynth, a drum loop, the index
    assert names(tmp_path) == {"world", ".world.lock"}


def test_killed_build_leaves_nothing_to_the_next(tmp_path):
    builder = start_build(tmp_path / "world")
    assert builder.stdout is not None
    builder.stdout.readline()
    builder.kill()
    builder.communicate()
    assert not (tmp_path / "world").exists()
    build_world(tmp_path / "world", SMALLEST, jobs=1)
    assert names(tmp_path) == {"world", ".world.lock"}


def test_failed_build_leaves_nothing(tmp_path):
    def stop(done, total, label):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_world(tmp_path / "world", SMALLEST, progress=stop, jobs=2)
    assert names(tmp_path) == {".world.lock"}


class Failing:
    """A task that fails like one on a full disk or one that is killed."""

    label = "failing"

    def __init__(self, how: str) -> None:
        self.how = how

    def write(self, root: Path) -> None:
        if self.how == "full":
            Path("/dev/full").write_text("something")
        os._exit(1)


def test_failure_in_a_process_is_reported(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        list(write_all([Failing("full")], tmp_path, 2))
    with pytest.raises(RuntimeError, match="failing: the process rendering it died"):
        list(write_all([Failing("killed")], tmp_path, 2))


def test_full_disk_leaves_nothing(tmp_path):
    """On a real file system of 300 kB, where the system lets one be mounted."""
    mount = f"mount -t tmpfs -o size=300k none {tmp_path} && "
    script = mount + f'"$@"; echo $? $(ls -A {tmp_path})'
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    if subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount + "true"], capture_output=True
    ).returncode:
        pytest.skip("needs user namespaces")
    prefix = ("unshare", "-rm", "sh", "-c", script, "sh")
    out, error = start_build(tmp_path / "world", *prefix).communicate()
    assert out.splitlines()[-1] == "1 .world.lock"
    last_line = error.strip().splitlines()[-1]
    assert last_line.startswith(f"{OutOfSpaceError.__module__}.OutOfSpaceError: ")
    assert "the disk is full" in last_line
