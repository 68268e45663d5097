"""Generated hostile inputs of every kind; ``python -m tests.hostile`` tries any number of them."""

import pytest

from tests.hostile import attack, shared_out
from tests.support.hostile import KINDS


@pytest.mark.parametrize("n_cases", [200, pytest.param(10_000, marks=pytest.mark.long)])
def test_each_is_taken_or_refused_in_one_line(n_cases):
    cases = shared_out(n_cases)
    tallies = attack(cases, seed=2)
    failures = {(kind, n): said for kind, t in tallies.items() for n, said in t.failures.items()}
    assert not failures
    assert tallies.keys() == KINDS.keys()
    assert sum(tally.outcomes.total() for tally in tallies.values()) == len(cases)
    refused = sum(tally.outcomes["refused"] for tally in tallies.values())
    assert refused > len(cases) / 2  # else they are not hostile
