"""Readers let loose on files that may be anybody's, in a process that may not take much."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

MEMORY = 1 << 30
"""Bytes of address space beyond what the imports took"""
FILE = 1 << 24
"""Bytes of the largest file that may be written"""
PATIENCE = 300
"""Seconds after which the whole process is ended"""


class Outcome(NamedTuple):
    """The outcome of a call.

    Attributes:
        error: name of the type of what it raised; "" if it returned.
        message: of the error, or text of what was returned.
        seconds: of CPU time.
    """

    error: str
    message: str
    seconds: float


def call(function: str, calls: Sequence[Sequence[Any]], folder: Path) -> list[Outcome]:
    """Call ``module:function`` with each of the arguments, in one confined process.

    Args:
        calls: positional arguments, in JSON types.
        folder: current one of the process, and its home.
    """
    process = subprocess.run(
        [sys.executable, "-m", "tests.support.confined", function],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder)},
    )
    assert process.returncode == 0, process.stderr
    return [Outcome(*found) for found in json.loads(process.stdout)]


def confine() -> None:
    """Let this process take no more than ``MEMORY`` and write no larger files than ``FILE``."""
    address_space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (address_space + MEMORY, address_space + MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))


def _main(name: str) -> None:
    module, _, attribute = name.partition(":")
    function = getattr(import_module(module), attribute)
    confine()
    outcomes = []
    for arguments in json.load(sys.stdin):
        begun = time.process_time()
        try:
            error, message = "", repr(function(*arguments))[:200]
        except Exception as raised:
            error, message = type(raised).__name__, str(raised)
        outcomes.append(Outcome(error, message, time.process_time() - begun))
    print(json.dumps(outcomes))


if __name__ == "__main__":
    _main(sys.argv[1])
