"""What tests of sweeps share."""

import pytest

from tests.support import shared


@pytest.fixture(scope="session", autouse=True)
def _stores_at_hand(empty_store):
    """Let sweeps begin with an empty store, which they would have to make."""
    shared.STORE = empty_store
    yield
    shared.STORE = None
