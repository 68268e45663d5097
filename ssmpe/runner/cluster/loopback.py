"""Ray on this machine alone: whoever reaches one of its ports can have it run anything."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ray._private import ray_constants

ADDRESS = "127.0.0.1"


@contextmanager
def only_loopback() -> Iterator[None]:
    """Let a node that is started in the block with ``ADDRESS`` listen there and nowhere else.

    Ray replaces such an address by the machine's own, on which all of its processes then accept
    connections from anywhere, unless it is told that this machine makes no cluster with others:
    what it assumes on Windows and macOS, and reads from this variable when it is imported.
    """
    name, known = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, ray_constants.ENABLE_RAY_CLUSTER
    before = os.environ.get(name)
    os.environ[name], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = known
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
