"""What the results of a trial depend on besides its configuration: the code, and what it calls."""

import getpass
import hashlib
import platform
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import ssmpe
from ssmpe.config import OBJECTIVES, TrialConfig
from ssmpe.data.datasets.registry import own_datasets
from ssmpe.errors import UserError
from ssmpe.own import digest_of

if TYPE_CHECKING:
    from ssmpe.objectives import Objective

PACKAGES = ("torch", "ray", "nnAudio", "mir_eval", "numpy")
CODE = "ssmpe"
DELTAS = "deltas.py"
"""File that the sweeps of a folder share."""
GIT_SECONDS = 10.0
"""Patience with git, on a slow disk say."""


def release() -> dict[str, str]:
    """Return a digest of this package's code, and the versions of ``PACKAGES`` and Python.

    Without what tells builds of a version apart: torch for CPUs on the head and for GPUs on the
    workers is meant to be.
    """
    versions = {"Python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}
    return {CODE: _code(), **versions}


def require_same(wanted: dict[str, str], found: dict[str, str]) -> None:
    """Check that another machine has what this one has.

    Args:
        wanted: the driver's release.
        found: that of the node.

    Raises:
        UserError: it has not; the line goes on after the name of the node.
    """
    if found.get(CODE) != wanted[CODE]:
        raise UserError(
            "its ssmpe is other code than the driver's; install the same there, as with "
            "pip install -e . of the same commit"
        )
    for name in wanted:
        if found.get(name) != wanted[name]:
            raise UserError(
                f"it has {name} {found.get(name)}, and the driver {wanted[name]}; install the "
                "same there, as numbers depend on it"
            )


def code_of(script: Path) -> dict[str, str]:
    """Return digests of code by name: this package's, and that of a sweep's file.

    The file's is one with that of the deltas beside it. Files of objectives and datasets of the
    user's own have digests of their own, as "objective huber".
    """
    digest = hashlib.sha256()
    for path in (script, script.with_name(DELTAS)):
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return {**code_here(), script.name: digest.hexdigest()[:20]}


def own_objectives() -> "list[Objective]":
    """Return the objectives that the user's file has brought into this process."""
    if "ssmpe.objectives" not in sys.modules:  # then it has not; and PyTorch comes with them
        return []
    from ssmpe.objectives import REGISTRY

    return [found for name, found in REGISTRY.items() if name not in OBJECTIVES]


def code_here() -> dict[str, str]:
    """Return digests of this package's code, and of the files of what is the user's own."""
    objectives = {
        f"objective {found.name}": digest_of(*filter(None, (found.loss, found.make_view)))
        for found in own_objectives()
    }
    datasets = {f"dataset {found.name}": found.code for found in own_datasets()}
    return {CODE: _code(), **objectives, **datasets}


def decisive(config: TrialConfig) -> list[str]:
    """Return the names, in ``code_of``, of the code that a trial's numbers depend on.

    Rows and deltas are no part of it: what they come to is in the configuration.
    """
    own = code_here()
    used = [f"objective {name}" for name in config.objectives.weights]
    used += [f"dataset {name.split('/')[0]}" for name in config.data.names]
    return [CODE, *dict.fromkeys(name for name in used if name in own)]


def checkout() -> dict[str, str]:
    """Return who runs this code, and the commit it is of, if it lies in a clone: "user", "commit".

    A commit ends in "-dirty" if files that git knows have been changed since.
    """
    found = {}
    with suppress(OSError, KeyError, ImportError):  # a user without a name, as in some containers
        found["user"] = getpass.getuser()
    package = Path(ssmpe.__file__)
    if _git(package, "ls-files", "--error-unmatch", package.name) is None:
        return found  # installed, perhaps below somebody's clone of something else
    if commit := _git(package, "rev-parse", "HEAD"):
        changed = _git(package, "status", "--porcelain", "--untracked-files=no", ":/")
        found["commit"] = f"{commit}{'-dirty' if changed else ''}"
    return found


def _git(file: Path, *arguments: str) -> str | None:
    """Return what git says about the clone of a file; None if it says nothing."""
    command = ["git", "-C", str(file.parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str:
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return "none"


def _code() -> str:
    package, digest = Path(ssmpe.__file__).parent, hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:20]
