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

    The browser comes just before: its driver keeps an event loop running in the main thread from
    the first of its tests on, beside which no other test could call ``asyncio.run``.
    """
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0] if _HERE in item.path.parents else ""
        if folder in _MARKED_FOLDERS:
            item.add_marker(folder)
    items.sort(
        key=lambda item: (
            item.path == _LAST,
            item.get_closest_marker("browser") is not None,
        )
    )
