"""Ending a sweep in order from within: as Ctrl-C does, to be resumed, but saying why."""

import signal
from typing import Any, NamedTuple


class Ending(NamedTuple):
    """Why a sweep is to end, in words for its last line, and the exit code."""

    why: str
    code: int


INTERRUPTED = Ending("interrupted", 130)
_asked: list[Ending] = []


def ask_for(ending: Ending) -> None:
    """Have the sweep of this process end; the first reason counts."""
    if not _asked:
        _asked.append(ending)
        interrupt()


def interrupt(*_: Any) -> None:
    """Do what Ctrl-C does just now, also where it is ignored, as in the background of a shell.

    While trials run, that is Tune's own way out: it stops them, and forgets none.
    """
    handler = signal.getsignal(signal.SIGINT)
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, None)


def asked_for() -> Ending:
    """Why the sweep was interrupted: by the user, if nothing else asked for it."""
    return _asked[0] if _asked else INTERRUPTED


def forget() -> None:
    """Begin another sweep."""
    _asked.clear()
