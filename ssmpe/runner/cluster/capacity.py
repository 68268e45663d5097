"""How many trials fit on the nodes of a cluster, and how many CPU threads each can have."""

from collections.abc import Sequence

from ssmpe.runner.cluster.nodes import Node


def fitting(nodes: Sequence[Node], threads: int, gpus: float) -> int:
    """Trials that run at once if each has so many CPUs and so many GPUs (or a share of one)."""
    return sum(_on(node, threads, gpus) for node in nodes)


def threads_for(nodes: Sequence[Node], trials: int, gpus: float) -> int:
    """The most CPU threads, the same for every trial, with which so many trials run at once.

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
    return min(room, int(node.n_gpus) * int(1 / gpus + 1e-9))
