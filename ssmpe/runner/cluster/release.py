"""What the results of a trial depend on besides its configuration: the code, and what it calls."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import ssmpe
from ssmpe.errors import UserError

PACKAGES = ("torch", "ray", "nnAudio", "mir_eval", "numpy")
CODE = "ssmpe"
DELTAS = "deltas.py"
"""File that the sweeps of a folder share."""


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
    """Return digests of this package's code, and of a sweep's file with the deltas beside it."""
    digest = hashlib.sha256()
    for path in (script, script.with_name(DELTAS)):
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return {CODE: _code(), script.name: digest.hexdigest()[:20]}


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
