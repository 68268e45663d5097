"""Settings of the C library's allocator."""

import ctypes
import sys

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
_KEEP_BYTES = 2**30


def keep_freed_memory() -> None:
    """Let glibc reuse freed activations instead of returning them to the system.

    Every batch frees and takes the same large blocks again; fetching them anew costs page faults,
    about a tenth of a batch's time on CPUs. Without effect elsewhere than on Linux.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEEP_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEEP_BYTES)
