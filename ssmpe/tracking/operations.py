"""What a sweep has to tell its store, as plain lines that can wait on disk."""

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """A kind of operation; its value is what stands in the spool's lines."""

    START_SWEEP = "start_sweep"
    START_TRIAL = "start_trial"
    VIEW = "view"
    SETS = "sets"
    LOG = "log"
    FILE = "file"
    END_TRIAL = "end_trial"
    END_SWEEP = "end_sweep"


@dataclass(frozen=True)
class Operation:
    """One thing to tell the store.

    Attributes:
        kind: what is to be done.
        trial: identity of the trial it is about; None: the sweep itself.
        content: keyword arguments of the matching ``Store`` method, in JSON types.
        time: when it happened, ms since the epoch: what the store will show, however late it is
            delivered.
    """

    kind: Kind
    trial: str | None
    content: dict[str, Any]
    time: int

    @classmethod
    def now(cls, kind: Kind, trial: str | None, **content: Any) -> "Operation":
        """Build an operation that happens at this moment."""
        return cls(kind, trial, content, time.time_ns() // 1_000_000)

    def to_line(self) -> bytes:
        """Write it as one line of JSON, ASCII, with its line feed."""
        return json.dumps([self.kind, self.trial, self.content, self.time]).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Operation":
        """Read what ``to_line`` wrote; ``ValueError`` if it is something else."""
        try:
            kind, trial, content, milliseconds = json.loads(line)
        except TypeError as error:
            raise ValueError(str(error)) from error
        return cls(Kind(kind), trial, content, milliseconds)
