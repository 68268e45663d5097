"""Means of scalars that stay on their device until they are asked for."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import Tensor


class Means:
    """Means by name, each over as many values as were added of it."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether anything was added."""
        return bool(self._counts)

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add a scalar tensor each of some names."""
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] += 1

    def read(self) -> dict[str, float]:
        """The means; waits for the device."""
        return {name: float(value) / self._counts[name] for name, value in self._sums.items()}

    def state(self) -> dict[str, tuple[Tensor, int]]:
        """What ``restored`` needs, bit for bit."""
        return {name: (value, self._counts[name]) for name, value in self._sums.items()}

    @classmethod
    def restored(cls, state: Mapping[str, Any], device: str) -> "Means":
        """Means that go on from there, on a device."""
        means = cls()
        for name, (value, count) in state.items():
            means._sums[name], means._counts[name] = value.to(device), count
        return means
