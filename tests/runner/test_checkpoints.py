"""Checkpoints in the storage, and patience with it."""

import errno
import os
import signal
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpe.errors import UserError
from ssmpe.runner.trial.checkpoints import KEPT, WHOLE, Checkpoints, Stage, outdated
from ssmpe.storage import outlast, require_writable
from tests.support.object_storage import bucket, s3  # noqa: F401

STAGES = st.builds(Stage, st.integers(0, 10**7), st.booleans())


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "made"
    (folder / "pictures").mkdir(parents=True)
    (folder / "state.pt").write_bytes(b"state")
    (folder / "pictures" / "7.png").write_bytes(b"picture")
    return folder


@pytest.fixture
def checkpoints(tmp_path):
    checkpoints = Checkpoints(str(tmp_path / "storage"), "sweep")
    checkpoints.begin()
    return checkpoints


@pytest.fixture(params=["folder", "s3"])
def anywhere(request, tmp_path, checkpoints):
    """On this disk, and in an object store."""
    if request.param == "folder":
        return checkpoints
    request.getfixturevalue("s3")
    found = Checkpoints(bucket("storage") + f"/{tmp_path.name}", "sweep")
    found.begin()
    return found


@given(STAGES)
def test_a_stage_is_known_by_its_folder(stage):
    assert Stage.of(stage.folder) == stage


@given(st.lists(STAGES))
def test_stages_sort_as_their_folders_do_and_a_validation_comes_after_its_last_batch(stages):
    assert Stage(7, validated=False) < Stage(7) < Stage(8, validated=False)
    assert sorted(stages) == sorted(stages, key=lambda s: (s.folder[:8], s.validated))


@pytest.mark.parametrize("name", ["tune", "00000007-x", "-between", "7.partial"])
def test_other_folders_are_no_stages(name):
    assert Stage.of(name) is None


@given(st.lists(STAGES, unique=True))
def test_what_is_kept_can_be_resumed_and_shown(stages):
    stages.sort(reverse=True)
    kept = [stage for stage in stages if stage not in outdated(stages)]
    assert kept[:KEPT] == stages[:KEPT]
    assert [s for s in kept if s.validated] == [s for s in stages if s.validated][:KEPT]
    assert len(kept) <= 2 * KEPT


def test_a_checkpoint_comes_back_as_it_was_put(anywhere, folder):
    checkpoints = anywhere
    assert not checkpoints.trials()
    assert checkpoints.stages("aa") == []
    checkpoints.put("aa", Stage(7), folder)
    assert checkpoints.trials() == {"aa"}
    assert checkpoints.stages("aa") == [Stage(7)]
    with checkpoints.fetched("aa", Stage(7)) as found:
        assert (found / "state.pt").read_bytes() == b"state"
        assert (found / "pictures" / "7.png").read_bytes() == b"picture"
    with checkpoints.fetched("aa", Stage(7), ("pictures", "nothing")) as found:
        assert (found / "pictures" / "7.png").read_bytes() == b"picture"


def test_old_checkpoints_go_and_the_newest_come_first(anywhere, folder):
    for batch in (100, 20, 3, 50):
        anywhere.put("aa", Stage(batch), folder)
    assert anywhere.stages("aa") == [Stage(100), Stage(50)]


def test_nothing_is_left_of_old_checkpoints(checkpoints, folder, tmp_path):
    for batch in (100, 20, 3, 50):
        checkpoints.put("aa", Stage(batch), folder)
    assert len(list((tmp_path / "storage" / "sweep" / "aa").iterdir())) == KEPT


def test_an_object_store_that_does_not_answer_is_waited_for(s3, folder, tmp_path):  # noqa: F811
    checkpoints = Checkpoints(bucket("storage") + f"/{tmp_path.name}", "sweep")
    checkpoints.begin()
    checkpoints.put("aa", Stage(7), folder)
    os.kill(s3.pid, signal.SIGSTOP)
    thread = threading.Timer(5.0, os.kill, (s3.pid, signal.SIGCONT))
    thread.start()
    try:
        started = time.monotonic()
        checkpoints.put("aa", Stage(8), folder)
        assert time.monotonic() - started > 4.0
    finally:
        thread.join()
    assert checkpoints.stages("aa") == [Stage(8), Stage(7)]


def test_one_that_is_not_whole_does_not_count_and_is_written_again(checkpoints, folder, tmp_path):
    checkpoints.put("aa", Stage(7), folder)
    stored = tmp_path / "storage" / "sweep" / "aa" / Stage(7).folder
    (stored / WHOLE).unlink()
    (stored / "state.pt").write_bytes(b"sta")
    assert checkpoints.stages("aa") == []
    assert not checkpoints.trials()
    checkpoints.put("aa", Stage(7), folder)
    with checkpoints.fetched("aa", Stage(7)) as found:
        assert (found / "state.pt").read_bytes() == b"state"


@pytest.mark.parametrize("left", ["nothing", "a mount point", "a file"])
def test_storage_that_is_away_is_waited_for(checkpoints, folder, tmp_path, left):
    """It must neither look as if there were no checkpoints, nor take one beside its place."""
    place, away = tmp_path / "storage", tmp_path / "away"
    checkpoints.put("aa", Stage(7), folder)
    place.rename(away)
    if left == "a mount point":
        place.mkdir()
    elif left == "a file":
        place.write_text("")
    with pytest.raises(OSError, match="storage"):
        checkpoints.put("aa", Stage(8), folder, patience=0.0)

    def back():
        time.sleep(1.0)
        if left != "nothing":
            place.rename(tmp_path / "mistaken")
        away.rename(place)

    thread = threading.Thread(target=back)
    thread.start()
    assert checkpoints.stages("aa") == [Stage(7)]
    thread.join()
    checkpoints.put("aa", Stage(8), folder)
    assert checkpoints.stages("aa") == [Stage(8), Stage(7)]


def test_patience_ends(tmp_path):
    started = time.monotonic()
    with pytest.raises(FileNotFoundError):
        outlast((tmp_path / "never").read_bytes, patience=1.2)
    assert 0.4 < time.monotonic() - started < 10


def test_nobody_waits_for_a_full_disk():
    tries = []

    def write():
        tries.append(1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space"):
        outlast(write)
    assert len(tries) == 1


def test_storage_that_cannot_be_written_to_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written to") as error:
        require_writable(str(tmp_path / "file"), "--storage file")
    assert "\n" not in str(error.value)
