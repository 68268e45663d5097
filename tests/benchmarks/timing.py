"""Measuring two ways of doing the same, and how costs grow."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


class NotMeasurableError(Exception):
    """What there is nothing to measure with on this machine, and why."""


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


def median_seconds(function: Callable[[], Any], n: int) -> float:
    """Median of n calls after one that does not count."""
    times = []
    for _ in range(n + 1):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def peak_bytes() -> int:
    """Most memory that was ever resident in this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(x.split()[1] for x in lines if x.startswith("VmHWM")))


@dataclass(frozen=True)
class Growth:
    """How the cost of something grows with its size.

    Attributes:
        size: what grows, with its unit.
        seconds: by size.
    """

    size: str
    seconds: Mapping[float, float]

    @property
    def exponent(self) -> float:
        """Exponent of the power law through the larger half of the sizes, by least squares.

        The smaller half is left out for what is there at any size.
        """
        sizes = sorted(self.seconds)[-max(2, -(-len(self.seconds) // 2)) :]
        values = [self.seconds[size] for size in sizes]
        return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])

    def to_dict(self) -> dict[str, Any]:
        points = [[size, seconds] for size, seconds in self.seconds.items()]
        return {"size": self.size, "points": points, "exponent": self.exponent}


def drawn(grown: Mapping[str, Growth], path: Path) -> None:
    """Costs over sizes, on logarithmic axes, as a picture of two columns, to be read at 880 px."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

    n_rows = -(-len(grown) // 2)
    figure, axes = pyplot.subplots(n_rows, 2, figsize=(7.0, 2.7 * n_rows), squeeze=False)
    for ax in axes.flat[len(grown) :]:
        ax.remove()
    for ax, (name, growth) in zip(axes.flat, grown.items(), strict=False):
        sizes: Sequence[float] = sorted(growth.seconds)
        seconds = [growth.seconds[size] for size in sizes]
        ax.loglog(sizes, seconds, "o-", color="#1f4e79")
        ax.set_title(f"{name}\nexponent {growth.exponent:.2f}", fontsize=9)
        ax.set_xlabel(growth.size, fontsize=9)
        ax.set_ylabel("s", fontsize=9)
        ax.set_ylim(min(seconds) / 1.6, max(seconds) * 1.6)
        ax.set_xticks(sizes, [f"{size:.2g}" if size < 10 else f"{size:.0f}" for size in sizes])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.grid(True, alpha=0.2)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
