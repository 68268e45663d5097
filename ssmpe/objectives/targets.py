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
from ssmpe.objectives.pseudo import RULES
from ssmpe.signal.estimates import ESTIMATES


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
    """Maker of what batches are taught, and memory of what pseudo-labels need of those before.

    The memory holds moving averages of sums and of their numbers, m' = a m + (1 - a) x, which are
    divided by each other, so that the first batches count in full (as in Adam, arXiv 1412.6980,
    section 3).
    """

    def __init__(self, config: ObjectivesConfig, geometry: GeometryConfig) -> None:
        self.config, self.geometry = config, geometry
        self._rule = RULES[config.pseudo_labels.rule]
        nothing = torch.zeros(1, geometry.n_bins, 1)
        self._averages = torch.zeros_like(self._rule.counts(nothing, nothing))
        self._latest = self._averages

    @property
    def has_state(self) -> bool:
        """Whether targets depend on batches before."""
        return self.config.pseudo_labels.on and self._rule.memory is not None

    def taught(self, batch: Batch, logits: Tensor, teacher: Tensor | None) -> Taught:
        """Make what a batch is taught.

        Args:
            logits: (B, F, T) of the originals, float32.
            teacher: those of the teacher, or None.
        """
        n, settings = batch.n_labelled, self.config.pseudo_labels
        salience = None if teacher is None else torch.sigmoid(teacher)
        labelled = batch.target if self.config.labelled_targets == "truth" else None
        if not settings.on:
            return Taught(n, salience, labelled)
        strength = (logits if teacher is None else teacher).detach()[n:]
        if self.has_state:
            self._latest = self._with(batch, strength)
        if n == len(logits):
            return Taught(n, salience, labelled)
        if settings.signal > 0:
            # a product of two experts; numbers that are added to either change no rank
            estimate = ESTIMATES[settings.estimate](batch.features[n:], self.geometry)
            strength = strength + settings.signal * estimate
        unlabelled, ignored = self._rule.labels(strength, self._latest, settings, self.geometry)
        ignored = torch.cat([torch.zeros_like(logits[:n]), ignored])
        return Taught(n, salience, labelled, unlabelled, ignored)

    def follow(self) -> None:
        """Take the batch that was taught last, and trained on, into the memory."""
        self._averages = self._latest

    def state_dict(self) -> dict[str, Tensor]:
        """Return the memory, if there is one."""
        name = self._rule.memory
        return {name: self._averages} if self.has_state and name else {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``state_dict`` gave; LookupError or ValueError if that does not fit."""
        for name, own in self.state_dict().items():
            averages = state[name]
            if averages.shape != own.shape:
                raise ValueError(f"{name} of shape {tuple(averages.shape)}")
            self._averages = averages

    def _with(self, batch: Batch, logits: Tensor) -> Tensor:
        """Return the memory with one more batch, given logits of its unlabelled excerpts."""
        decay, latest = self.config.pseudo_labels.memory, self._rule.counts(batch.target, logits)
        return decay * self._averages.to(latest.device) + (1.0 - decay) * latest
