"""Trials that lose their processes: how often that may happen."""

from dataclasses import dataclass, field

MAX_LOSSES = 3
"""runs of a trial that all lost its process, without it getting any further"""


@dataclass
class Losses:
    """What trials have lost so far."""

    _of: dict[str, tuple[int, int]] = field(default_factory=dict)
    """identity -> furthest batch, and runs lost there"""

    def goes_on(self, identity: str, batch: int) -> bool:
        """Count the loss of a trial that had come to a batch; whether it is to be run again."""
        furthest, losses = self._of.get(identity, (0, 0))
        losses = 1 if batch > furthest else losses + 1
        self._of[identity] = max(furthest, batch), losses
        return losses < MAX_LOSSES
