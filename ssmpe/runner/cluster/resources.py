"""What a trial gets of a node."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace


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
        """Twice the GPU, or for CPUs twice a trial's part of the memory; None if it has it all.

        CPUs stay: the number of threads is part of what a trial's numbers depend on.

        Args:
            node_memory: bytes of the largest node.
            at_once: trials that share it.
        """
        if self.gpus:
            return replace(self, gpus=min(1.0, 2 * self.gpus)) if self.gpus < 1 else None
        part = self.memory or node_memory // max(at_once, 1)
        return replace(self, memory=min(2 * part, node_memory)) if part < node_memory else None

    def __str__(self) -> str:
        if self.gpus:
            return f"{self.gpus:g} of a GPU" if self.gpus < 1 else f"{self.gpus:g} GPUs"
        return f"{self.memory / 2**30:.1f} GiB of memory" if self.memory else "what the node has"


@dataclass
class Shares:
    """What each trial of a search gets.

    Attributes:
        usual: at first.
        larger: what a trial gets for which that was too small; None: there is no more.
        told: called with a trial's identity and its larger share.
    """

    usual: Share
    larger: Callable[[], Share | None] = lambda: None
    told: Callable[[str, Share], None] = lambda identity, share: None
    _enlarged: dict[str, Share] = field(default_factory=dict)

    def of(self, identity: str) -> Share:
        return self._enlarged.get(identity, self.usual)

    def enlarge(self, identity: str) -> bool:
        """Give a trial more from now on; False: it has had that already, or there is no more."""
        larger = None if identity in self._enlarged else self.larger()
        if larger is None:
            return False
        self._enlarged[identity] = larger
        self.told(identity, larger)
        return True
