"""A sweep on several raylets, parts of which are killed at random, ends as if nothing had been."""

from collections import Counter
from pathlib import Path

import pytest

from tests import chaos
from tests.support import sweeping

MOST_SWEEPS = 20
UNTRIED = 5
"""seed that begins with what no other short test kills, nodes, raylets and the storage among it"""


def kill(
    at_least: int,
    at_most: int,
    given: tuple[str, ...],
    expected: dict,
    folder: Path,
    n_nodes: int,
    first: int = 0,
) -> None:
    """Disturb one sweep after the other, as a short one may end first, until that is reached."""
    kills: Counter[str] = Counter()
    for seed in range(first, first + MOST_SWEEPS):
        disturbed = chaos.Chaos(folder / f"disturbed-{seed}", seed, n_nodes)
        disturbed.run(at_most - kills.total(), given)
        assert sweeping.content(disturbed.folder) == expected, disturbed.log
        kills += disturbed.kills
        if kills.total() >= at_least:
            return
    raise AssertionError(f"only {kills.total()} kills")


def test_some_kills_change_nothing(world, tmp_path_factory, tmp_path):
    expected = sweeping.undisturbed(tmp_path_factory)
    kill(3, 6, sweeping.GIVEN, expected, tmp_path, n_nodes=2, first=UNTRIED)


@pytest.mark.long
def test_many_kills_change_nothing(world, tmp_path):
    given = (*chaos.ROWS, *sweeping.BRIEF)
    kill(30, 30, given, chaos.undisturbed(tmp_path / "undisturbed"), tmp_path, n_nodes=3)
