"""When has a run collapsed on a set?

Every run starts blank, so blankness alone is no sign. A set counts as *collapsed* from the batch
on from which its blank rate stays at or above ``blank`` to the end of the curve, provided that
there was something to lose by then: the labelled validation set or the set itself has been alive
(its blank rate was at or below ``alive``). Runs in which the labelled set never comes
alive, and sets that are slow to come alive, have not collapsed: they have not started.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Criterion:
    """Thresholds on blank rates.

    Attributes:
        blank: a set whose blank rate is at least this is blank.
        alive: a set whose blank rate is at most this is alive.
        patience: validations in a row for which a *running* trial must have been collapsed on a
            set before it is called collapsing.
        certain: the blank rate it must not fall below over those validations: somewhat above
            ``blank``, because at the border the verdict changes from validation to validation.
        recovery: a blank rate that fell by at least this over those validations is on its way
            back, and its trial is not collapsing.
    """

    blank: float = 0.7
    alive: float = 0.6
    patience: int = 2
    certain: float = 0.75
    recovery: float = 0.05


DEFAULT = Criterion()
GRACE_SHARE = 0.2
"""of a trial's batches, before which it is not stopped"""


def grace_batches(n_batches: int, share: float = GRACE_SHARE) -> int:
    """Batches before which a trial of ``n_batches`` is not stopped, whatever its curve."""
    return max(1, round(share * n_batches))


def collapsed_at(
    batches: Sequence[int],
    blank_rates: Sequence[float],
    validation_blank_rates: Sequence[float],
    criterion: Criterion = DEFAULT,
) -> int | None:
    """The batch from which a set was blank to the end of its curve; None if it is not collapsed.

    Args:
        batches: of the validations, ascending.
        blank_rates: of the set at each validation.
        validation_blank_rates: of the labelled validation set, likewise.
    """
    start = len(blank_rates)
    while start > 0 and blank_rates[start - 1] >= criterion.blank:
        start -= 1
    lived = [
        i
        for i, rates in enumerate(zip(blank_rates, validation_blank_rates, strict=True))
        if min(rates) <= criterion.alive
    ]
    if start == len(blank_rates) or not lived:
        return None
    return batches[max(start, lived[0])]


def collapsing(
    batches: Sequence[int],
    blank_rates: Sequence[float],
    validation_blank_rates: Sequence[float],
    criterion: Criterion = DEFAULT,
) -> bool:
    """Whether a running trial is collapsed on a set for good, as far as can be told.

    Args: as of ``collapsed_at``.
    """
    start = collapsed_at(batches, blank_rates, validation_blank_rates, criterion)
    if start is None or len(batches) < criterion.patience:
        return False
    recent = blank_rates[-criterion.patience :]
    return (
        start <= batches[-criterion.patience]
        and min(recent) >= criterion.certain
        and recent[0] - recent[-1] < criterion.recovery
    )
