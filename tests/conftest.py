"""What every test may use, and which tests are which."""

from pathlib import Path

import pytest

from tests.support.failure_logs import pytest_runtest_makereport, pytest_runtest_setup
from tests.support.fixtures import (
    appliance,
    auth_service,
    front,
    mailhost01,
    mailhost02,
    managed_front,
    mta,
    mta_port,
    standalone_front,
)

__all__ = [
    "appliance",
    "auth_service",
    "front",
    "mailhost01",
    "mailhost02",
    "managed_front",
    "mta",
    "mta_port",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "standalone_front",
]

_HERE = Path(__file__).parent
_MARKED_FOLDERS = ("integration", "browser", "link")
_LAST = _HERE / "integration" / "test_secrets.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder; what searches the traces of all others comes last.

    The browser comes late: its driver keeps an event loop running in the main thread from the first
    of its tests on, beside which no other test could call ``asyncio.run``. What talks to the real
    servers comes behind it, because it leaves more nodes in the appliance that both share.
    """
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0] if _HERE in item.path.parents else ""
        if folder in _MARKED_FOLDERS:
            item.add_marker(folder)
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    if item.path == _LAST:
        return 3
    if item.get_closest_marker("integration"):
        return 2
    return 1 if item.get_closest_marker("browser") else 0
