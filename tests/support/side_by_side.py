"""Which tests ``make test`` runs in one process: each file is one lot, but for those that share.

A scheduler of our own, since pytest-xdist's ``loadgroup`` writes group names where pytest 9 no
longer looks for them.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parents[1]
SHARED = frozenset({"appliance", "managed_front", "standalone_front", "front"})
"""Fixtures that a whole run has once: their tests run in one process, one after another."""
_ASKS = re.compile(r"\b(?:appliance|managed_front|standalone_front|front)\b\s*[:,)]")
_OWN = frozenset({"browser/test_proof.py", "integration/test_grown_up.py"})
"""Files that start an appliance of their own under these names."""
_LAST = "integration/test_secrets.py"


class ByFile(LoadScopeScheduling):
    """Gives a process whole files; all that share the appliance are one."""

    def _split_scope(self, nodeid: str) -> str:
        path = Path(self.config.rootpath, nodeid.partition("::")[0])
        return "shared" if shares(path) else str(path)


@cache
def shares(path: Path) -> bool:
    """Tell whether a test file asks for what the run has once, itself or by way of its folder."""
    name = path.relative_to(HERE).as_posix() if HERE in path.parents else ""
    if name in _OWN:
        return False
    if name.startswith("browser/"):
        return True
    text = path.read_text(encoding="utf-8")
    return name.startswith("integration/") and _ASKS.search(text) is not None


def check(items: list[pytest.Item]) -> None:
    """Raise UsageError where a file asks for it in a way that ``shares`` does not see."""
    for item in items:
        if HERE / "unit" in item.path.parents:
            continue  # names of their own
        if SHARED.intersection(getattr(item, "fixturenames", ())) and not shares(item.path):
            raise pytest.UsageError(f"{item.path}: tests.support.side_by_side does not see it")


def rank(path: Path) -> int:
    """Give the order: what shares comes first, since it is the longest lot; the browser before what
    leaves more nodes in the appliance; last what searches the traces of all the others."""
    if not shares(path):
        return 3
    name = path.relative_to(HERE).as_posix()
    return 2 if name == _LAST else int(not name.startswith("browser/"))
