"""Threads per trial on nodes that differ."""

import pytest

from ssmpe.runner.cluster.nodes import Node
from ssmpe.runner.cluster.resources import fitting, threads_for


def nodes(*sizes: tuple[int, int]) -> list[Node]:
    return [Node(str(i), "host", cpus, gpus) for i, (cpus, gpus) in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "trials", "gpus", "threads"),
    [
        # CPUs alone
        ([(8, 0), (16, 0)], 1, 0, 16),
        ([(8, 0), (16, 0)], 2, 0, 8),
        ([(8, 0), (16, 0)], 3, 0, 8),
        ([(8, 0), (16, 0)], 4, 0, 5),  # 1 + 3; with the mean, 6, only 1 + 2 would fit
        ([(8, 0), (16, 0)], 24, 0, 1),
        ([(8, 0), (16, 0)], 100, 0, 1),
        ([(0, 0), (8, 0), (8, 0)], 2, 0, 8),  # a head that takes no trials
        ([(0, 0), (8, 0), (8, 0)], 3, 0, 4),
        ([(3, 0), (3, 0), (3, 0)], 4, 0, 1),
        # a card for each
        ([(8, 1)], 6, 1, 8),
        ([(0, 0), (8, 1), (8, 1)], 6, 1, 8),
        ([(32, 0), (4, 4)], 6, 1, 1),  # many CPUs, but not where the cards are
        ([(64, 8), (4, 1)], 9, 1, 4),
        ([(64, 8), (4, 1)], 8, 1, 8),  # the small node may stay out
        # shared cards
        ([(8, 1), (16, 1)], 8, 0.25, 2),
        ([(8, 1), (16, 1)], 2, 0.25, 8),
        ([(2, 1)], 8, 0.25, 1),  # four shares, two CPUs
        ([(8, 2)], 8, 0.6, 4),  # one on each card, and none on what both have left
        ([(8, 1)], 8, 0.3333, 2),
        ([(16, 4)], 8, 2, 8),
        # nothing, or not yet
        ([], 4, 0, 1),
        ([(0, 0)], 4, 0, 1),
        ([(8, 0)], 4, 1, 1),
    ],
)
def test_as_many_trials_as_asked_for_fit_with_as_many_threads_as_possible(
    sizes, trials, gpus, threads
):
    found = nodes(*sizes)
    assert threads_for(found, trials, gpus) == threads
    wanted = min(trials, fitting(found, 1, gpus))
    assert fitting(found, threads, gpus) >= wanted
    if wanted:
        assert fitting(found, threads + 1, gpus) < wanted


def test_one_node_divides_its_cpus_evenly():
    for cpus in range(1, 33):
        for trials in range(1, 40):
            at_once = min(trials, cpus)
            assert threads_for(nodes((cpus, 0)), trials, 0) == cpus // at_once
            at_once = min(trials, 4)
            assert threads_for(nodes((cpus, 4)), trials, 1) == max(1, cpus // at_once)
