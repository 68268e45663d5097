"""A sweep on several raylets, parts of which are killed at random, ends as if nothing had been."""

from collections import Counter

import pytest

from tests import chaos, sweeping


@pytest.fixture(scope="module")
def expected(world, tmp_path_factory):
    return chaos.undisturbed(tmp_path_factory.mktemp("chaos") / "undisturbed")


def test_some_kills_change_nothing(expected, tmp_path):
    disturbed = chaos.Chaos(tmp_path / "disturbed", seed=0)
    disturbed.run(6, (*chaos.ROWS, *sweeping.BRIEF))
    assert disturbed.kills.total() >= 3, disturbed.log
    assert sweeping.content(disturbed.folder) == expected, disturbed.log


@pytest.mark.long
def test_many_kills_change_nothing(expected, tmp_path):
    kills: Counter[str] = Counter()
    for seed in range(1, 20):
        disturbed = chaos.Chaos(tmp_path / f"disturbed-{seed}", seed, n_nodes=3)
        disturbed.run(30 - kills.total(), (*chaos.ROWS, *sweeping.BRIEF))
        assert sweeping.content(disturbed.folder) == expected, disturbed.log
        kills += disturbed.kills
        if kills.total() >= 30:
            return
    raise AssertionError(f"only {kills.total()} kills")
