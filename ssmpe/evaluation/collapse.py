"""When a run has collapsed on a set, and what is lost by it.

Every run starts blank, so blankness alone is no sign. A set counts as *collapsed* from the batch
on from which its blank rate stays at or above ``blank`` to the end of the curve, provided that
there was something to lose by then: the labelled validation set or the set itself has been alive
(its blank rate was at or below ``alive``). Runs in which the labelled set never comes
alive, and sets that are slow to come alive, have not collapsed: they have not started.

That is what stops a trial; by ``Criterion.measure`` at a salience of one half, as the paper sees
it. What is lost by it is a second question, which ``kind`` answers from scores that do not depend
on that number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Criterion:
    """Thresholds on blank rates.

    Attributes:
        measure: which of the blank rates they are: "blank_rate", at one half, or
            "blank_rate_tuned".
        blank: a set whose blank rate is at least this is blank.
        alive: a set whose blank rate is at most this is alive.
        patience: validations in a row for which a *running* trial must have been collapsed on a
            set before it is called collapsing.
        certain: the blank rate it must not fall below over those validations: somewhat above
            ``blank``, because at the border the verdict changes from validation to validation.
        recovery: a blank rate that fell by at least this over those validations is on its way
            back, and its trial is not collapsing.
    """

    measure: str = "blank_rate"
    blank: float = 0.7
    alive: float = 0.6
    patience: int = 2
    certain: float = 0.75
    recovery: float = 0.05


DEFAULT = Criterion()
GRACE_SHARE = 0.2
"""Share of a trial's batches before which it is not stopped"""


def grace_batches(n_batches: int, share: float = GRACE_SHARE) -> int:
    """Return the batches before which a trial of ``n_batches`` is not stopped."""
    return max(1, round(share * n_batches))


def collapsed_at(
    batches: Sequence[int],
    blank_rates: Sequence[float],
    validation_blank_rates: Sequence[float],
    criterion: Criterion = DEFAULT,
) -> int | None:
    """Find the batch from which a set was blank to the end of its curve; None if there is none.

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
    """Tell whether a running trial is collapsed on a set for good, as far as can be foreseen.

    The arguments are those of ``collapsed_at``.
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


class Kind(StrEnum):
    """What has become of an output that degenerated."""

    LEVEL_SUNK = "level sunk"
    """Blank at one half, but pitches stand out from the rest as they did before"""
    CONTENT_LOST = "content lost"
    """Pitches stand out less than they did before, or than they do in the reference row"""
    CONSTANT_PATTERN = "constant pattern"
    """The same output whatever is played"""
    ALL_ON = "all on"
    """Salience, or a pitch, nearly everywhere"""


@dataclass(frozen=True)
class KindCriterion:
    """What tells the kinds apart.

    Attributes:
        recent: validations at the end of a curve whose mean is compared.
        kept: content is lost if average precision is below this share of the highest mean of as
            many validations in a row before, or of the reference's at the end.
        alike: least mean cosine between frames of different tracks of a constant pattern. Music in
            which the same few pitches sound all the time stays well below.
        crowded: least number of pitches per frame of an output that is all on.
        full: least mean peak of one that is blank because all of it is on: where salience is
            rounded to one, no bin stands out from its neighbours.
    """

    recent: int = 2
    kept: float = 0.75
    alike: float = 0.9
    crowded: float = 15.0
    full: float = 0.9


KINDS = KindCriterion()


@dataclass(frozen=True)
class Course:
    """Curves of a set over a trial's validations.

    Attributes:
        batches: of the validations, ascending.
        blank_rates, mean_peaks, pitches_per_frame, average_precisions, similarities: the set's
            measures; NaN where one is undefined or was not recorded.
        labelled: blank rates of the labelled validation set.
    """

    batches: Sequence[int]
    blank_rates: Sequence[float]
    mean_peaks: Sequence[float]
    pitches_per_frame: Sequence[float]
    average_precisions: Sequence[float]
    similarities: Sequence[float]
    labelled: Sequence[float]


def kind(
    course: Course,
    reference: Sequence[float] = (),
    criterion: KindCriterion = KINDS,
    collapse: Criterion = DEFAULT,
) -> Kind | None:
    """Return how an output has degenerated by the end of its course; None if it has not.

    An output that has never come alive, nor any on the labelled validation set, has not started
    and is of no kind. Of several kinds, it is of the one that explains the others: all on, then a
    constant pattern, then lost content, then a sunk level.

    Args:
        reference: average precisions of the reference row on the set, at whichever validations it
            had; () if there is none.
    """
    started = any(
        min(rates) <= collapse.alive
        for rates in zip(course.blank_rates, course.labelled, strict=True)
    )
    n = criterion.recent
    full = _blank(course, n, collapse) and _recent(course.mean_peaks, n) >= criterion.full
    if full or _recent(course.pitches_per_frame, n) >= criterion.crowded:
        return Kind.ALL_ON
    if not started:
        return None
    if _recent(course.similarities, n) >= criterion.alike:
        return Kind.CONSTANT_PATTERN
    if content_lost(course.average_precisions, reference, criterion):
        return Kind.CONTENT_LOST
    if collapsed_at(course.batches, course.blank_rates, course.labelled, collapse) is not None:
        return Kind.LEVEL_SUNK
    return None


def content_lost(
    average_precisions: Sequence[float],
    reference: Sequence[float] = (),
    criterion: KindCriterion = KINDS,
) -> bool:
    """Tell whether average precision has fallen, or has not risen with that of the reference."""
    n = criterion.recent
    now = _recent(average_precisions, n)
    earlier = [_recent(average_precisions[:end], n) for end in range(n, len(average_precisions))]
    had = [value for value in (*earlier, _recent(reference, n)) if not math.isnan(value)]
    return bool(had) and now < criterion.kept * max(had)


def _blank(course: Course, recent: int, criterion: Criterion) -> bool:
    """Tell whether a set is blank over its last validations."""
    return _recent(course.blank_rates, recent) >= criterion.blank


def _recent(values: Sequence[float], n: int) -> float:
    """Return the mean of those of the last n values that are known; NaN if none is."""
    known = [value for value in values[-n:] if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
