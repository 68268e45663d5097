"""Clusters that start without a worker, and make one when they are asked."""

import contextlib
import json
import time

import ray
from ray.autoscaler.sdk import request_resources
from rich.console import Console

from ssmpe.runner.cluster.resources import Share, has_room

PATIENCE = 900.0
"""Time for a worker from being asked for to joining: machine, image, installation."""
SIGN_SECONDS = 30.0
"""Time for an autoscaler that can make a worker to say that it does."""
PAUSE = 1.0
STATUS_KEY = b"__autoscaling_status"


def await_worker(share: Share, console: Console, patience: float = PATIENCE) -> bool:
    """Ask the cluster that has been joined for a node that can take a trial, unless it has one.

    Returns:
        whether there is one; not if the cluster has no autoscaler, or none that could help.
    """
    if has_room(share):
        return True
    started, told = time.monotonic(), False
    request_resources(bundles=[{name: n for name, n in share.request.items() if n}])
    try:
        while not has_room(share):
            waited = time.monotonic() - started
            coming = told or _is_coming()
            if coming and not told:
                text = "the cluster has no node for a trial yet, and is making one: waiting"
                console.print(f"{text} up to {patience / 60:.0f} minutes", highlight=False)
                told = True
            if waited > (patience if coming else min(SIGN_SECONDS, patience)):
                return False
            time.sleep(PAUSE)
    finally:
        request_resources(bundles=[])  # from now on, trials say what they need
    return True


def _is_coming() -> bool:
    """Tell whether an autoscaler is launching a node."""
    from ray.autoscaler.v2.utils import is_autoscaler_v2
    from ray.experimental.internal_kv import _internal_kv_get

    if is_autoscaler_v2():
        from ray.autoscaler.v2.sdk import get_cluster_status

        status = get_cluster_status(ray.get_runtime_context().gcs_address)
        return bool(status.pending_launches or status.pending_nodes)
    with contextlib.suppress(ValueError, TypeError):
        report = json.loads(_internal_kv_get(STATUS_KEY) or b"{}").get("autoscaler_report") or {}
        return bool(report.get("pending_launches") or report.get("pending_nodes"))
    return False
