"""Which tests ``make test`` runs in one process: each file is one lot, but for those that share.

A scheduler of our own, since pytest-xdist's ``loadgroup`` writes group names where pytest 9 no
longer looks for them. ``LOTS=FILE`` keeps when each process was given each lot.
"""

import os
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

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
    """Gives a process whole files, in their order; all that share the appliance are one."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        # by the number of tests, slow files of few tests would come last, and be waited for alone
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _assign_work_unit(self, node: Any) -> None:
        if "LOTS" in os.environ:
            with Path(os.environ["LOTS"]).open("a", encoding="utf-8") as file:
                file.write(f"{time.time():.1f} {node.gateway.id} {next(iter(self.workqueue))}\n")
        super()._assign_work_unit(node)

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


def order(items: list[pytest.Item]) -> None:
    """Put what takes long at the beginning, so that the processes end at one time: what shares,
    which is the longest lot, then files with a test marked ``slow``.

    Of what shares comes the browser before what leaves more nodes in the appliance, and last what
    searches the traces of all the others.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def rank(item: pytest.Item) -> int:
        if not shares(item.path):
            return 3 if item.path in slow else 4
        name = item.path.relative_to(HERE).as_posix()
        return 2 if name == _LAST else int(not name.startswith("browser/"))

    items.sort(key=rank)
