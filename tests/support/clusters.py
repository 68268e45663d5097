"""Cluster files with their blanks filled in, and an ssh and an rsync that only record."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CLUSTERS = ROOT / "clusters"
LAUNCHED = ("gpu.yaml", "gpu_gcp.yaml", "on_prem.yaml")
"""Files for `ray up`."""

_SSH = """#!{python} -SE
import json, os, sys
command = sys.argv[-1]
with open(os.environ["RECORD"], "a") as record:
    record.write(json.dumps(["ssh", *sys.argv[1:]]) + "\\n")
answers = {{
    "command -v docker": "docker",
    ".State.Running": "false",
    ".Config.Env": '["HOME=/home/ray"]',
    "printenv HOME": "/home/ray",
}}
print(next((answer for part, answer in answers.items() if part in command), ""))
sys.exit(1 if command.endswith("nvidia-smi") else 0)
"""
_RSYNC = """#!{python} -SE
import json, os, shutil, sys
with open(os.environ["RECORD"], "a") as record:
    record.write(json.dumps(["rsync", *sys.argv[1:]]) + "\\n")
source, target = sys.argv[-2:]
if target.endswith("ray_bootstrap_config.yaml"):
    shutil.copy(source, os.environ["RECORD"] + ".config")
"""


def load(name: str) -> dict[str, Any]:
    """Return a cluster file as it stands, blanks and all."""
    return yaml.safe_load((CLUSTERS / name).read_text())


def header(name: str) -> str:
    """Return the comment that a file begins with, as text."""
    lines = (CLUSTERS / name).read_text().splitlines()
    lines = lines[1:] if lines[0].startswith("#!") else lines
    end = next(i for i, line in enumerate(lines) if not re.match(r"#(?!SBATCH)", line))
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:end])


def write_edited(name: str, folder: Path, values: dict[str, str]) -> Path:
    """Copy a cluster file into a folder, with its blanks filled in."""
    text = (CLUSTERS / name).read_text()
    for blank, value in values.items():
        assert blank in text
        text = text.replace(blank, value)
    assert "-EDIT" not in re.sub(r"(?m)^\s*#.*", "", text)
    path = folder / name
    path.write_text(text)
    return path


def executable(path: Path, text: str) -> None:
    path.write_text(text.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def processes_with(name: str, value: object) -> list[int]:
    """Ids of the processes that have a variable of that value in their environment."""
    mark, found = f"{name}={value}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def kill_all_with(name: str, value: object) -> None:
    """End them; new ones that they have started meanwhile, too."""
    while found := processes_with(name, value):
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)


class Nowhere:
    """A user's machine from which `ray up` runs, with ssh and rsync that only record.

    Attributes:
        folder: the project's root there.
        home: the user's own folder.
    """

    def __init__(
        self, base: Path, environment: dict[str, str], ssh: str = _SSH, rsync: str = _RSYNC
    ) -> None:
        self.folder, self._bin, self.home = base / "project", base / "bin", base / "home"
        self.record = base / "record"
        for folder in (self.folder, self._bin, self.home / ".ray"):
            folder.mkdir(parents=True)
        (self.home / ".ray" / "auth_token").write_text("0" * 64)
        executable(self._bin / "ssh", ssh)
        executable(self._bin / "rsync", rsync)
        self._environment = {
            "PATH": f"{self._bin}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "RECORD": str(self.record),
            "RAY_USAGE_STATS_ENABLED": "0",
            **environment,
        }

    def ray(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ray", *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=240,
        )

    @property
    def calls(self) -> list[list[str]]:
        """Arguments of every ssh and rsync, in order."""
        if not self.record.exists():
            return []
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    @property
    def commands(self) -> list[str]:
        """What was to be run on machines."""
        return [call[-1] for call in self.calls if call[0] == "ssh"]

    @property
    def head_config(self) -> dict[str, Any]:
        """The configuration that the head was given to start workers by."""
        return yaml.safe_load(Path(f"{self.record}.config").read_text())
