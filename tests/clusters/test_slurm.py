"""clusters/slurm.sh with a Slurm whose two nodes are both this machine, and a real Ray on them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.clusters import CLUSTERS, executable, kill_all_with, processes_with

# the options that the script gives are those of Slurm's srun
_SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do
    echo "$1" >> "$RECORD"
    shift
done
exec "$@"
"""
_SCONTROL = """#!/bin/bash
[ "$*" = "show hostnames node[1-2]" ] && printf 'node1\\nnode2\\n'
"""
_SWEEP = """
import signal, sys, time, ray
ray.init(address="auto", log_to_driver=False)
signal.signal(signal.SIGTERM, lambda *_: (print("told to end", flush=True), sys.exit(7)))
print("nodes:", len(ray.nodes()), "CPUs:", ray.cluster_resources()["CPU"], flush=True)
time.sleep(300)
"""


def free_job() -> int:
    """Return a number for a job all of whose ports are free."""
    for job in range(os.getpid() % 5000, 9999):
        with suppress(OSError):
            for port in (20000 + job, 30000 + job, 40000 + job):
                socket.create_server(("", port)).close()
            return job
    raise AssertionError("no free ports")


class Slurm:
    """A user's files on a cluster, and jobs on it."""

    def __init__(self, base: Path) -> None:
        self.folder, self.job = base / "project", free_job()
        home, binaries = base / "home", base / "bin"
        for folder in (self.folder / ".venv" / "bin", home, binaries):
            folder.mkdir(parents=True)
        (self.folder / ".venv" / "bin" / "activate").write_text("")
        for name, text in (("srun", _SRUN), ("scontrol", _SCONTROL)):
            executable(binaries / name, text.replace("{", "{{").replace("}", "}}"))
        self.record, self.log = base / "srun", base / "log"
        keep = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        self._environment = keep | {
            "PATH": f"{binaries}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "RECORD": str(self.record),
            "SLURM_SUBMIT_DIR": str(self.folder),
            "SLURM_JOB_ID": str(self.job),
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_JOB_NUM_NODES": "2",
            "SLURM_CPUS_PER_TASK": "3",
        }

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [CLUSTERS / "slurm.sh", *command],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    slurm = Slurm(tmp_path)
    yield slurm
    kill_all_with("RECORD", slurm.record)


def ends_alone(slurm: Slurm) -> bool:
    """Whether nothing of a job is left; Slurm itself would end what is."""
    deadline = time.monotonic() + 20
    while processes_with("RECORD", slurm.record) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not processes_with("RECORD", slurm.record)


def test_shellcheck_finds_nothing():
    result = subprocess.run(["shellcheck", CLUSTERS / "slurm.sh"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_shellcheck_can_find_something(tmp_path):
    script = (CLUSTERS / "slurm.sh").read_text().replace('cd "$SLURM_SUBMIT_DIR"', "cd $1")
    (tmp_path / "slurm.sh").write_text(script)
    assert subprocess.run(["shellcheck", tmp_path / "slurm.sh"], capture_output=True).returncode


def test_no_command_is_one_line(slurm):
    assert slurm.start().wait(30) == 2
    assert slurm.log.read_text().startswith("usage: sbatch clusters/slurm.sh")


@pytest.mark.long
def test_a_sweep_finds_all_nodes_is_told_to_end_and_leaves_nothing(slurm):
    job = slurm.start(sys.executable, "-c", _SWEEP)
    deadline = time.monotonic() + 150
    while "nodes:" not in slurm.log.read_text():
        assert time.monotonic() < deadline, slurm.log.read_text()
        time.sleep(0.2)
    assert "nodes: 2 CPUs: 6.0" in slurm.log.read_text()
    token = slurm.folder.parent / "home" / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o077 == 0
    job.send_signal(signal.SIGTERM)  # as Slurm does two minutes before the time is up
    assert job.wait(60) == 7
    assert "told to end" in slurm.log.read_text()
    assert ends_alone(slurm)
    asked = slurm.record.read_text().splitlines()
    assert "--nodelist=node1" in asked
    assert "--exclude=node1" in asked
