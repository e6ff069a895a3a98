"""The engine under test, and a guard: a test must leave no descriptor behind."""

from collections.abc import Iterator

import pytest

from tests.unit.proxycore.net.house import House, open_fds
from tests.unit.proxycore.net.house import house as built


@pytest.fixture
def house() -> Iterator[House]:
    before = open_fds()
    with built() as it:
        yield it
    # what tests before this one left to the garbage collector may be gone meanwhile
    assert open_fds() - before == set()
