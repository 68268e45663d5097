"""The definition of a collapse, on invented curves."""

import pytest

from ssmpe.evaluation.collapse import Criterion, collapsed_at, collapsing, grace_batches

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


def test_the_newest_validations_decide():
    rates = [1.0, 0.9, 0.1, 0.1, 0.9, 0.95, 0.95]
    assert collapsing(BATCHES[:7], rates, ALIVE_LABELLED[:7])
    assert not collapsing(BATCHES[:5], rates[:5], ALIVE_LABELLED[:5])


def test_curves_of_different_lengths_are_a_fault():
    with pytest.raises(ValueError, match="shorter"):
        collapsed_at([50, 100], [1.0, 1.0], [0.5])


def test_no_trial_is_stopped_in_its_first_fifth():
    assert [grace_batches(n) for n in (1, 4, 8, 10, 700)] == [1, 1, 2, 2, 140]
