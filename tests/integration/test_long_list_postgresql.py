"""PostgreSQL's plans for the list of accounts and for a decision (ADR-0030)."""

from tests.bench.auth_rig import POSTGRESQL
from tests.bench.million import PAGES, measure

_ACCOUNTS = 20_000
_MANY = ("list", "last counted page", "behind a login", "search, many", "enabled")
"""Of a few rows it is as well to sort them."""


def test_nothing_is_sorted_and_a_decision_reads_no_table() -> None:
    found = measure(POSTGRESQL, _ACCOUNTS)
    for name in PAGES:
        # one counts up to a limit, one gives the rows, in the order of an index
        (rows,) = [plan for plan in found[name]["plans"] if "Aggregate" not in plan]
        if name in _MANY:
            assert "Sort" not in rows, f"{name}: {rows}"
        assert "Seq Scan on routing_account" not in rows, f"{name}: {rows}"
        counted = [plan for plan in found[name]["plans"] if "Aggregate" in plan]
        assert all("Limit" in plan for plan in counted)
    assert found["decide()"]["queries"] == 2
    for plan in found["decide()"]["plans"]:
        assert "Seq Scan on routing_account" not in plan, plan
        assert "Index" in plan
