"""Measuring two ways of doing the same."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def alternately(first: Callable[[], Any], second: Callable[[], Any], n: int) -> tuple[float, float]:
    """Median seconds of both, measured in turns so that other load hits them alike."""
    times: tuple[list[float], list[float]] = ([], [])
    for repetition in range(n + 1):
        for function, own in zip((first, second), times, strict=True):
            started = time.perf_counter()
            function()
            if repetition:  # the first is a warm-up
                own.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])
