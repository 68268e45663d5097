"""Targets Y: what the outputs for views are compared with, excerpt by excerpt.

As published, that is the salience of the originals, whatever excerpt they are of. Labelled ones can
be taught the truth instead, by ``objectives.labelled_targets``, and unlabelled ones pseudo-labels,
by ``objectives.pseudo_labels``. No gradient goes through either.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig, ObjectivesConfig
from ssmpe.objectives.base import Batch
from ssmpe.objectives.pseudo import by_rank
from ssmpe.signal.features import energy_estimate

_PITCHES = "pitches_per_frame"
"""Key of the state."""


@dataclass(frozen=True)
class Taught:
    """What of the targets of a batch does not come from the output itself.

    Attributes:
        n_labelled: excerpts with labels, the first.
        salience: (B, F, T) of the teacher, or None: the targets of other excerpts.
        labelled, unlabelled: (n, F, T) targets of all such excerpts, or None.
        ignored: (B, F, T) share of each bin that nothing is asked of, or None.
    """

    n_labelled: int
    salience: Tensor | None = None
    labelled: Tensor | None = None
    unlabelled: Tensor | None = None
    ignored: Tensor | None = None

    def targets(self, own: Tensor) -> Tensor:
        """Return Y (B, F, T), given the salience of the originals."""
        common = own if self.salience is None else self.salience
        if self.labelled is None and self.unlabelled is None:
            return common
        first, others = common[: self.n_labelled], common[self.n_labelled :]
        first = first if self.labelled is None else self.labelled
        return torch.cat([first, others if self.unlabelled is None else self.unlabelled])


class Targets:
    """Maker of what batches are taught, and memory of the labelled pitches per frame.

    The memory is a moving average of them, m' = a m + (1 - a) x, divided by that of ones, so that
    the first batches count in full (as in Adam, arXiv 1412.6980, section 3).
    """

    def __init__(self, config: ObjectivesConfig, geometry: GeometryConfig) -> None:
        self.config, self.geometry = config, geometry
        self._averages = torch.zeros(2, dtype=torch.float64)

    @property
    def has_state(self) -> bool:
        """Whether targets depend on batches before."""
        return self.config.pseudo_labels.ones > 0

    def taught(self, batch: Batch, logits: Tensor, teacher: Tensor | None) -> Taught:
        """Make what a batch is taught.

        Args:
            logits: (B, F, T) of the originals, float32.
            teacher: those of the teacher, or None.
        """
        n = batch.n_labelled
        salience = None if teacher is None else torch.sigmoid(teacher)
        labelled = batch.target if self.config.labelled_targets == "truth" else None
        if self.config.pseudo_labels.ones == 0 or n == len(logits):
            return Taught(n, salience, labelled)
        strength = (logits if teacher is None else teacher).detach()[n:]
        unlabelled, ignored = self._pseudo_labels(batch, strength)
        ignored = torch.cat([torch.zeros_like(logits[:n]), ignored])
        return Taught(n, salience, labelled, unlabelled, ignored)

    def follow(self, batch: Batch) -> None:
        """Take a batch that was trained on into the memory."""
        if self.has_state:
            self._averages = self._with(batch)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the memory, if there is one."""
        return {_PITCHES: self._averages} if self.has_state else {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``state_dict`` gave; LookupError or ValueError if that does not fit."""
        if self.has_state:
            averages = state[_PITCHES]
            if averages.shape != (2,):
                raise ValueError(f"{_PITCHES} of shape {tuple(averages.shape)}")
            self._averages = averages

    def _pseudo_labels(self, batch: Batch, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return targets (n, F, T) of n unlabelled excerpts, and what is ignored of each bin.

        As a product of two experts, signal and network: logit + w e_X, by its rank. Numbers that
        are added to e_X change no rank.
        """
        settings = self.config.pseudo_labels
        if settings.signal > 0:
            features = batch.features[batch.n_labelled :]
            logits = logits + settings.signal * energy_estimate(features, self.geometry.harmonics)
        average, ones = self._with(batch)
        expected = average / ones * (logits.shape[0] * logits.shape[-1])
        n_ones, n_doubtful = (
            (ratio * expected).long() for ratio in (settings.ones, settings.doubtful)
        )
        return by_rank(logits, n_ones, n_doubtful, self.geometry)

    def _with(self, batch: Batch) -> Tensor:
        """Return the memory with one more batch."""
        # bins of annotated pitches are exactly one, all others are less
        pitches = (batch.target >= 1.0).sum(dim=-2, dtype=torch.float64).mean()
        memory = self.config.pseudo_labels.memory
        latest = torch.stack([pitches, torch.ones_like(pitches)])
        return memory * self._averages.to(latest.device) + (1.0 - memory) * latest
