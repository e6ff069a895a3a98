"""The engine under test, and a guard: a test must leave no descriptor behind."""

import gc
from collections.abc import Iterator

import pytest

from tests.unit.proxycore.net.house import House, open_fds
from tests.unit.proxycore.net.house import house as built


@pytest.fixture
def house() -> Iterator[House]:
    # what tests before this one left behind is not collected, and its descriptors closed, meanwhile
    gc.freeze()
    before = open_fds()
    with built() as it:
        yield it
    assert open_fds() == before
    gc.unfreeze()
