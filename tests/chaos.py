"""Kills what a sweep consists of, at random moments, and has it end all the same.

python -m tests.chaos --kills 30 --seed 0
"""

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import sweeping
from tests.support.processes import running, titled, tree
from tests.support.raylets import ENVIRONMENT, Cluster
from tests.support.servers import TrackingServer

SWEEP = (sweeping.UNREPORTED, "sample_count")
ROWS = ("--rows", "supervised,Ref.,+NS-1", "--seeds", "0,1")
PATIENCE = 900.0
"""seconds that a disturbed sweep may take"""
ENDING = 180.0
"""seconds that a driver may take to end in order"""
TRIAL = "ray::TrialTrainable"


@dataclass
class Driver:
    """The process of a sweep's script, and all it has said; started again, it resumes."""

    folder: Path
    arguments: tuple[str, ...]
    address: str
    said: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        found = re.search(r"^sweep (\S+): ", self.said, re.MULTILINE)
        arguments = ("--resume", found[1]) if found else self.arguments
        self.process = subprocess.Popen(
            sweeping.command(*SWEEP, *arguments, "--address", self.address),
            cwd=self.folder,
            env={**os.environ, **ENVIRONMENT, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        threading.Thread(target=self._read, args=[self.process], daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self.said += line

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()


@dataclass
class Chaos:
    """A sweep on a cluster with a tracking server and a storage, all of which may go.

    Attributes:
        folder: where its results, its store and its storage are.
        log: what was done to it, and when.
    """

    folder: Path
    seed: int
    n_nodes: int = 2
    log: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)

    def run(self, n_kills: int, arguments: tuple[str, ...]) -> None:
        """Run a sweep to its end, and kill something up to ``n_kills`` times before that."""
        (self.folder / "results").mkdir(parents=True)
        self._random = random.Random(self.seed)
        self._server = TrackingServer(self.folder / "results")
        self._storage = self.folder / "storage"
        self._server.start()
        with contextlib.ExitStack() as self._clusters:
            self._new_cluster()
            places = ("--tracking-uri", self._server.uri, "--storage", str(self._storage))
            self._driver = Driver(self.folder, (*arguments, *places), self._cluster.address)
            self._driver.start()
            try:
                self._disturb(n_kills)
                self._end()
            finally:
                self._driver.kill()
                self._server.kill()

    def _new_cluster(self) -> None:
        self._clusters.close()
        self._cluster = self._clusters.enter_context(Cluster(n_cpus=0))
        for _ in range(self.n_nodes):
            self._cluster.add()

    def _disturb(self, n_kills: int) -> None:
        kinds: dict[str, Callable[[], bool]] = {
            "trial": lambda: self._kill_trial(signal.SIGKILL),
            "trial (SIGTERM)": lambda: self._kill_trial(signal.SIGTERM),
            "node": self._kill_node,
            "raylet": self._kill_raylet,
            "control service": self._kill_control_service,
            "driver": self._kill_driver,
            "process group": self._end_group,
            "tracking server": self._kill_server,
            "storage": self._lose_storage,
        }
        waiting: list[str] = []
        while sum(self.kills.values()) < n_kills and not self._is_over():
            if not waiting:
                waiting = self._random.sample(list(kinds), len(kinds))
            self._pause(1.0, 6.0)
            kind = waiting.pop()
            if not self._is_over() and kinds[kind]():
                self.kills[kind] += 1

    def _is_over(self) -> bool:
        assert self._driver.process
        return self._driver.process.poll() == 0

    def _end(self) -> None:
        """Wait for the sweep; a driver that was lost with its node is started again."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            process = self._driver.process
            assert process
            code = process.wait(deadline - time.monotonic())
            if code == 0:
                return
            self._note_end(code)
            self._driver.start()
        raise TimeoutError(self._driver.said)

    def _kill_trial(self, how: signal.Signals) -> bool:
        deadline = time.monotonic() + 20.0
        while not (pids := self._trials()):
            if time.monotonic() > deadline or self._is_over():
                return False
            time.sleep(0.2)
        victim = self._random.choice(pids)
        self._note(f"trial process {victim}: {how.name}")
        os.kill(victim, how)
        return True

    def _trials(self) -> list[int]:
        return [pid for node in self._cluster.nodes for pid in titled(tree(node.pid), TRIAL)]

    def _kill_node(self) -> bool:
        """Kill a node with all its processes, and add another one."""
        victim = self._random.choice(self._cluster.nodes[1:])
        self._note(f"node {victim.pid}")
        self._cluster.end(victim)
        self._cluster.nodes.remove(victim)
        self._pause(0.0, 3.0)
        self._cluster.add()
        return True

    def _kill_driver(self) -> bool:
        assert self._driver.process
        self._note(f"driver {self._driver.process.pid}")
        self._driver.kill()
        self._driver.start()
        return True

    def _kill_raylet(self) -> bool:
        """Kill the raylet of a node alone, and add another node."""
        victim = self._random.choice(self._cluster.nodes[1:])
        (raylet,) = running(tree(victim.pid), "raylet")
        self._note(f"raylet {raylet}")
        os.kill(raylet, signal.SIGKILL)
        self._pause(0.0, 3.0)
        self._cluster.add()
        self._pause(0.0, 3.0)
        self._cluster.end(victim)
        self._cluster.nodes.remove(victim)
        return True

    def _kill_control_service(self) -> bool:
        """Kill what holds the cluster together, and resume on another cluster."""
        (service,) = running(tree(self._cluster.nodes[0].pid), "gcs_server")
        self._note(f"control service {service}")
        os.kill(service, signal.SIGKILL)
        assert self._driver.process
        code = self._driver.process.wait(ENDING)
        self._note_end(code)
        self._new_cluster()
        self._driver.address = self._cluster.address
        self._driver.start()
        return True

    def _end_group(self) -> bool:
        """Ask the driver to end with its process group, as a batch system does, and resume."""
        assert self._driver.process
        self._note(f"process group {self._driver.process.pid}: SIGTERM")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._driver.process.pid, signal.SIGTERM)
        code = self._driver.process.wait(ENDING)
        self._note_end(code)
        self._driver.start()
        return True

    def _kill_server(self) -> bool:
        self._note("tracking server")
        self._server.kill()
        self._pause(0.0, 4.0)
        self._server.start()
        return True

    def _lose_storage(self) -> bool:
        if not self._storage.is_dir():
            return False
        self._note("storage, for some seconds")
        away = self._storage.with_name("away")
        self._storage.rename(away)
        self._storage.write_text("not the folder that should be here")
        self._pause(2.0, 6.0)
        self._storage.unlink()
        away.rename(self._storage)
        return True

    def _pause(self, shortest: float, longest: float) -> None:
        time.sleep(self._random.uniform(shortest, longest))

    def _note_end(self, code: int) -> None:
        last = (self._driver.said.strip().splitlines() or [""])[-1]
        self._note(f"driver ended with {code}, to be resumed: {last}")

    def _note(self, text: str) -> None:
        self.log.append(f"{time.strftime('%H:%M:%S')} {text}")


def undisturbed(folder: Path) -> dict:
    """Return what the sweep stores if nothing happens."""
    folder.mkdir(parents=True)
    limit = ("--concurrent", "2")
    code, output = sweeping.run(folder, *SWEEP, *ROWS, *sweeping.BRIEF, *limit)
    assert code == 0, output
    return sweeping.content(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="chaos-"))
    expected, kills, n_sweeps = undisturbed(place / "undisturbed"), Counter[str](), 0
    started = time.monotonic()
    while (left := given.kills - sum(kills.values())) > 0:
        chaos = Chaos(place / f"disturbed-{n_sweeps}", given.seed + n_sweeps)
        chaos.run(left, (*ROWS, *sweeping.BRIEF))
        print("\n".join(chaos.log), flush=True)
        kills += chaos.kills
        n_sweeps += 1
        if sweeping.content(chaos.folder) != expected:
            print(f"seed {chaos.seed}: another result; everything is in {place}")
            return 1
        print(
            f"sweep {n_sweeps} as undisturbed: {len(expected)} runs, {kills.total()} kills so far"
        )
    minutes = (time.monotonic() - started) / 60
    told = ", ".join(f"{n} of {kind}" for kind, n in sorted(kills.items()))
    print(
        f"{kills.total()} kills ({told}) in {n_sweeps} sweeps, {minutes:.0f} minutes: same result"
    )
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
