"""The queue on disk: what a kill, a full disk or a bad sector leave of it."""

import fcntl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssmpe.errors import OutOfSpaceError, UserError
from ssmpe.tracking.operations import Kind, Operation
from ssmpe.tracking.spool import BLOCK, Spool
from ssmpe.tracking.tracker import Tracker, local_uri


def report(step: int, note: str = "") -> Operation:
    return Operation.now(Kind.LOG, "a1", step=step, metrics={"loss/total": step / 7}, note=note)


def all_pending(spool: Spool) -> list[Operation]:
    operations: list[Operation] = []
    while (block := spool.pending()).operations:
        operations += block.operations
        spool.mark(block.end)
    return operations


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return the root of a file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small file system takes a privileged user")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_operations_come_back_as_they_were_and_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    long_line = report(-1, note="ö\n\x85" * BLOCK)  # longer than what is read at a time
    given = [*map(report, range(3000)), long_line, *map(report, range(3000))]
    for operation in given:
        spool.append(operation)
    assert all_pending(spool) == given
    spool.append(report(9))
    assert [o.content["step"] for o in all_pending(spool)] == [9]


def test_a_new_process_goes_on_behind_what_was_marked(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for step in range(3):
        spool.append(report(step))
    spool.mark(spool.end)
    for step in range(3, 6):
        spool.append(report(step))
    spool.close()
    spool = Spool(tmp_path)
    assert [o.content["step"] for o in all_pending(spool)] == [3, 4, 5]
    spool.close()
    assert not tmp_path.exists()


def test_a_spool_that_is_removed_while_it_is_opened_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, lock = Spool(tmp_path / "spool"), fcntl.flock
    ends = [first.close]  # between the other's opening and locking

    def late(file: int, how: int) -> None:
        if ends:
            ends.pop()()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    second = Spool(tmp_path / "spool")
    second.append(report(1))
    assert (tmp_path / "spool" / "operations.jsonl").stat().st_size == second.end
    assert [o.content["step"] for o in all_pending(second)] == [1]
    second.close()


def test_whatever_a_kill_tears_off_the_whole_lines_remain(tmp_path: Path) -> None:
    lines = [report(step).to_line() for step in range(4)]
    whole = b"".join(lines)
    path = tmp_path / "operations.jsonl"
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        spool = Spool(tmp_path)
        complete = list(range(whole[:size].count(b"\n")))
        assert [o.content["step"] for o in spool.pending().operations] == complete
        spool.append(report(99))
        assert [o.content["step"] for o in spool.pending().operations] == [*complete, 99]
        spool.mark(0)
        spool.close()


@pytest.mark.parametrize("mark", ["", "x", "00000000000000000003", "00000000000099999999"])
def test_a_mark_that_cannot_be_right_means_all_over_again(tmp_path: Path, mark: str) -> None:
    (tmp_path / "operations.jsonl").write_bytes(report(0).to_line() + report(1).to_line())
    (tmp_path / "delivered").write_text(mark)
    assert [o.content["step"] for o in all_pending(Spool(tmp_path))] == [0, 1]


def test_damaged_lines_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = [b"\x00" * 40, b"[1, 2]", b"7", b'["unheard-of", null, {}, 0]', b""]
    lines = [report(0).to_line(), *(line + b"\n" for line in damaged), report(1).to_line()]
    (tmp_path / "operations.jsonl").write_bytes(b"".join(lines))
    assert [o.content["step"] for o in all_pending(Spool(tmp_path))] == [0, 1]
    assert len(caplog.records) == len(damaged)


def test_a_full_disk_is_told_and_leaves_whole_lines(small_disk: Path, tmp_path: Path) -> None:
    spool = Spool(small_disk / "spool")
    picture = tmp_path / "picture.png"
    picture.write_bytes(bytes(1 << 17))
    with pytest.raises(OutOfSpaceError, match="resume"):
        spool.keep(picture)
    assert not list((small_disk / "spool").glob("files/*"))
    given = list(map(report, range(1000)))
    assert sum(len(operation.to_line()) for operation in given) > 1 << 16
    kept = 0
    with pytest.raises(OutOfSpaceError, match="resume"):  # noqa: PT012 -- one of them does
        for operation in given:
            spool.append(operation)
            kept += 1
    assert all_pending(spool) == given[:kept]


def test_a_tracker_tells_of_a_full_disk_from_log_and_flush_only(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "operations.jsonl").symlink_to("/dev/full")
    tracker = Tracker(local_uri(tmp_path), folder)
    tracker.start_trial("a1", "closed", {}, {})
    tracker.end_trial("a1", "FINISHED", {})
    with pytest.raises(OutOfSpaceError, match=f"{folder}: the disk is full"):
        tracker.log("a1", 0, {"loss/total": 1.0})
    with pytest.raises(OutOfSpaceError):
        tracker.flush(1)
    assert not tracker.close(1)


def test_a_spool_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        Spool(tmp_path / "file" / "spool")
