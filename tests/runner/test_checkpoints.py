"""Checkpoints in the storage, and patience with it."""

import errno
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpe.config import TrialConfig
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning.provision import Prepared
from ssmpe.runner.trial import reports
from ssmpe.runner.trial.checkpoints import (
    BEGUN,
    CHECKSUMS,
    KEPT,
    WHOLE,
    Checkpoints,
    DamagedError,
    Stage,
    outdated,
    require_begun,
)
from ssmpe.runner.trial.training import run_trial
from ssmpe.runner.tuner import worker_of
from ssmpe.storage import outlast, require_writable
from tests.support import invented
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


def test_one_that_is_there_already_is_left_as_it_is(anywhere, folder):
    anywhere.put("aa", Stage(7), folder)
    (folder / "state.pt").write_bytes(b"again")
    anywhere.put("aa", Stage(7), folder)
    with anywhere.fetched("aa", Stage(7)) as found:
        assert (found / "state.pt").read_bytes() == b"state"


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


def test_one_whose_copy_fails_does_not_count(checkpoints, folder, tmp_path):
    """Of what is copied nothing is said to be whole before it is there."""
    stored = tmp_path / "storage" / "sweep" / "aa" / Stage(7).folder
    (stored / "state.pt").mkdir(parents=True)  # no file can be written there
    with pytest.raises(OSError, match=r"state\.pt"):
        checkpoints.put("aa", Stage(7), folder, patience=0.0)
    assert checkpoints.stages("aa") == []
    assert not checkpoints.trials()
    (stored / "state.pt").rmdir()
    checkpoints.put("aa", Stage(7), folder)
    assert checkpoints.stages("aa") == [Stage(7)]


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


def test_storage_that_goes_away_is_not_taken_for_damage(checkpoints, folder, tmp_path):
    checkpoints.put("aa", Stage(7), folder)
    (tmp_path / "storage").rename(tmp_path / "away")
    for parts in ((), ("pictures",)):
        with pytest.raises(OSError, match="the storage is away"):
            checkpoints.fetched("aa", Stage(7), parts, patience=0.0).__enter__()


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


def text_of(folder: Path) -> str:
    return (folder / "state.pt").read_text()


@contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    """Change one bit of a file, for the time of the block."""
    content = path.read_bytes()
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    yield
    path.write_bytes(content)


def test_a_damaged_one_is_refused_passed_over_and_written_again(anywhere, folder):
    checkpoints = anywhere
    checkpoints.put("aa", Stage(7), folder)
    (folder / "state.pt").write_text("later")
    checkpoints.put("aa", Stage(8), folder)
    assert checkpoints.resumed("aa", text_of) == ("later", "")
    checkpoints._write(f"{checkpoints._path('aa', Stage(8))}/state.pt", b"latex")
    with pytest.raises(DamagedError, match=r"00000008: .*state\.pt is not what was written"):
        checkpoints.fetched("aa", Stage(8)).__enter__()
    with checkpoints.fetched("aa", Stage(8), ("pictures",)) as found:
        assert (found / "pictures" / "7.png").read_bytes() == b"picture"
    found, said = checkpoints.resumed("aa", text_of)
    assert found == "state"
    assert "\n" not in said
    assert said.count("00000008") == 1
    assert said.endswith(
        "00000008: a damaged checkpoint (state.pt is not what was written); the checkpoint of "
        "batch 7 is used instead"
    )
    checkpoints.put("aa", Stage(8), folder)
    assert checkpoints.resumed("aa", text_of) == ("later", "")


def test_damaged_ones_push_out_none_that_is_made_before_them(checkpoints, folder):
    for batch in (7, 8):
        checkpoints.put("aa", Stage(batch), folder)
        checkpoints._write(f"{checkpoints._path('aa', Stage(batch))}/state.pt", b"x")
    assert checkpoints.resumed("aa", text_of)[0] is None
    checkpoints.put("aa", Stage(6), folder)
    assert checkpoints.resumed("aa", text_of)[0] == "state"


def test_where_the_storage_goes_nothing_is_called_damaged(checkpoints, folder, tmp_path):
    checkpoints.put("aa", Stage(7), folder)
    root = tmp_path / "storage" / "sweep"
    (root / "aa" / Stage(7).folder / "state.pt").unlink()
    (root / BEGUN).unlink()
    with pytest.raises(FileNotFoundError, match="the storage is away"):
        checkpoints.fetched("aa", Stage(7), patience=0.0).__enter__()


def test_who_sees_another_storage_than_the_driver_is_told(checkpoints, tmp_path):
    mark = checkpoints.begin()
    checkpoints.meet(mark, 0.0)
    other = Checkpoints(str(tmp_path / "other"), "sweep")
    with pytest.raises(FileNotFoundError, match="the storage is away"):
        other.meet(mark, 0.0)
    other.begin()
    with pytest.raises(FileNotFoundError, match="not the storage that the driver writes to"):
        other.meet(mark, 0.0)


def test_a_resume_asks_whether_its_sweep_was_begun_there(checkpoints, tmp_path):
    require_begun(str(tmp_path / "storage"), "sweep")
    with pytest.raises(UserError, match=r"storage/other: the checkpoints of .* are not there: "):
        require_begun(str(tmp_path / "storage"), "other", patience=0.0)
    with pytest.raises(UserError, match=r"are not there \(.*query parameter.*\): mount"):
        require_begun("s3://bucket?what=ever", "sweep", patience=0.0)


def test_one_of_which_a_file_is_missing_is_damaged(checkpoints, folder, tmp_path):
    checkpoints.put("aa", Stage(7), folder)
    (tmp_path / "storage" / "sweep" / "aa" / Stage(7).folder / "pictures" / "7.png").unlink()
    found, said = checkpoints.resumed("aa", text_of)
    assert found is None
    assert "(7.png: No such file or directory); no other checkpoint is left" in said


@pytest.mark.parametrize("name", [CHECKSUMS, WHOLE])
def test_without_its_checksums_it_is_not_taken_for_an_old_one(checkpoints, folder, tmp_path, name):
    checkpoints.put("aa", Stage(7), folder)
    (tmp_path / "storage" / "sweep" / "aa" / Stage(7).folder / name).write_bytes(b"")
    with pytest.raises(DamagedError):
        checkpoints.fetched("aa", Stage(7)).__enter__()


def as_of_0_3_0(folder: Path) -> None:
    """Make a checkpoint what version 0.3.0 would have written."""
    (folder / CHECKSUMS).unlink()
    (folder / WHOLE).write_bytes(b"")


def test_checkpoints_without_checksums_stay_usable(anywhere, folder):
    checkpoints = anywhere
    checkpoints.put("aa", Stage(7), folder)
    path = checkpoints._path("aa", Stage(7))
    checkpoints._filesystem.delete_file(f"{path}/{CHECKSUMS}")
    checkpoints._write(f"{path}/{WHOLE}", b"")
    assert checkpoints.resumed("aa", text_of) == ("state", "")
    checkpoints.put("aa", Stage(7), folder)
    assert checkpoints.resumed("aa", text_of) == ("state", "")


N_FLIPS = 240


def runner(plan: Plan) -> Callable[[TrialConfig], list[Any]]:
    """Return what runs a trial of a plan and returns its reports."""
    worker = asdict(worker_of(plan, Prepared(cache_dir(), {}, {}), 0.0))

    def run(config: TrialConfig) -> list[Any]:
        trial = {"row": "Ref.", "config": config.to_dict()}
        return list(run_trial({"worker": worker, "trial": trial}))

    return run


@pytest.fixture(scope="module")
def ended(world, brief, tmp_path_factory) -> Plan:
    """Return a plan whose trial was trained to its end, to be copied."""
    folder = tmp_path_factory.mktemp("ended")
    plan = replace(invented.planned(1, folder), data_root=str(world))
    Checkpoints(plan.storage, plan.name).begin()
    runner(plan)(brief)
    return plan


@pytest.fixture
def trained(ended, brief, tmp_path) -> tuple[Checkpoints, Path, Callable[..., list[Any]]]:
    """Checkpoints of a trial that was trained to its end, their folder, and how to run trials."""
    plan = replace(ended, storage=str(tmp_path / "checkpoints"))
    shutil.copytree(ended.storage, plan.storage)
    checkpoints, run = Checkpoints(plan.storage, plan.name), runner(plan)

    def again(config: TrialConfig = brief) -> list[Any]:
        return run(config)

    return checkpoints, Path(plan.storage) / plan.name / brief.identity, again


def test_whatever_bit_flips_the_checkpoint_before_is_used(trained, brief):
    checkpoints, folder, _ = trained
    last, before = checkpoints.stages(brief.identity)
    files = sorted(path for path in (folder / last.folder).rglob("*") if path.is_file())
    names = {path.relative_to(folder / last.folder).parts[0] for path in files}
    assert names == {
        *("state.pt", "best.pt", "best.json", "trial.json", "pictures", "scores"),
        *(CHECKSUMS, WHOLE),
    }
    refused = 0
    for number in range(N_FLIPS):
        path = files[number % len(files)]
        bit = (number * 8 * path.stat().st_size // N_FLIPS) | (number // len(files) % 8)
        with flipped(path, bit):
            found, said = checkpoints.resumed(brief.identity, lambda folder: folder.name)
        refused += found == before.folder and last.folder in said and "\n" not in said
    assert refused == N_FLIPS
    assert checkpoints.resumed(brief.identity, lambda folder: folder.name) == (last.folder, "")


def results(found: list[dict[str, Any]]) -> dict[int, Any]:
    """Metrics of reports by batch, but for their times."""
    return {
        report[reports.BATCH]: {
            key: value for key, value in report[reports.METRICS].items() if "time/" not in key
        }
        for report in found
    }


def test_a_trial_says_what_was_damaged_and_comes_to_the_same(trained, brief):
    checkpoints, folder, run = trained
    last, before = checkpoints.stages(brief.identity)
    (undisturbed,) = run()
    assert reports.DAMAGED not in undisturbed
    for stage in (last, before):
        path = folder / stage.folder / "state.pt"
        changed = bytearray(path.read_bytes())
        changed[len(changed) // 2] ^= 1
        path.write_bytes(changed)
        found = run()
        said = found[0][reports.DAMAGED]
        assert f"{last.folder}: a damaged checkpoint (state.pt is not what was written)" in said
        assert not any(reports.DAMAGED in report for report in found[1:])
        assert results(found)[6] == results([undisturbed])[6]
        if stage == last:
            assert said.endswith("the checkpoint of batch 4 is used instead")
            assert [report[reports.BATCH] for report in found] == [4, 6]
            path.write_bytes(changed)  # the trial has mended it
        else:
            assert said.endswith("no other checkpoint is left: the trial begins anew")
            assert [report[reports.BATCH] for report in found] == [2, 4, 6]
    assert reports.DAMAGED not in run()[0]


def without_its_curve(plain: dict[str, Any]) -> None:
    del plain["curve"]


def with_another_curve(plain: dict[str, Any]) -> None:
    plain["curve"] = 7


@pytest.mark.parametrize("change", [without_its_curve, with_another_curve])
def test_an_old_checkpoint_that_lacks_something_is_passed_over(trained, brief, change):
    checkpoints, folder, run = trained
    last, _ = checkpoints.stages(brief.identity)
    as_of_0_3_0(folder / last.folder)
    path = folder / last.folder / "trial.json"
    plain = json.loads(path.read_text())
    change(plain)
    path.write_text(json.dumps(plain))
    found = run()
    assert [report[reports.BATCH] for report in found] == [4, 6]
    assert found[0][reports.DAMAGED].endswith("the checkpoint of batch 4 is used instead")


def test_damaged_weights_of_a_parent_are_one_line(trained, brief):
    checkpoints, folder, run = trained
    (last, *_) = checkpoints.stages(brief.identity)
    path = folder / last.folder / "best.pt"
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 3] ^= 16
    path.write_bytes(changed)
    (report,) = run(brief.replace({"training.parent": brief.identity}))
    assert "best.pt is not what was written" in report[reports.FAILURE]
    assert "remove the folder of that trial" in report[reports.FAILURE]
    assert "\n" not in report[reports.FAILURE]
