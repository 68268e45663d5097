"""The same bits from a GPU every time."""

import os

import torch


def make_repeatable(on: bool = True) -> None:
    """Have this process's GPU add in the same order on every run.

    Its libraries otherwise choose kernels that add as threads happen to come, and a trial would not
    be a function of its configuration. What has no such kernel only warns. Before the first product
    of matrices there, whose library reads its setting once.

    Args:
        on: False takes it back.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = on
    torch.use_deterministic_algorithms(on, warn_only=True)
    # which would also write to all memory before it is used, for programs that read it unwritten
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
