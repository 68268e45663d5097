"""The definition of a collapse, on invented curves."""

import math

import pytest

from ssmpe.evaluation.collapse import (
    Course,
    Criterion,
    Kind,
    KindCriterion,
    collapsed_at,
    collapsing,
    content_lost,
    grace_batches,
    kind,
)

BATCHES = list(range(50, 501, 50))
ALIVE_LABELLED = [1.0, 1.0, 0.65, 0.2, 0.1, 0.1, 0.0, 0.0, 0.0, 0.0]
BLANK_LABELLED = [1.0] * 10


@pytest.mark.parametrize(
    ("blank_rates", "labelled", "expected"),
    [
        # every run starts blank: nothing alive yet, nothing collapsed
        ([1.0] * 10, BLANK_LABELLED, None),
        # the labelled set comes alive at 200 and this one never does
        ([1.0] * 10, ALIVE_LABELLED, 200),
        # comes alive later than the labelled set
        ([1.0, 1.0, 1.0, 0.9, 0.8, 0.5, 0.3, 0.2, 0.1, 0.1], ALIVE_LABELLED, None),
        # falls from a peak
        ([1.0, 0.8, 0.3, 0.1, 0.1, 0.2, 0.8, 0.9, 1.0, 1.0], ALIVE_LABELLED, 350),
        # falls from a peak together with the labelled set
        ([1.0, 0.8, 0.2, 0.1, 0.1, 0.2, 0.8, 0.9, 1.0, 1.0],
         [1.0, 0.8, 0.2, 0.1, 0.1, 0.2, 0.8, 0.9, 1.0, 1.0], 350),
        # falls, and recovers
        ([1.0, 0.8, 0.2, 0.8, 0.9, 0.9, 0.6, 0.2, 0.1, 0.1], ALIVE_LABELLED, None),
        # the labelled set was alive once, and the whole network falls
        ([1.0, 0.65, 0.9, 0.95, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
         [0.9, 0.5, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 150),
        # half blank is degenerate, but no collapse
        ([1.0, 1.0, 0.9, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], ALIVE_LABELLED, None),
        # a hundredth below the threshold at the end is none either
        ([1.0] * 9 + [0.69], ALIVE_LABELLED, None),
        # the labelled set just comes alive, once
        ([1.0] * 10, [1.0] * 8 + [0.6, 1.0], 450),
        # blank in the very last validation only
        ([1.0, 0.2] + [0.1] * 7 + [0.7], ALIVE_LABELLED, 500),
    ],
)  # fmt: skip
def test_collapsed_at(blank_rates, labelled, expected):
    assert collapsed_at(BATCHES, blank_rates, labelled) == expected


def test_no_validations_no_collapse():
    assert collapsed_at([], [], []) is None
    assert not collapsing([], [], [])


def test_a_running_trial_is_given_time_to_come_alive():
    """Blank for as many validations as patience asks for, counted from when labels live."""
    rates, criterion = [1.0] * 10, Criterion(patience=3)
    verdicts = [
        collapsing(BATCHES[:n], rates[:n], ALIVE_LABELLED[:n], criterion) for n in range(1, 11)
    ]
    # alive at 200 = fourth validation; fourth, fifth and sixth are blank
    assert verdicts == [False] * 5 + [True] * 5


def test_a_trial_whose_blank_rate_is_falling_is_not_collapsing():
    rates = [1.0, 1.0, 1.0, 0.98, 0.94, 0.90, 0.86, 0.82, 0.77, 0.71]
    slow = Criterion(patience=3)
    assert not any(
        collapsing(BATCHES[:n], rates[:n], ALIVE_LABELLED[:n], slow) for n in range(1, 11)
    )
    assert collapsed_at(BATCHES, rates, ALIVE_LABELLED) == 200


def test_at_the_border_nothing_is_certain():
    rates = [1.0, 1.0, 0.9, 0.74, 0.72, 0.74, 0.73, 0.74, 0.73, 0.71]
    lasting = [collapsing(BATCHES[:n], rates[:n], ALIVE_LABELLED[:n]) for n in range(1, 11)]
    assert not any(lasting)
    assert collapsed_at(BATCHES, rates, ALIVE_LABELLED) == 200


def test_what_is_collapsing_is_collapsed():
    for n in range(11):
        for rates in ([1.0] * 10, [1.0, 0.1] + [0.9] * 8):
            curve = BATCHES[:n], rates[:n], ALIVE_LABELLED[:n]
            assert not collapsing(*curve) or collapsed_at(*curve) is not None


def test_two_validations_are_enough_and_a_fall_by_a_twentieth_is_a_recovery():
    alive = [0.5, 0.1]
    assert collapsed_at([50, 100], [1.0, 1.0], alive) == 50
    assert collapsing([50, 100], [1.0, 1.0], alive)
    assert collapsing([50, 100], [1.0, 0.96], alive)
    assert not collapsing([50, 100], [1.0, 0.95], alive)
    assert not collapsing([50], [1.0], [0.5])


def test_a_blank_rate_at_the_border_is_certain_and_a_fall_up_to_it_a_recovery():
    assert collapsing([50, 100], [0.75, 0.75], [0.5, 0.1])
    assert not collapsing([50, 100], [0.65, 0.65], [0.5, 0.1])
    assert collapsing([50, 100], [0.65, 0.65], [0.5, 0.1], Criterion(blank=0.65, certain=0.65))
    quarter = Criterion(recovery=0.25)
    assert collapsing([50, 100], [1.0, 0.8], [0.5, 0.1], quarter)
    assert not collapsing([50, 100], [1.0, 0.75], [0.5, 0.1], quarter)


def test_the_newest_validations_decide():
    rates = [1.0, 0.9, 0.1, 0.1, 0.9, 0.95, 0.95]
    assert collapsing(BATCHES[:7], rates, ALIVE_LABELLED[:7])
    assert not collapsing(BATCHES[:5], rates[:5], ALIVE_LABELLED[:5])


def test_curves_of_different_lengths_are_a_fault():
    with pytest.raises(ValueError, match="shorter"):
        collapsed_at([50, 100], [1.0, 1.0], [0.5])


def test_no_trial_is_stopped_in_its_first_fifth():
    assert [grace_batches(n) for n in (1, 4, 8, 10, 700)] == [1, 1, 2, 2, 140]


ALIVE = [1.0, 0.9, 0.4, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
SINKING = [1.0, 0.9, 0.4, 0.2, 0.1, 0.3, 0.6, 0.8, 0.9, 0.95]
RISING = [0.1, 0.2, 0.4, 0.5, 0.6, 0.65, 0.68, 0.7, 0.7, 0.7]
FALLING = [0.1, 0.2, 0.4, 0.5, 0.6, 0.6, 0.5, 0.4, 0.3, 0.3]
FLAT = [0.1, 0.15, 0.2, 0.25, 0.25, 0.3, 0.3, 0.3, 0.3, 0.3]


def course(blank_rates, average_precisions=RISING, **others) -> Course:
    """Invent a course on a set beside a labelled validation set that is well."""
    given = {
        "mean_peaks": [0.5] * 10,
        "pitches_per_frame": [3.0] * 10,
        "similarities": [0.3] * 10,
        "labelled": ALIVE_LABELLED,
    }
    return Course(
        batches=BATCHES,
        blank_rates=blank_rates,
        average_precisions=average_precisions,
        **{**given, **others},
    )


class TestKinds:
    """Each on curves that have nothing else."""

    def test_well(self):
        assert kind(course(ALIVE)) is None
        assert kind(course(ALIVE), reference=RISING) is None

    def test_level_sunk(self):
        """Blank at one half, while average precision goes on rising with the reference's."""
        assert kind(course(SINKING), reference=RISING) is Kind.LEVEL_SUNK
        assert kind(course([1.0] * 10), reference=RISING) is Kind.LEVEL_SUNK
        slightly = [value - 0.1 for value in RISING]
        assert kind(course(SINKING, slightly), reference=RISING) is Kind.LEVEL_SUNK

    def test_content_lost_by_a_fall(self):
        assert kind(course(SINKING, FALLING)) is Kind.CONTENT_LOST
        # without a frame being blank, too: other pitches are estimated
        assert kind(course(ALIVE, FALLING)) is Kind.CONTENT_LOST

    def test_content_that_never_came(self):
        """Nothing falls, but the reference has risen beyond it."""
        assert kind(course(SINKING, FLAT)) is Kind.LEVEL_SUNK
        assert kind(course(SINKING, FLAT), reference=RISING) is Kind.CONTENT_LOST
        assert kind(course(ALIVE, FLAT), reference=RISING[:4]) is Kind.CONTENT_LOST

    def test_content_that_comes_back_is_not_lost(self):
        back = [*FALLING[:7], 0.5, 0.6, 0.6]
        assert kind(course(ALIVE, back)) is None

    def test_constant_pattern(self):
        alike = [0.9, 0.6, 0.4, 0.5, 0.7, 0.9, 0.95, 0.97, 0.98, 0.99]
        for blank_rates, precisions in ((ALIVE, FALLING), (SINKING, FALLING), (ALIVE, RISING)):
            found = kind(course(blank_rates, precisions, similarities=alike), reference=RISING)
            assert found is Kind.CONSTANT_PATTERN

    def test_all_on(self):
        crowded = [2.0, 3.0, 3.0, 5.0, 9.0, 14.0, 20.0, 25.0, 30.0, 31.0]
        assert kind(course([0.0] * 10, FALLING, pitches_per_frame=crowded)) is Kind.ALL_ON

    def test_all_on_to_the_last_bin_has_no_peaks(self):
        """And so is blank; its frames are alike, and it has no content either."""
        full = course(
            SINKING, FALLING,
            mean_peaks=[0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.0, 1.0, 1.0],
            similarities=[1.0] * 10,
            pitches_per_frame=[0.0] * 10,
        )  # fmt: skip
        assert kind(full) is Kind.ALL_ON

    def test_borders_are_of_the_kind(self):
        """Peaks of 0.9 on a blank set, 15 pitches, a cosine of 0.9; and alive at 0.6."""
        just_blank = [0.1] * 8 + [0.7] * 2
        assert kind(course(just_blank, mean_peaks=[0.9] * 10)) is Kind.ALL_ON
        assert kind(course(just_blank, mean_peaks=[0.89] * 10)) is Kind.LEVEL_SUNK
        assert kind(course(ALIVE, mean_peaks=[1.0] * 10)) is None
        assert kind(course(ALIVE, pitches_per_frame=[15.0] * 10)) is Kind.ALL_ON
        assert kind(course(ALIVE, pitches_per_frame=[14.9] * 10)) is None
        assert kind(course(ALIVE, similarities=[0.9] * 10)) is Kind.CONSTANT_PATTERN
        assert kind(course(ALIVE, similarities=[0.89] * 10)) is None
        once = [1.0] * 8 + [0.6, 1.0]
        assert kind(course([1.0] * 10, labelled=once)) is Kind.LEVEL_SUNK

    def test_what_has_not_started_is_of_no_kind(self):
        """Blank from the start, its frames all alike, beside a labelled set that is so, too."""
        untrained = course([1.0] * 10, [0.1] * 10, labelled=BLANK_LABELLED, similarities=[1.0] * 10)
        assert kind(untrained, reference=RISING) is None

    def test_measures_that_were_not_recorded_say_nothing(self):
        """As of sweeps of earlier versions: what is left is the blank rate."""
        unknown = [math.nan] * 10
        old = course(SINKING, unknown, similarities=unknown)
        assert kind(old) is Kind.LEVEL_SUNK
        assert kind(course(ALIVE, unknown, similarities=unknown), unknown) is None

    def test_a_set_that_was_alive_alone_has_started(self):
        assert kind(course(SINKING, labelled=BLANK_LABELLED)) is Kind.LEVEL_SUNK

    def test_other_thresholds(self):
        half = [0.1] * 5 + [0.65] * 5
        assert kind(course(half)) is None
        assert kind(course(half), collapse=Criterion(blank=0.65)) is Kind.LEVEL_SUNK
        assert kind(course(ALIVE, FALLING), criterion=KindCriterion(kept=0.4)) is None

    def test_curves_of_different_lengths_are_a_fault(self):
        with pytest.raises(ValueError, match="shorter"):
            kind(course([1.0] * 10, labelled=BLANK_LABELLED[:9]))

    def test_no_validations(self):
        assert kind(Course([], [], [], [], [], [], [])) is None


def test_a_last_validation_alone_decides_nothing():
    dropped = [*RISING[:9], 0.45]
    assert not content_lost(dropped)
    assert content_lost(dropped, criterion=KindCriterion(recent=1))


def test_a_first_validation_alone_decides_nothing_either():
    assert not content_lost([0.9, 0.5, 0.6, 0.6])
    assert content_lost([0.9, 0.8, 0.6, 0.6])


def test_three_quarters_of_the_content_are_kept():
    assert not content_lost([1.0, 1.0, 0.75, 0.75])
    assert content_lost([1.0, 1.0, 0.74, 0.74])


def test_the_share_of_content_that_is_kept():
    """Average precisions on MusicNet, as measured.

    An alive network keeps its content through 250 batches as published; one that is trained so
    from scratch, with eight added excerpts, does not reach the reference's.
    """
    assert not content_lost([0.624, 0.624], reference=[0.721, 0.721])
    assert content_lost([0.395, 0.395], reference=[0.676, 0.676])
