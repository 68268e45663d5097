"""The Ray cluster of a command: joined, or started on this machine alone, and watched."""

import contextlib
import functools
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import ray
from ray._private import parameter, ray_constants, services
from ray.tune.execution import class_cache

from ssmpe.errors import UserError, first_line
from ssmpe.runner import ending
from ssmpe.storage import tells_of_full_disk

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
"""Seconds for which the head of a cluster may not answer; Ray itself gives up after 60."""
OWN_PATIENCE = 3.0
"""Seconds for which a service of this machine may not answer, which nobody starts again; and any,
once the sweep has been asked to end: Ray's processes may have been, too."""
PAUSE, ANSWER_SECONDS = 1.0, 5.0
ENDING_SECONDS = 180.0
"""Time for the end of a sweep whose Ray is gone: to be sure of that, and to deliver reports."""


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
            with only_loopback(), apart(), few_processes():
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
    except Exception as error:  # Ray raises that very class, too
        if tells_of_full_disk(error):
            raise
        reason = first_line(error)
        if address is None:
            raise UserError(f"Ray does not start on this machine ({reason}); try again") from error
        raise UserError(f"--address {address}: no Ray cluster answers there ({reason})") from None
    # an end asked for in this way, by a batch system say, is to be as orderly as Ctrl-C
    before = signal.signal(signal.SIGTERM, ending.interrupt)
    try:
        with handing_on_little(alone=address is None):
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
def apart() -> Iterator[None]:
    """Have what Ray starts in the block lead process groups of its own.

    Who ends a command with its group, as ``timeout`` and batch systems do, then ends the driver,
    which ends its trials in order. (Ray's processes end with the driver in any case where the
    kernel sees to that; elsewhere Ray needs them in the driver's group.)
    """
    known = services.ConsolePopen
    if sys.platform.startswith("linux"):
        services.ConsolePopen = functools.partial(known, process_group=0)
    try:
        yield
    finally:
        services.ConsolePopen = known


@contextlib.contextmanager
def few_processes() -> Iterator[None]:
    """Have Ray start in the block only what trials of this machine need of it.

    That is neither the server of a dashboard, nor what would ask a cloud for more nodes, nor what
    would read out the workers' logs to a driver that shows none: one and a half seconds of a core,
    for some of which a driver waits, and 300 MB.
    """
    parameters, server = parameter.RayParams, services.start_api_server
    little = functools.partial(parameters, no_monitor=True, include_log_monitor=False)
    parameter.RayParams, services.start_api_server = little, lambda *_, **__: (None, None)
    try:
        yield
    finally:
        parameter.RayParams, services.start_api_server = parameters, server


@contextlib.contextmanager
def handing_on_little(alone: bool) -> Iterator[None]:
    """Keep Ray Tune in the block from copying AWS keys into trials' environment, which Ray logs.

    Nodes have their own. Trials of this machine have the driver's environment anyway: there nothing
    is handed on, and so trials run in the processes that Ray has started ahead, and not in others
    that it would start for another environment.

    Args:
        alone: all trials are on this machine, in a cluster of its own.
    """
    known = class_cache.ENV_VARS_TO_PROPAGATE, class_cache.DEFAULT_ENV_VARS
    little = {name for name in known[0] if not name.startswith("AWS_")}
    if alone:
        class_cache.ENV_VARS_TO_PROPAGATE, class_cache.DEFAULT_ENV_VARS = set(), {}
    else:
        class_cache.ENV_VARS_TO_PROPAGATE = little
    try:
        yield
    finally:
        class_cache.ENV_VARS_TO_PROPAGATE, class_cache.DEFAULT_ENV_VARS = known


@contextlib.contextmanager
def watched(joined: bool, lost: Callable[[str], None], asked: Callable[[], bool]) -> Iterator[None]:
    """Call ``lost``, in a thread of its own, if a service of Ray's goes within the block.

    Args:
        joined: the cluster is not this process's own.
        lost: is given the name of the service.
        asked: tells whether the sweep has been asked to end.
    """
    services, over = _services(joined), threading.Event()

    def watch() -> None:
        answered = dict.fromkeys(services, time.monotonic())
        while not over.wait(PAUSE):
            silent = [service for service in services if not _answers(service.address)]
            now, most = time.monotonic(), OWN_PATIENCE if asked() else HEAD_PATIENCE
            answered |= dict.fromkeys(set(services).difference(silent), now)
            if any(now - answered[s] > min(s.patience, most) for s in silent):
                lost(silent[0].name)
                return

    thread = threading.Thread(target=watch, name="watch over Ray", daemon=True)
    thread.start()
    try:
        yield
    except Exception:
        if not all(_answers(service.address) for service in services):
            thread.join(ENDING_SECONDS)  # who asks Ray something may hear first that it is gone
        raise
    finally:
        over.set()


@dataclass(frozen=True)
class _Service:
    """A process of Ray's without which a driver cannot go on; ``patience`` in seconds."""

    name: str
    address: str
    patience: float


def _services(joined: bool) -> list[_Service]:
    """Return what a driver needs of the cluster that it has joined, the head first."""
    head, own = ray.get_runtime_context().gcs_address, ray.get_runtime_context().get_node_id()
    node = next(node for node in ray.nodes() if node["NodeID"] == own)
    raylet = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
    return [
        _Service(f"the head of the Ray cluster at {head}", head, HEAD_PATIENCE)
        if joined
        else _Service("Ray's control service on this machine", head, OWN_PATIENCE),
        _Service("Ray's raylet on this machine", raylet, OWN_PATIENCE),
    ]


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
