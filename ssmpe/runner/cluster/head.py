"""The head of the Ray cluster: without it Ray ends this process in the midst of what it does."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import ray

PATIENCE = 20.0
"""seconds for which the head may not answer; Ray itself gives up after 60"""
PAUSE, ANSWER_SECONDS = 1.0, 5.0


@contextlib.contextmanager
def watched(lost: Callable[[str], None]) -> Iterator[None]:
    """Call ``lost``, in a thread of its own, if the head of the cluster goes within the block.

    Args:
        lost: is given the head's address.
    """
    address, over = ray.get_runtime_context().gcs_address, threading.Event()

    def watch() -> None:
        answered = time.monotonic()
        while not over.wait(PAUSE):
            if _answers(address):
                answered = time.monotonic()
            elif time.monotonic() - answered > PATIENCE:
                lost(address)
                return

    threading.Thread(target=watch, name="watch over the head", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
