"""Where results are written: made sure of first, and nothing but a file is ever replaced."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from ssmpe.console import check_output, write_text, written
from ssmpe.errors import UserError
from tests.support import transcribing

checkpoint, command = transcribing.checkpoint, transcribing.command


def test_scores_go_into_a_pipe_that_stays_one(tmp_path, checkpoint, command):
    pipe, taken = tmp_path / "scores", []
    os.mkfifo(pipe)
    reader = Thread(target=lambda: taken.append(pipe.read_text()))
    reader.start()
    code, _, error = command("evaluate", "NSynth/valid", "--checkpoint", checkpoint, "--csv", pipe)
    if not stat.S_ISFIFO(pipe.lstat().st_mode):
        os.close(os.open(tmp_path / "scores", os.O_WRONLY))
    reader.join(10)
    assert (code, error) == (0, "")
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert taken[0].startswith("set,track,data,")
    assert len(taken[0].splitlines()) > 1


@pytest.mark.parametrize("kind", ["link", "device"])
def test_a_device_stays_one(tmp_path, kind):
    path = tmp_path / "null"
    if kind == "link":
        path.symlink_to("/dev/null")
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
            path.write_bytes(b"")
        except OSError:
            pytest.skip("devices cannot be made here")
    check_output("--csv", path)
    write_text(path, "text")
    assert stat.S_ISCHR(path.stat().st_mode)
    assert path.is_symlink() == (kind == "link")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / ("x" * 251 + ".csv")  # as long as a name may be
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), written(path) as file:
        file.write(f"half {1 / 0}")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with written(path) as file:
        file.write("after")
        file.flush()
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_leads_to_the_new_file(tmp_path):
    link, target = tmp_path / "link", tmp_path / "elsewhere" / "file"
    link.symlink_to(target)
    target.parent.mkdir()
    for text in ("new", "replaced"):
        write_text(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert os.listdir(target.parent) == ["file"]


def test_standard_output_is_written_to_as_it_stands(tmp_path):
    """As if it had been printed, also where the shell has led it to a file."""
    program = (
        "from pathlib import Path; from ssmpe.console import check_output, write_text;"
        "print('before', flush=True); out = Path('/dev/stdout');"
        "check_output('--csv', out); write_text(out, 'table\\n')"
    )
    log = tmp_path / "log"
    with log.open("w") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
    assert log.read_text() == "before\ntable\n"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"before\ntable\n"


def test_what_cannot_be_written_is_one_line_before_the_work(tmp_path, command):
    """Before the checkpoint is looked for, even."""
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    for name, said in (
        ("x" * 300, "cannot be written (File name too long)"),
        (f"{'y' * 300}/x.csv", "cannot be written (File name too long)"),
        ("file/x.csv", "cannot be written ("),
        ("", "is a folder"),
        ("socket", "cannot be written (neither a file nor a pipe)"),
        ("nul\0l", "cannot be written ("),
    ):
        arguments = ("evaluate", "--checkpoint", tmp_path / "gone", "--csv", tmp_path / name)
        code, output, error = command(*arguments)
        assert (code, output, error.count("\n")) == (2, "", 1), name
        assert error.startswith("error: --csv ")
        assert said in error
    assert sorted(os.listdir(tmp_path)) == ["file", "socket"]


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="needs a folder nobody can write to")
def test_a_folder_that_cannot_be_written(command):
    with pytest.raises(UserError, match=r"--csv /proc/sys: cannot be written \("):
        check_output("--csv", Path("/proc/sys/x.csv"))
