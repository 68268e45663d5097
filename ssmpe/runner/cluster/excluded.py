"""Nodes that joined late and cannot run trials: what they declined goes on elsewhere."""

from typing import Any

from ssmpe.errors import UserError
from ssmpe.runner.cluster.resources import Share, has_room

NODE_LABEL = "ray.io/node-id"
"""Label that Ray gives every node."""


class UnfitNodeError(UserError):
    """A node has not what a trial needs, though others have."""


class Excluded:
    """The nodes that get no trials any more."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        """by Ray's id of the node"""

    def add(self, node: str, why: str) -> None:
        """Give a node no trials any more."""
        self._reasons.setdefault(node, why)

    def has_room(self, share: Share) -> bool:
        """Tell whether a node that may get trials has what one asks for."""
        return has_room(share, self._reasons)

    def without(self, share: Share) -> list[str]:
        """Return ids of the nodes that get no such trial; if no others have room: none.

        Then they go where they cannot run, and fail with the reason.
        """
        return sorted(self._reasons) if self._reasons and self.has_room(share) else []


def selectors(nodes: list[str]) -> dict[str, Any]:
    """Return arguments of a placement group that avoids these nodes."""
    if not nodes:
        return {}
    return {"bundle_label_selector": [{NODE_LABEL: f"!in({','.join(nodes)})"}]}
