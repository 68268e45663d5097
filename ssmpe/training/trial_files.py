"""What a trial writes into its checkpoints: all that it needs to go on, and its best weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.training import checkpoint

STATE, BEST = "state", "best"
"""files of a checkpoint: all that is needed to continue; weights of the best validation"""


@dataclass
class Best:
    """The best validation so far.

    Attributes:
        f1: of the validation set, or whatever measure of it selects; -1 before the first that could
            be scored.
        batch: batches trained until then.
        weights: of the network, by name.
        threshold: salience at which they score best on the validation set; None before the first,
            and of checkpoints that were written without it.
    """

    f1: float = -1.0
    batch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    threshold: float | None = None

    def take_if_better(self, f1: float, batch: int, network: nn.Module, threshold: float) -> bool:
        """Become this validation if it is better; whether it is. NaN never is."""
        if not f1 > self.f1:
            return False
        self.f1, self.batch = f1, batch
        self.threshold = threshold if math.isfinite(threshold) else None
        self.weights = {name: w.detach().clone() for name, w in network.state_dict().items()}
        return True


def write(
    folder: Path, config: TrialConfig, state: Any, best: Best, plain: Mapping[str, Any]
) -> None:
    """Write a checkpoint.

    Args:
        state: nested dicts and lists around tensors.
        plain: further JSON-representable data.
    """
    described = {"config": config.to_dict(), "best_f1": best.f1, "best_batch": best.batch}
    described["best_threshold"] = best.threshold
    checkpoint.save(
        folder,
        {STATE: state, BEST: best.weights},
        {BEST: described, checkpoint.PLAIN: {**described, **plain}},
    )


def read(folder: Path, config: TrialConfig, device: str) -> tuple[dict[str, Any], Any, Best]:
    """Plain data, state and best of a checkpoint.

    The state is on the CPU: the optimizer itself moves what belongs on the device.

    Raises:
        UserError: it cannot be read, or is another configuration's.
    """
    plain = checkpoint.load_plain(folder)
    if TrialConfig.from_dict(plain["config"]) != config:
        raise UserError(f"{folder}: a checkpoint of another configuration")
    state = checkpoint.load_tensors(folder, STATE)
    weights = checkpoint.load_tensors(folder, BEST, device)
    found = plain["best_f1"], plain["best_batch"], weights, plain.get("best_threshold")
    return plain, state, Best(*found)


def best_weights(folder: Path, trial: str, device: str) -> dict[str, Tensor]:
    """The best weights of a trial, by its identity.

    Raises:
        UserError: they cannot be read, are another trial's, or there are none.
    """
    described = checkpoint.load_plain(folder, BEST)
    if TrialConfig.from_dict(described["config"]).identity != trial:
        raise UserError(f"{folder}: a checkpoint of another trial than {trial}")
    weights: dict[str, Tensor] = checkpoint.load_tensors(folder, BEST, device)
    if not weights:
        raise UserError(f"{folder}: no weights: no validation of that trial could be scored")
    return weights
