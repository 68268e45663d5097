"""Nodes that joined late and cannot run trials: what they declined goes on elsewhere."""

from typing import Any

import ray

from ssmpe.errors import UserError
from ssmpe.runner.cluster.resources import Share

NODE_LABEL = "ray.io/node-id"
"""that Ray gives every node"""
_excluded: dict[str, str] = {}
"""Ray's id of a node -> why"""


class UnfitNodeError(UserError):
    """A node has not what a trial needs, though others have."""


def exclude(node: str, why: str) -> None:
    """Give a node no trials any more."""
    _excluded.setdefault(node, why)


def without(share: Share) -> list[str]:
    """Ids of the nodes that get no such trial; if no others have room: none.

    Then they go where they cannot run, and fail with the reason.
    """
    return sorted(_excluded) if has_room(share) else []


def forget() -> None:
    """Begin another sweep."""
    _excluded.clear()


def selectors(nodes: list[str]) -> dict[str, Any]:
    """Of a trial's placement group: on none of these nodes."""
    if not nodes:
        return {}
    return {"bundle_label_selector": [{NODE_LABEL: f"!in({','.join(nodes)})"}]}


def has_room(share: Share) -> bool:
    """Whether a node that may get trials has what one asks for."""
    return any(
        node["Resources"].get("CPU", 0) >= share.cpus
        and node["Resources"].get("GPU", 0) >= share.gpus
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in _excluded
    )
