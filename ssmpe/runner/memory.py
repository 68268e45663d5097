"""Settings of the C library's allocator."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEEP_BYTES = 2**30


def keep_freed_memory() -> None:
    """Let glibc reuse freed activations instead of returning them to the system.

    Every batch frees and takes the same large blocks again; fetching them anew costs page faults,
    about a tenth of a batch's time on CPUs. All threads share one arena, so that what one trial
    of a process has freed serves the next. Without effect elsewhere than on Linux.
    """
    libc = _libc()
    if libc is not None:
        libc.mallopt(_ARENA_MAX, 1)
        libc.mallopt(_MMAP_THRESHOLD, _KEEP_BYTES)
        libc.mallopt(_TRIM_THRESHOLD, _KEEP_BYTES)


def return_freed_memory() -> None:
    """Give back what a trial has left, before the next one of this process begins."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
