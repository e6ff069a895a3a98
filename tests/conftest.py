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
_SHARED = frozenset({"appliance", "managed_front", "standalone_front", "front"})
"""Fixtures that a whole run has once: their tests run in one process, one after another."""
_LAST = "integration/test_secrets.py"


# before pytest-xdist looks at the groups
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder, and say which of them have to run in one process, in what order.

    ``make test`` runs files side by side (pytest-xdist). The tests that share the appliance are one
    lot, which comes first because it is the longest: the browser before what leaves more nodes in
    the appliance, and last what searches the traces of all the others.
    """
    shared = {item.path for item in items if _SHARED.intersection(_fixtures_of(item))}
    for item in items:
        name = _name_of(item)
        folder = name.partition("/")[0]
        if folder in _MARKED_FOLDERS:
            item.add_marker(folder)
        item.add_marker(pytest.mark.xdist_group("shared" if item.path in shared else name))
    items.sort(key=lambda item: _rank(_name_of(item)) if item.path in shared else 3)


def _fixtures_of(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", ()))


def _name_of(item: pytest.Item) -> str:
    return item.path.relative_to(_HERE).as_posix() if _HERE in item.path.parents else ""


def _rank(name: str) -> int:
    if name == _LAST:
        return 2
    return 0 if name.startswith("browser/") else 1
