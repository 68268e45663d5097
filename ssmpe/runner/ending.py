"""Ending a sweep in order before its time: asked for, or because its budget is spent."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

INTERRUPTED_CODE = 130
"""Exit code of a sweep that its user has interrupted."""
SPENT_CODE = 124
"""Exit code once a budget is spent, as of commands that run into a time limit."""


@dataclass(frozen=True)
class Budget:
    """Limits of one command; None: without limit.

    Attributes:
        hours: from its start.
        gpu_hours: of all its trials, each counted with its share of a GPU.
    """

    hours: float | None = None
    gpu_hours: float | None = None


@dataclass
class Account:
    """What has been spent, and who is spending.

    Attributes:
        running: Tune's name of a trial -> its share of a GPU.
    """

    budget: Budget
    started: float = field(default_factory=time.monotonic)
    gpu_seconds: float = 0.0
    running: dict[str, float] = field(default_factory=dict)
    _counted: float = field(default_factory=time.monotonic)

    def count(self, now: float) -> str:
        """Take the time since the last count into account; the limit that is reached, if any."""
        self.gpu_seconds += sum(self.running.values()) * (now - self._counted)
        self._counted = now
        hours, gpu_hours = (now - self.started) / 3600, self.gpu_seconds / 3600
        if self.budget.hours is not None and hours >= self.budget.hours:
            return f"{self.budget.hours:g} hours (--max-hours)"
        if self.budget.gpu_hours is not None and gpu_hours >= self.budget.gpu_hours:
            return f"{self.budget.gpu_hours:g} GPU-hours (--max-gpu-hours)"
        return ""


class Ending:
    """Why a sweep ends before its time, if it does; the first reason counts.

    Attributes:
        why: in words for its last line.
        code: of the process's exit.
        asked: whether anything but the user has asked for it.
        told: whether SIGTERM has asked for it, as batch systems do.
    """

    def __init__(self) -> None:
        # by the user, if nothing else asks for it
        self.why, self.code = "interrupted", INTERRUPTED_CODE
        self.asked = self.told = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Note in the block that SIGTERM asks for the end, and end as after Ctrl-C."""

        def note(number: int, frame: Any) -> None:
            self.told = True
            interrupt()

        before = signal.signal(signal.SIGTERM, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def ask(self, why: str, code: int) -> None:
        """Have the sweep of this process end as Ctrl-C does, to be resumed, but saying why."""
        if not self.asked:
            self.asked, self.why, self.code = True, why, code
            interrupt()


def interrupt(*_: Any) -> None:
    """Do what Ctrl-C does just now, also where it is ignored, as in the background of a shell.

    While trials run, that is Tune's own way out: it stops them, and forgets none.
    """
    handler = signal.getsignal(signal.SIGINT)
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, None)
