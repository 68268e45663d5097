"""What a trial gets of a node, and how many trials fit on a cluster."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

import ray

from ssmpe.errors import UserError
from ssmpe.experiments.options import part_of_a_card
from ssmpe.runner.cluster.nodes import Node


@dataclass(frozen=True)
class Share:
    """Resources that a trial asks for.

    Attributes:
        cpus: also its threads.
        gpus: a fraction of one, or whole ones.
        memory: bytes of the node's; 0: whatever there is.
    """

    cpus: int
    gpus: float = 0.0
    memory: int = 0

    @property
    def request(self) -> dict[str, float]:
        """By Ray's names of resources."""
        memory = {"memory": float(self.memory)} if self.memory else {}
        return {"CPU": self.cpus, "GPU": self.gpus, **memory}

    def larger(self, node_memory: int, at_once: int) -> "Share | None":
        """Return about twice the GPU, or twice the part of the memory; None if it has it all.

        Of a GPU it is the next 1/k up to twice as much: what is left of a card makes no trial.
        CPUs stay: the number of threads is part of what a trial's numbers depend on.

        Args:
            node_memory: bytes of the largest node.
            at_once: trials that share it.
        """
        if self.gpus:
            sharing = (_sharing(self.gpus) + 1) // 2
            return replace(self, gpus=part_of_a_card(sharing)) if self.gpus < 1 else None
        part = self.memory or node_memory // max(at_once, 1)
        return replace(self, memory=min(2 * part, node_memory)) if part < node_memory else None

    def __str__(self) -> str:
        if self.gpus:
            return f"{self.gpus:g} of a GPU" if self.gpus < 1 else f"{self.gpus:g} GPUs"
        return f"{self.memory / 2**30:.1f} GiB of memory" if self.memory else "what the node has"


def fitting(nodes: Sequence[Node], threads: int, gpus: float) -> int:
    """Return how many trials run at once with so many CPUs and GPUs (or a share) each."""
    return sum(_on(node, threads, gpus) for node in nodes)


def threads_for(nodes: Sequence[Node], trials: int, gpus: float) -> int:
    """Return the most CPU threads, the same for every trial, for so many trials at once.

    Of more trials than fit with one thread each, as many as do.

    Args:
        trials: at once; at least 1.
        gpus: of a trial; 0 for none.
    """
    wanted = max(1, min(trials, fitting(nodes, 1, gpus)))
    most = max((int(node.n_cpus) for node in nodes), default=1)
    counts = (n for n in range(most, 1, -1) if fitting(nodes, n, gpus) >= wanted)
    return next(counts, 1)


def _on(node: Node, threads: int, gpus: float) -> int:
    room = int(node.n_cpus) // threads
    if gpus == 0:
        return room
    if gpus >= 1:
        return min(room, int(node.n_gpus / gpus))
    # a share is of one card: what two cards have left makes no trial
    return min(room, int(node.n_gpus) * _sharing(gpus))


def _sharing(gpus: float) -> int:
    """Return how many trials with such a share fit on a card."""
    return int(1 / gpus + 1e-9)


def memory(share: Share, concurrent: int | None) -> tuple[int, int]:
    """Return the bytes of the largest node's memory, and how many trials share it."""
    largest = max(
        (node["Resources"] for node in ray.nodes() if node["Alive"]),
        key=lambda resources: resources.get("memory", 0),
    )
    room = int(largest.get("CPU", 0) // share.cpus)
    return int(largest.get("memory", 0)), max(1, min(room, concurrent or room))


def has_room(share: Share, excluded: Container[str] = ()) -> bool:
    """Tell whether a node of the cluster has what a trial asks for.

    Args:
        excluded: ids of nodes that do not count.
    """
    return any(
        node["Resources"].get("CPU", 0) >= share.cpus
        and node["Resources"].get("GPU", 0) >= share.gpus
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in excluded
    )


def require_room(share: Share) -> None:
    """Refuse what no node can give: a trial that asks for it would wait for ever.

    Raises:
        UserError: no node has what the share asks for.
    """
    if has_room(share):
        return
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    largest = [f"{n.get('CPU', 0):g} CPUs and {n.get('GPU', 0):g} GPUs" for n in nodes]
    raise UserError(
        f"a trial asks for {share.cpus} CPUs and {share.gpus:g} GPUs of one node, and no node has "
        f"them (nodes: {'; '.join(largest)})"
    )
