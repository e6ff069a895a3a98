"""What every test may use, and which tests are which."""

from pathlib import Path

import pytest

from tests.support import side_by_side
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
from tests.support.side_by_side import ByFile

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


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """Run files side by side, and those that share the appliance in one process."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder, and put those that share the appliance in order."""
    side_by_side.check(items)
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0] if _HERE in item.path.parents else ""
        if folder in _MARKED_FOLDERS:
            item.add_marker(folder)
    side_by_side.order(items)
