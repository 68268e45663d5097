"""What measurements were made on."""

import os
import platform
from pathlib import Path
from time import perf_counter
from typing import Any

import torch


def hardware() -> dict[str, Any]:
    """Processor, GPU and versions."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(": ")[1] for x in lines if x.startswith("model name")), model)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def peak_rate(dtype: torch.dtype = torch.float32, n: int = 1024) -> float:
    """Arithmetic operations a second that a product of matrices attains here, at its best of 20."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.randn(n, n, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(20):
        started = perf_counter()
        product = a @ a
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, perf_counter() - started)
    assert product.shape == (n, n)
    return 2 * n**3 / best
