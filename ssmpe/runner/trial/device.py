"""Settings of a trial's process: how it keeps memory, and how its GPU adds."""

import ctypes
import os
import sys

import torch

from ssmpe.network.precision import without_tf32

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEEP_BYTES = 2**30

CONTEXT_BYTES = 768 * 2**20
"""Memory of a process on a GPU besides tensors: driver, kernels, workspaces of libraries."""


def keep_to_share(share: float) -> None:
    """Have a process that shares a GPU run out of memory by itself, and not its neighbours."""
    card = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(tensor_share(share, card))


def tensor_share(share: float, card: int) -> float:
    """Return the part of a card that tensors may take of a share: the context needs some.

    Of a share that is hardly more than a context, half.
    """
    return 1.0 if share >= 1 else max(share - CONTEXT_BYTES / card, share / 2)


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


def make_repeatable(on: bool = True) -> None:
    """Have this process's GPU add in the same order on every run, and in full precision.

    Its libraries otherwise choose kernels that add as threads happen to come, and a trial would not
    be a function of its configuration. What has no such kernel only warns. Before the first product
    of matrices there, whose library reads its setting once.

    Args:
        on: False takes it back.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    without_tf32()
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = on
    torch.use_deterministic_algorithms(on, warn_only=True)
    # which would also write to all memory before it is used, for programs that read it unwritten
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
