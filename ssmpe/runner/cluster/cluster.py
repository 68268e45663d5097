"""The Ray cluster of a command: joined, or started on this machine alone, and watched."""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import ray
from ray._private import ray_constants

from ssmpe.errors import UserError
from ssmpe.runner import ending

LOOPBACK = "127.0.0.1"
"""Address of a cluster that is this machine's alone."""
OBJECT_STORE_BYTES = 128 * 2**20
"""Size of the object store: trials share data through the page cache, not through Ray."""

_ENVIRONMENT = {
    # relative paths mean the same in a trial as for the user
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # MLflow is the record; Tune's own log files would be a second one
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # a trial without GPUs leaves the user's CUDA_VISIBLE_DEVICES as it is (and Ray need not warn)
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # no banner: the sweep has a display of its own
    "RAY_AIR_NEW_OUTPUT": "0",
}
HEAD_PATIENCE = 20.0
"""Seconds for which the head may not answer; Ray itself gives up after 60."""
PAUSE, ANSWER_SECONDS = 1.0, 5.0


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Join the Ray cluster at ``address``, or start a local one, for the time of the block.

    Raises:
        UserError: there is none at ``address``.
    """
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    for name in ("ray.tune", "ray.train", "ray.air"):
        # what they say of failed trials stands in our own words at the end
        logging.getLogger(name).setLevel(logging.CRITICAL)
    shared = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            # asked for explicitly: with tokens, a token file would switch them on for the
            # user's other clusters, too
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
            with only_loopback():
                ray.init(
                    # another cluster of this machine, or RAY_ADDRESS, is joined only if asked for
                    address="local",
                    include_dashboard=False,
                    object_store_memory=OBJECT_STORE_BYTES,
                    _node_ip_address=LOOPBACK,
                    **shared,
                )
        else:
            _require_answer(address)
            ray.init(address=address, **shared)
    except (OSError, ValueError, RuntimeError) as error:
        if address is None:
            raise
        reason = str(error).splitlines()[0]
        raise UserError(f"--address {address}: no Ray cluster answers there ({reason})") from None
    # an end asked for in this way, by a batch system say, is to be as orderly as Ctrl-C
    before = signal.signal(signal.SIGTERM, ending.interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Raise a ConnectionError where nothing listens: Ray itself would ask for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        with contextlib.closing(socket.create_connection((host.strip("[]"), int(port)), 5.0)):
            pass


@contextlib.contextmanager
def only_loopback() -> Iterator[None]:
    """Let a node that is started in the block with ``LOOPBACK`` listen there and nowhere else.

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


@contextlib.contextmanager
def watched(lost: Callable[[str], None]) -> Iterator[None]:
    """Call ``lost``, in a thread of its own, if the head of the cluster goes within the block.

    Args:
        lost: is given the head's address.
    """
    address, over = ray.get_runtime_context().gcs_address, threading.Event()

    def watch() -> None:
        answered = time.monotonic()
        while not over.wait(PAUSE):
            if _answers(address):
                answered = time.monotonic()
            elif time.monotonic() - answered > HEAD_PATIENCE:
                lost(address)
                return

    threading.Thread(target=watch, name="watch over the head", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
